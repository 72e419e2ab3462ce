"""When calls are due.

An arrival process is two things laid over each other: a *rate*, given as its integral N(t) (how many calls are due by time t), and a
*spacing* in operational time, where one unit is one expected call. A call due at operational time u is due at N^-1(u) on the clock.
So every rate works with every spacing, and a ramp of Poisson arrivals needs no code of its own.

    even spacing      u_i = i + 1/2                       (half a step in, so that K invokers never fire together at t = 0)
    Poisson spacing   u_i = sum of i unit exponentials    (Cinlar 1975: time change of the unit-rate process)

Both are pure functions of (seed, stream, index): any invoker can make the whole stream and take its share.
Times are seconds from t0 as float64; `due_us` rounds them to the microseconds that rows hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Microseconds = NDArray[np.int64]

WINDOW_CALLS = 4096
"""Operational length of one window: large enough to be vectorised, small enough to be made ahead of the pacer in under 1 ms."""


class Rate(Protocol):
    """The integral of a rate over [0, duration_s], strictly increasing where calls are due."""

    def expected_calls(self) -> float:
        """N(duration_s)."""

    def clock(self, operational: Times) -> Times:
        """N^-1: seconds from t0 for operational times in [0, expected_calls)."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A rate that moves in a straight line from `start_rps` to `end_rps`; equal ends make a constant rate."""

    start_rps: float
    end_rps: float
    duration_s: float

    def __post_init__(self) -> None:
        rates = self.start_rps + self.end_rps
        if not (0 < self.duration_s < math.inf and min(self.start_rps, self.end_rps) >= 0 and 0 < rates < math.inf):
            raise ValueError(f"a ramp needs a duration and a rate above zero, got {self}")

    def expected_calls(self) -> float:
        return (self.start_rps + self.end_rps) / 2 * self.duration_s

    def clock(self, operational: Times) -> Times:
        # N(t) = b t + a t^2 / 2. The usual root (sqrt(b^2 + 2 a n) - b) / a cancels when a is small; its conjugate does not,
        # and for a = 0 it is n / b, so a constant rate is not a special case.
        slope = (self.end_rps - self.start_rps) / self.duration_s
        root = np.sqrt(np.maximum(self.start_rps**2 + 2 * slope * operational, 0.0))
        return 2 * operational / (self.start_rps + root)


class Spacing(Protocol):
    """Where calls lie in operational time, window by window."""

    def window(self, index: int) -> Times:
        """Sorted operational times in [index, index + 1) * WINDOW_CALLS."""


@dataclass(frozen=True, slots=True)
class Even:
    """One call a unit: a constant rate becomes a constant gap."""

    def window(self, index: int) -> Times:
        middle: Times = index * WINDOW_CALLS + np.arange(WINDOW_CALLS, dtype=np.float64) + 0.5
        return middle


@dataclass(frozen=True, slots=True)
class Poisson:
    """Unit exponential gaps from counter-based bits (Philox, Salmon et al. 2011).

    Raw bits, not `Generator.exponential`: numpy keeps bit streams stable between releases, but not its distributions (NEP 19).
    Each window starts afresh, which changes nothing, since the exponential forgets.
    """

    seed: int
    stream: int = 0

    def window(self, index: int) -> Times:
        # The chance that 8 sigma more draws than expected fall short is below 1e-15.
        draws = WINDOW_CALLS + 8 * int(WINDOW_CALLS**0.5)
        bits = np.random.Philox(key=[self.seed, self.stream], counter=[0, index, 0, 0]).random_raw(draws)
        uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
        offsets = np.cumsum(-np.log1p(-uniform))
        kept: Times = index * WINDOW_CALLS + offsets[offsets < WINDOW_CALLS]
        return kept


def due_us(rate: Rate, spacing: Spacing) -> Iterator[Microseconds]:
    """Due times of all calls in order, in microseconds from t0, one array a window."""
    end = rate.expected_calls()
    for index in range(-int(-end // WINDOW_CALLS)):
        operational = spacing.window(index)
        yield np.rint(rate.clock(operational[operational < end]) * 1e6).astype(np.int64)
