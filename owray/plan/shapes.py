"""The rates that a storm can have: how many calls are due by when.

    shape      rate over time                                       as an option
    Ramp       a straight line; a constant rate is a level one      --rps 500, --ramp 0:5000:60s
    Stages     ramps and levels one after another                   --stages '1000:30s,1000:5000:60s'
    Sine       a level with a swing                                 --sine 1000:500:60s
    Bursts     all calls of a burst at once, then nothing           --burst 500,1000,2000 --gap 10s, --at-once
    Steps      an exact count of calls in each step                 --plan lee2018, counts a minute of a trace

Each is a `Rate` (owray.plan.arrivals): its integral N(t) turned round, vectorised over one window of calls; `peak_rps` is its highest
rate (of bursts: within a second). A shape is data as well, and
is kept in a run's manifest under its tag.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from owray.plan.arrivals import Times

Numbers = NDArray[np.float64]

MOST_PIECES = 100_000
"""Stages, bursts or steps of one shape: a week of minutes is 10,080."""


class Ramp(msgspec.Struct, frozen=True, tag="ramp"):
    """A rate that moves in a straight line from `start_rps` to `end_rps`; equal ends make a constant rate, zeros a pause."""

    start_rps: float
    end_rps: float
    duration_s: float

    def __post_init__(self) -> None:
        if not (0 < self.duration_s < math.inf and 0 <= self.start_rps < math.inf and 0 <= self.end_rps < math.inf):
            raise ValueError(f"a ramp needs a duration above zero and rates of zero or more, got {self}")

    @property
    def peak_rps(self) -> float:
        return max(self.start_rps, self.end_rps)

    def expected_calls(self) -> float:
        return (self.start_rps + self.end_rps) / 2 * self.duration_s

    def clock(self, operational: Times) -> Times:
        slope = (self.end_rps - self.start_rps) / self.duration_s
        return _line_clock(operational, np.float64(self.start_rps), np.float64(slope))

    def told(self) -> str:
        if self.start_rps == self.end_rps:
            return f"{self.start_rps:g} calls a second"
        return f"{self.start_rps:g} to {self.end_rps:g} calls a second"


class Stages(msgspec.Struct, frozen=True, tag="stages"):
    """Ramps one after another."""

    ramps: tuple[Ramp, ...]

    def __post_init__(self) -> None:
        _check_pieces("stage", self.ramps)

    @property
    def duration_s(self) -> float:
        return math.fsum(ramp.duration_s for ramp in self.ramps)

    @property
    def peak_rps(self) -> float:
        return max(ramp.peak_rps for ramp in self.ramps)

    def expected_calls(self) -> float:
        return math.fsum(ramp.expected_calls() for ramp in self.ramps)

    def clock(self, operational: Times) -> Times:
        calls = _sums([ramp.expected_calls() for ramp in self.ramps])
        begin_s = _sums([ramp.duration_s for ramp in self.ramps])
        start_rps = np.array([ramp.start_rps for ramp in self.ramps])
        slope = np.array([(ramp.end_rps - ramp.start_rps) / ramp.duration_s for ramp in self.ramps])
        piece = _piece_of(operational, calls)
        inside = _line_clock(operational - calls[piece], start_rps[piece], slope[piece])
        return np.minimum(begin_s[piece] + inside, begin_s[piece + 1])

    def told(self) -> str:
        return f"{len(self.ramps)} stages of up to {self.peak_rps:g} calls a second"


class Sine(msgspec.Struct, frozen=True, tag="sine"):
    """A rate of `mean_rps` that swings by `amplitude_rps` once in `period_s`, upwards first.

    N(t) = m t + (a p / 2 pi) (1 - cos(2 pi t / p)) has no inverse in closed form: within one period it is looked up in a table of
    `_TABLE` points and mended by Newton's steps that never leave the table's cell, so calls stay in order where the rate is near zero.
    """

    mean_rps: float
    amplitude_rps: float
    period_s: float
    duration_s: float

    def __post_init__(self) -> None:
        if not (0 < self.mean_rps < math.inf and 0 <= self.amplitude_rps <= self.mean_rps):
            raise ValueError(f"a sine needs a mean rate above zero and an amplitude of at most that, got {self}")
        if not (0 < self.period_s < math.inf and 0 < self.duration_s < math.inf):
            raise ValueError(f"a sine needs a period and a duration above zero, got {self}")

    @property
    def peak_rps(self) -> float:
        return self.mean_rps + self.amplitude_rps

    def expected_calls(self) -> float:
        return float(self._integral(np.float64(self.duration_s)))

    def clock(self, operational: Times) -> Times:
        calls_a_period = self.mean_rps * self.period_s
        periods = np.floor(operational / calls_a_period)
        wanted = operational - periods * calls_a_period
        grid = np.linspace(0.0, self.period_s, _TABLE)
        integral = self._integral(grid)
        cell = np.clip(np.searchsorted(integral, wanted, side="right") - 1, 0, _TABLE - 2)
        within: Times = np.interp(wanted, integral, grid)
        for _ in range(_NEWTON_STEPS):
            rate = self.mean_rps + self.amplitude_rps * np.sin(2 * np.pi * within / self.period_s)
            step = (self._integral(within) - wanted) / np.maximum(rate, self.mean_rps * 1e-6)
            within = np.clip(within - step, grid[cell], grid[cell + 1])
        ordered: Times = np.maximum.accumulate(periods * self.period_s + within)
        return ordered

    def told(self) -> str:
        return f"{self.mean_rps:g} ± {self.amplitude_rps:g} calls a second in waves of {self.period_s:g} s"

    def _integral(self, time_s: Times | np.float64) -> Times:
        swing = self.amplitude_rps * self.period_s / (2 * np.pi)
        integral: Times = self.mean_rps * time_s + swing * (1 - np.cos(2 * np.pi * time_s / self.period_s))
        return integral


class Bursts(msgspec.Struct, frozen=True, tag="bursts"):
    """`sizes[k]` calls due at once at `k * gap_s`."""

    sizes: tuple[int, ...]
    gap_s: float

    def __post_init__(self) -> None:
        _check_pieces("burst", self.sizes)
        if min(self.sizes) < 0 or not 0 < self.gap_s < math.inf:
            raise ValueError(f"bursts need sizes of zero or more and a gap above zero, got {_short(self.sizes)} and {self.gap_s:g} s")

    @property
    def duration_s(self) -> float:
        return len(self.sizes) * self.gap_s

    @property
    def peak_rps(self) -> float:
        return max(self.sizes) / min(self.gap_s, 1.0)

    def expected_calls(self) -> float:
        return float(sum(self.sizes))

    def clock(self, operational: Times) -> Times:
        clock: Times = _piece_of(operational, _sums(self.sizes)) * np.float64(self.gap_s)
        return clock

    def told(self) -> str:
        if len(self.sizes) == 1:
            return f"{self.sizes[0]:,} calls at once"
        return f"{len(self.sizes)} bursts of up to {max(self.sizes):,} calls, {self.gap_s:g} s apart"


class Steps(msgspec.Struct, frozen=True, tag="steps"):
    """`counts[k]` calls in the k-th step of `step_s`: exactly so many where they are spaced evenly."""

    counts: tuple[int, ...]
    step_s: float

    def __post_init__(self) -> None:
        _check_pieces("step", self.counts)
        if min(self.counts) < 0 or not 0 < self.step_s < math.inf:
            raise ValueError(f"steps need counts of zero or more and a length above zero, got {_short(self.counts)} and {self.step_s:g} s")

    @property
    def duration_s(self) -> float:
        return len(self.counts) * self.step_s

    @property
    def peak_rps(self) -> float:
        return max(self.counts) / self.step_s

    def expected_calls(self) -> float:
        return float(sum(self.counts))

    def clock(self, operational: Times) -> Times:
        calls = _sums(self.counts)
        piece = _piece_of(operational, calls)
        share = (operational - calls[piece]) / (calls[piece + 1] - calls[piece])
        clock: Times = (piece + np.minimum(share, 1.0)) * np.float64(self.step_s)
        return clock

    def told(self) -> str:
        return f"{len(self.counts):,} steps of {self.step_s:g} s with up to {max(self.counts):,} calls"


class Listed(msgspec.Struct, frozen=True, tag="listed"):
    """Calls that are in a file, and not made from numbers: `plan.parquet` of the run, with this SHA-256 (hex).

    `peak_rps` is the fullest second; `duration_s` ends with the last call, and is a second at least.
    """

    calls: int
    duration_s: float
    peak_rps: float
    sha256: str

    def __post_init__(self) -> None:
        if self.calls < 1 or not (0 < self.duration_s < math.inf and 0 < self.peak_rps < math.inf):
            raise ValueError(f"a listed plan has a call, a duration and a peak above zero, got {self}")

    def expected_calls(self) -> float:
        return float(self.calls)

    def told(self) -> str:
        return f"{self.calls:,} listed calls, up to {self.peak_rps:g} a second"


Shape = Ramp | Stages | Sine | Bursts | Steps | Listed

_TABLE = 1025
_NEWTON_STEPS = 3


def _line_clock(operational: Times, start_rps: Numbers | np.float64, slope: Numbers | np.float64) -> Times:
    """N(t) = b t + a t^2 / 2 turned round.

    The usual root (sqrt(b^2 + 2 a n) - b) / a cancels when a is small; its conjugate does not, and for a = 0 it is n / b, so a constant
    rate is not a special case.
    """
    rates = start_rps + np.sqrt(np.maximum(start_rps**2 + 2 * slope * operational, 0.0))
    clock: Times = np.divide(2 * operational, rates, out=np.zeros_like(operational), where=rates > 0)  # none: the foot of a ramp from zero
    return clock


def _sums(pieces: Sequence[float]) -> Numbers:
    """0, the first, the first two, ..., all."""
    sums: Numbers = np.concatenate([[0.0], np.cumsum(np.array(pieces, dtype=np.float64))])
    return sums


def _piece_of(operational: Times, sums: Numbers) -> NDArray[np.int64]:
    """Which piece each call falls into; a piece without calls gets none."""
    last = int(np.flatnonzero(np.diff(sums))[-1])
    piece: NDArray[np.int64] = np.clip(np.searchsorted(sums, operational, side="right") - 1, 0, last)
    return piece


def _check_pieces(name: str, pieces: Sequence[object]) -> None:
    if not 0 < len(pieces) <= MOST_PIECES:
        raise ValueError(f"a shape has 1 to {MOST_PIECES:,} {name}s, got {len(pieces):,}")


def _short(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
