"""When calls are due.

An arrival process is two things laid over each other: a *rate*, given as its integral N(t) (how many calls are due by time t), and a
*spacing* in operational time, where one unit is one expected call. A call due at operational time u is due at N^-1(u) on the clock.
So every rate works with every spacing, and a ramp of Poisson arrivals needs no code of its own.

    even spacing      u_i = i + 1/2                       (half a step in, so that K invokers never fire together at t = 0)
    uniform spacing   u_i = i + U_i, U_i uniform in [0,1) (one call in each step, somewhere: the counts are exact, the gaps are not)
    Poisson spacing   u_i = sum of i unit exponentials    (Cinlar 1975: time change of the unit-rate process)

All are pure functions of (seed, stream, index): any invoker can make the whole stream and take its share.
Times are seconds from t0 as float64; `due_us` rounds them to the microseconds that rows hold.
"""

from __future__ import annotations

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
class Uniform:
    """One call a unit, anywhere in it."""

    seed: int
    stream: int = 0

    def window(self, index: int) -> Times:
        somewhere: Times = (
            index * WINDOW_CALLS
            + np.arange(WINDOW_CALLS, dtype=np.float64)
            + fractions(self.seed, self.stream, index, WINDOW_CALLS, lane=1)
        )
        return somewhere


@dataclass(frozen=True, slots=True)
class Poisson:
    """Unit exponential gaps. Each window starts afresh, which changes nothing, since the exponential forgets."""

    seed: int
    stream: int = 0

    def window(self, index: int) -> Times:
        # The chance that 8 sigma more draws than expected fall short is below 1e-15.
        draws = WINDOW_CALLS + 8 * int(WINDOW_CALLS**0.5)
        offsets = np.cumsum(-np.log1p(-fractions(self.seed, self.stream, index, draws, lane=0)))
        kept: Times = index * WINDOW_CALLS + offsets[offsets < WINDOW_CALLS]
        return kept


def fractions(seed: int, stream: int, index: int, count: int, lane: int) -> Times:
    """Numbers in [0, 1) from counter-based bits (Philox, Salmon et al. 2011), others in each window and lane.

    Raw bits, not `Generator.random`: numpy keeps bit streams stable between releases, but not its distributions (NEP 19).
    """
    bits = np.random.Philox(key=[seed, stream], counter=[0, index, lane, 0]).random_raw(count)
    uniform: Times = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def due_us(rate: Rate, spacing: Spacing) -> Iterator[Microseconds]:
    """Due times of all calls in order, in microseconds from t0, one array a window."""
    end = rate.expected_calls()
    for index in range(-int(-end // WINDOW_CALLS)):
        operational = spacing.window(index)
        yield np.rint(rate.clock(operational[operational < end]) * 1e6).astype(np.int64)
