"""The records of finished activations, in memory and bounded: the oldest go first.

Kept as the bytes they were answered with; what is asked rarely (a summary, a result) is read out of them then. Sorted by start, as
listings are; records arrive nearly in that order. Dropping is done in batches, since the head of a list is dear to remove.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import msgspec

from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.records import Record

OVERHEAD_BYTES = 400
"""What an entry takes beside its record: itself, its id, its place in the index (measured, CPython 3.11)."""

DROPPED_SHARE = 64
"""One part in so many is dropped when the store is full."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A record with what listings select by: `path` is the invoking namespace with the name of what was called.

    `status` is the number that list summaries call statusCode.
    """

    activation_id: str
    namespace: str
    path: str
    start: int
    status: int
    record: bytes

    def decoded(self) -> Record:
        return msgspec.json.decode(self.record, type=Record)


_start = attrgetter("start")


class Activations:
    """Bounded by `max_bytes` of records."""

    def __init__(self, max_bytes: int, counters: Counters) -> None:
        self._max_bytes = max_bytes
        self._counters = counters
        self._bytes = 0
        self._by_id: dict[str, Stored] = {}
        self._by_start: list[Stored] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, stored: Stored) -> None:
        self._by_id[stored.activation_id] = stored
        if not self._by_start or self._by_start[-1].start <= stored.start:
            self._by_start.append(stored)
        else:
            insort(self._by_start, stored, key=_start)
        self._bytes += _cost(stored)
        if self._bytes > self._max_bytes:
            self._drop_oldest()

    def get(self, namespace: str, activation_id: str) -> Stored | None:
        stored = self._by_id.get(activation_id)
        return stored if stored is not None and stored.namespace == namespace else None

    def select(self, namespace: str, path: str | None = None, since_ms: int | None = None, upto_ms: int | None = None) -> Iterator[Stored]:
        """Newest first. `path` is the action's, with its namespace; both times are inclusive and refer to the start."""
        first = 0 if since_ms is None else bisect_left(self._by_start, since_ms, key=_start)
        last = len(self._by_start) if upto_ms is None else bisect_right(self._by_start, upto_ms, key=_start)
        for index in range(last - 1, first - 1, -1):
            stored = self._by_start[index]
            if stored.namespace == namespace and path in (None, stored.path):
                yield stored

    def _drop_oldest(self) -> None:
        count = len(self._by_start) // DROPPED_SHARE + 1
        self._counters.records_dropped += count
        for stored in self._by_start[:count]:
            del self._by_id[stored.activation_id]
            self._bytes -= _cost(stored)
        del self._by_start[:count]


def summary(stored: Stored) -> dict[str, Any]:
    """As a listing shows it; its duration is end - start, where it has an end."""
    record = stored.decoded()
    times = {"start": record.start} if record.end is msgspec.UNSET else _times(record.start, record.end)
    return {
        "namespace": record.namespace,
        "name": record.name,
        "version": record.version,
        "publish": record.publish,
        "annotations": record.annotations,
        "activationId": record.activation_id,
        **times,
        "statusCode": stored.status,
    }


def _times(start: int, end: int) -> dict[str, int]:
    return {"start": start, "end": end, "duration": end - start}


def _cost(stored: Stored) -> int:
    return len(stored.record) + OVERHEAD_BYTES
