"""The records of finished activations, in memory and bounded: the oldest go first.

Kept as the bytes they were answered with; what is asked rarely (a summary, a result) is read out of them then. Sorted by start, as
listings are, all of them for dropping and those of each namespace and of each name for listing: a listing or a count costs the same with
ten records and with a million. Records arrive nearly in that order. Dropping is done in batches, since the head of a list is dear to
remove.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
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


class _Listed(msgspec.Struct, frozen=True, rename="camel"):
    """What a listing shows of a record; the rest of it may be long, and is only passed over."""

    namespace: str
    name: str
    version: str
    publish: bool
    annotations: msgspec.Raw
    activation_id: str
    start: int
    end: int | msgspec.UnsetType = msgspec.UNSET
    cause: str | msgspec.UnsetType = msgspec.UNSET


_start = attrgetter("start")


class Activations:
    """Bounded by `max_bytes` of records."""

    def __init__(self, max_bytes: int, counters: Counters) -> None:
        self.max_bytes = max_bytes
        self._counters = counters
        self._bytes = 0
        self._by_id: dict[str, Stored] = {}
        self._by_start: list[Stored] = []
        self._by_place: defaultdict[str, list[Stored]] = defaultdict(list)
        """By namespace, and by path. The two cannot be mixed up: only a path has a slash."""

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def bytes_kept(self) -> int:
        """With what they take beside the records themselves."""
        return self._bytes

    def add(self, stored: Stored) -> None:
        self._by_id[stored.activation_id] = stored
        start = stored.start
        for entries in (self._by_start, self._by_place[stored.namespace], self._by_place[stored.path]):
            if not entries or entries[-1].start <= start:
                entries.append(stored)
            else:
                insort(entries, stored, key=_start)
        self._bytes += _cost(stored)
        while self._bytes > self.max_bytes and self._by_start:  # one round is not enough where the oldest are small and this one is large
            self._drop_oldest()

    def get(self, namespace: str, activation_id: str) -> Stored | None:
        stored = self._by_id.get(activation_id)
        return stored if stored is not None and stored.namespace == namespace else None

    def select(self, place: str, since_ms: int | None, upto_ms: int | None, *, skip: int, limit: int) -> list[Stored]:
        """Newest first. `place` is a namespace or a path; both times are inclusive and refer to the start."""
        entries, first, last = self._range(place, since_ms, upto_ms)
        end = max(first, last - skip)
        return entries[max(first, end - limit) : end][::-1]

    def count(self, place: str, since_ms: int | None, upto_ms: int | None) -> int:
        """How many `select` has to choose from."""
        _, first, last = self._range(place, since_ms, upto_ms)
        return last - first

    def _range(self, place: str, since_ms: int | None, upto_ms: int | None) -> tuple[list[Stored], int, int]:
        entries = self._by_place.get(place, [])
        first = 0 if since_ms is None else bisect_left(entries, since_ms, key=_start)
        last = len(entries) if upto_ms is None else bisect_right(entries, upto_ms, key=_start)
        return entries, first, max(first, last)

    def _drop_oldest(self) -> None:
        count = len(self._by_start) // DROPPED_SHARE + 1
        self._counters.records_dropped += count
        leaving: Counter[str] = Counter()
        for stored in self._by_start[:count]:
            del self._by_id[stored.activation_id]
            self._bytes -= _cost(stored)
            leaving[stored.namespace] += 1
            leaving[stored.path] += 1
        del self._by_start[:count]
        for place, gone in leaving.items():
            entries = self._by_place[place]
            del entries[:gone]  # sorted in the same way, so its first ones they are
            if not entries:
                del self._by_place[place]


def summary(stored: Stored) -> dict[str, Any]:
    """As a listing shows it; its duration is end - start, where it has an end."""
    listed = msgspec.json.decode(stored.record, type=_Listed)
    shown = {
        "namespace": listed.namespace,
        "name": listed.name,
        "version": listed.version,
        "publish": listed.publish,
        "annotations": listed.annotations,
        "activationId": listed.activation_id,
        "start": listed.start,
        "statusCode": stored.status,
    }
    if listed.end is not msgspec.UNSET:
        shown |= {"end": listed.end, "duration": listed.end - listed.start}
    if listed.cause is not msgspec.UNSET:
        shown["cause"] = listed.cause
    return shown


def _cost(stored: Stored) -> int:
    return len(stored.record) + OVERHEAD_BYTES
