"""A trace that was never recorded: functions with the statistics of Azure Functions, made from a seed.

The figures are those of M. Shahrad et al., "Serverless in the Wild", USENIX ATC 2020 (two weeks of all functions, July 2019):

    durations     log-normal, mu = -0.38 and sigma = 2.36 of ln(seconds)             the paper's fit of mean durations
    popularity    the busiest 18.6 % of applications make 99.6 % of all calls        so log-normal rates with sigma = 3.55
    timers        16 % of functions: equal gaps, a coefficient of variation of 0     the paper's table of triggers
    bursty        40 %: a coefficient of variation above 1, here 2                   the paper has the share, not the value
    others        Poisson, a coefficient of variation of 1

Rates and durations are not drawn but the quantiles of their distributions, so that a hundred functions have the statistics that a hundred
thousand would have. Which function has which duration and class is chosen by the seed, as are the gaps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from owray.plan.arrivals import Microseconds, Times, fractions

DURATION_MU = -0.38
DURATION_SIGMA = 2.36
TOP_APPS = 0.186
TOP_CALLS = 0.996
TIMERS = 0.16
BURSTY = 0.40
BURSTY_CV = 2.0

RATE_SIGMA = NormalDist().inv_cdf(TOP_CALLS) + NormalDist().inv_cdf(1 - TOP_APPS)
"""Of log-normal rates the top share p makes Phi(sigma - z(1 - p)) of all calls; solved for sigma."""

_CHUNK = 1 << 16
_DURATIONS, _CLASSES, _PHASE, _GAPS, _PHASES_OF_GAPS = range(5)
"""Lanes of random bits."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the trace; `cv` is the coefficient of variation of the gaps between its calls."""

    number: int
    rps: float
    duration_s: float
    cv: float


def functions(count: int, rps: float, seed: int) -> list[Function]:
    """So many functions that have `rps` calls a second together, the busiest first."""
    z = np.array([NormalDist().inv_cdf((index + 0.5) / count) for index in range(count)])
    rates = np.exp(RATE_SIGMA * z)[::-1]
    rates *= rps / rates.sum()
    durations = np.exp(DURATION_MU + DURATION_SIGMA * z)[np.argsort(fractions(seed, 0, 0, count, _DURATIONS), kind="stable")]
    places = np.argsort(np.argsort(fractions(seed, 0, 0, count, _CLASSES), kind="stable")) / count
    cvs = np.select([places < TIMERS, places < TIMERS + BURSTY], [0.0, BURSTY_CV], 1.0)
    parts = zip(rates.tolist(), durations.tolist(), cvs.tolist(), strict=True)
    return [Function(number, *values) for number, values in enumerate(parts)]


def arrivals_us(function: Function, length_s: float, seed: int) -> Iterator[Microseconds]:
    """Due times of a function's calls in [0, length_s), in order, piece by piece."""
    gap_s = 1 / function.rps
    at_s = float(fractions(seed, function.number + 1, 0, 1, _PHASE)[0]) * gap_s  # a random phase, so that not all begin at t0
    for index in itertools.count():
        due_s = at_s + gap_s * np.concatenate([[0.0], np.cumsum(_gaps(function, index, seed))])
        yield np.rint(due_s[:-1][due_s[:-1] < length_s] * 1e6).astype(np.int64)
        at_s = float(due_s[-1])
        if at_s >= length_s:
            return


def _gaps(function: Function, index: int, seed: int) -> Times:
    """Gaps of mean 1: equal, exponential, or of two exponentials with balanced means (H2: mostly short, now and then long)."""
    if function.cv == 0:
        return np.ones(_CHUNK)
    exponential: NDArray[np.float64] = -np.log1p(-fractions(seed, function.number + 1, index, _CHUNK, _GAPS))
    if function.cv == 1:
        return exponential
    square = function.cv**2
    short = (1 + math.sqrt((square - 1) / (square + 1))) / 2
    is_short = fractions(seed, function.number + 1, index, _CHUNK, _PHASES_OF_GAPS) < short
    gaps: Times = exponential / np.where(is_short, 2 * short, 2 * (1 - short))
    return gaps
