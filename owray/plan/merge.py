"""Several streams of arrivals as one, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from owray.plan.arrivals import WINDOW_CALLS, Microseconds
from owray.plan.mix import Choices


def merged(streams: Sequence[Iterator[Microseconds]]) -> Iterator[tuple[Microseconds, Choices]]:
    """Due times of all streams in order, with the number of the stream that each is of.

    A window goes as far as all streams are known, since nothing before that can still come, and is no longer than one stream's would be
    (calls due at once apart). Of calls due in the same microsecond of one window that of the first stream comes first.
    """
    if len(streams) == 1:
        for due in streams[0]:
            yield due, np.zeros(len(due), dtype=np.int16)
        return
    known: dict[int, Microseconds] = {}
    for number in range(len(streams)):
        _refill(known, streams, number)
    while known:
        most = max(1, WINDOW_CALLS // len(known))
        horizon_us = min(int(due[min(most, len(due)) - 1]) for due in known.values())
        taken, numbers = [], []
        for number, due in sorted(known.items()):
            count = int(np.searchsorted(due, horizon_us, side="right"))
            taken.append(due[:count])
            numbers.append(np.full(count, number, dtype=np.int16))
            known[number] = due[count:]
            if count == len(due):
                _refill(known, streams, number)
        together = np.concatenate(taken)
        order = np.argsort(together, kind="stable")
        yield together[order], np.concatenate(numbers)[order]


def _refill(known: dict[int, Microseconds], streams: Sequence[Iterator[Microseconds]], number: int) -> None:
    """Take a stream's next window that has a call in it; at its end it is no longer known."""
    known.pop(number, None)
    for due in streams[number]:
        if len(due):
            known[number] = due
            return
