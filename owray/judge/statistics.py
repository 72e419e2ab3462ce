"""Statistics that do not flatter.

Percentiles are nearest-rank: a value that really occurred, never one between two. A call without a good end belongs to the sample as a
value above all others, since leaving out refusals and time-outs makes a broken service look fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_BEYOND = 10
"""A percentile is shown only with so many samples beyond it: with fewer it is the story of a few calls."""

CHANCE_SIGMAS = 3.0
"""How far a count may lie from its expectation before it is more than chance."""

_ROUNDING = 1e-9
"""`0.99 * 100` is a little more than 99: without this, the rank would be one too high."""


def rank(count: int, share: float) -> int:
    """The place, counted from 1, of the percentile `share` (0 < share <= 1) among `count` sorted samples."""
    return max(1, math.ceil(count * share - _ROUNDING))


def is_shown(count: int, share: float) -> bool:
    """Whether enough samples lie beyond the percentile for it to be told."""
    return count - rank(count, share) >= LEAST_BEYOND


def percentile(values: Sequence[float], share: float, of: int | None = None) -> float | None:
    """The percentile of sorted `values` among `of` samples (default: these alone), those not given being infinite.

    None where too few samples lie beyond it.
    """
    count = len(values) if of is None else of
    if not is_shown(count, share):
        return None
    place = rank(count, share)
    return values[place - 1] if place <= len(values) else math.inf


def send_ratio(attempted: int, planned: int) -> float:
    """The share of planned calls that were attempted; 1 where none was planned."""
    return attempted / planned if planned else 1.0


def little_error(in_flight_us: float, in_system_us: float) -> float:
    """How far the rows are from Little's law (L = X R), as a share of L.

    Both sides are multiplied by the run's length: the integral of calls in flight on one side, the sum of times in system on the other.
    """
    if in_flight_us == 0:
        return 0.0 if in_system_us == 0 else math.inf
    return abs(in_flight_us - in_system_us) / in_flight_us


def squared_variation(gaps: Sequence[float]) -> float | None:
    """Variance over squared mean of the gaps between calls: 0 for a constant rate, about 1 for Poisson, more for bursts."""
    if not gaps:
        return None
    mean = sum(gaps) / len(gaps)
    if mean == 0:
        return None
    return sum((gap - mean) ** 2 for gap in gaps) / len(gaps) / mean**2


def chance_of_count(expected: float) -> float:
    """By how much a Poisson count may differ from `expected` by chance."""
    return CHANCE_SIGMAS * math.sqrt(expected)
