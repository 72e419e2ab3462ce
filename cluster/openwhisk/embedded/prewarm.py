"""Stem cells: containers that are started before anybody calls, and how many of them there are to be. Pure.

A stem cell is of one kind and one memory, and serves the first call that needs both. Each line of them asks for new ones so:

    event                           wanted altogether
    the platform starts             `count`
    one is taken                    one in its place
    one is lost or cannot be made   `least`
    upkeep, every ten minutes       those that nobody took within `ttl_ms` go, the oldest first and a hundred at most; then `increment`
                                    for each `threshold` cold starts since the last upkeep, but `least` at least and `most` at most

A line without a time to live (0) keeps `count`, whatever happens.
What the memory of the pool has no room for is not made, and nobody comes back to it before the next of these events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.openwhisk.embedded.config import StemCell

if TYPE_CHECKING:
    from cluster.openwhisk.embedded.pool import Need, Slot

MOST_REMOVED = 100
"""By one upkeep."""


@dataclass(slots=True, eq=False)
class Stem:
    """A line of stem cells. `ready` has those that can be taken and since when, by the caller's clock, the oldest first."""

    kind: str
    cell: StemCell
    ready: dict[Slot, float] = field(default_factory=dict)
    starting: int = 0
    cold_starts: int = 0

    def take(self) -> Slot:
        """The oldest one that is ready."""
        slot = next(iter(self.ready))
        del self.ready[slot]
        return slot

    def missing(self, wanted: int) -> int:
        return max(wanted - len(self.ready) - self.starting, 0)

    @property
    def after_loss(self) -> int:
        return self.cell.least if self.cell.ttl_ms else self.cell.count

    @property
    def by_use(self) -> int:
        cell = self.cell
        if not cell.ttl_ms:
            return cell.count
        return min(max(self.cold_starts // cell.threshold * cell.increment, cell.least), cell.most)


class Stems:
    """All lines, by kind and memory."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], Stem] = {}

    def __iter__(self) -> Iterator[Stem]:
        return iter(self._lines.values())

    def add(self, kind: str, cell: StemCell) -> None:
        self._lines[kind, cell.memory_mb] = Stem(kind, cell)

    def find(self, need: Need) -> Stem | None:
        """The line whose stem cells fit."""
        return self._lines.get((need.kind, need.memory_mb))

    def line(self, need: Need) -> Stem:
        """The line that a stem cell is of."""
        return self._lines[need.kind, need.memory_mb]

    def missing_at_start(self) -> list[Stem]:
        """The line of each one that is to be made, as in what follows."""
        return self._each(lambda line: line.missing(line.cell.count))

    def missing_after_loss(self) -> list[Stem]:
        return self._each(lambda line: line.missing(line.after_loss))

    def missing_by_use(self) -> list[Stem]:
        """And begin to count cold starts anew."""
        missing = self._each(lambda line: line.missing(line.by_use))
        for line in self:
            line.cold_starts = 0
        return missing

    def expired(self, now_s: float) -> list[Slot]:
        """Those that have waited for too long; they are still there."""
        old = [
            (since_s, slot)
            for line in self
            if line.cell.ttl_ms
            for slot, since_s in line.ready.items()
            if now_s - since_s > line.cell.ttl_ms / 1000
        ]
        return [slot for _, slot in sorted(old, key=lambda one: one[0])[:MOST_REMOVED]]

    def _each(self, count: Callable[[Stem], int]) -> list[Stem]:
        return [line for line in self for _ in range(count(line))]
