"""Fewer or more of calls that are given one by one, chosen by a seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from owray.plan.arrivals import Microseconds
from owray.plan.mix import Seqs, hashed, start_of

_LANE = 0x7468696E
"""Sets the choice apart from that of actions and parameters, which hashes the same seed."""

_MOST_AT_ONCE = 1 << 20
"""Copies that are in memory together, about."""


def copies(rows: Seqs, scale: float, seed: int) -> NDArray[np.int64]:
    """How often each call is made: scale = 2.3 makes 3 of 30 % of them and 2 of the others, scale = 0.3 keeps 30 %.

    A call's fate depends on its number in `rows` and on the seed alone, so it is the same in pieces of any size. Of n calls the count is
    binomial: n * scale, give or take sqrt(n)/2 at most.
    """
    whole = int(scale)
    threshold = np.uint64(int((scale - whole) * 2**53))
    one_more = hashed(rows, start_of(seed ^ _LANE)) >> np.uint64(11) < threshold
    return whole + one_more.astype(np.int64)


def multiplied(
    due_us: Microseconds, kinds: NDArray[np.int64], rows: Seqs, scale: float, seed: int
) -> Iterator[tuple[Microseconds, NDArray[np.int64]]]:
    """Calls with their copies, which are due when the call is; in pieces, so that memory does not grow with the scale."""
    step = max(1, int(_MOST_AT_ONCE / max(scale, 1.0)))
    for begin in range(0, len(rows), step):
        piece = slice(begin, begin + step)
        times = copies(rows[piece], scale, seed)
        yield np.repeat(due_us[piece], times), np.repeat(kinds[piece], times)
