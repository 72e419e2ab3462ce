"""Which container runs what, and who waits. Pure: no process, no clock, no I/O.

The OpenWhisk invoker's container pool, version 1. Memory slots are the unit: a container's memory counts from the moment it is decided
on until the moment it is decided against, whatever the process takes to come and go.

    slot state      event                        next        effect
    -               granted cold or recreated    busy        its memory is reserved at once; nobody else can have it
    busy            give_back                    ready       idle, found by its binding
    busy            drop                         gone        memory free at once
    ready           pause                        paused      its memory stays reserved
    ready, paused   granted warm                 busy        a paused one is to be resumed first
    ready, paused   evicted, expired or lost     gone        memory free at once
    -               prewarm                      starting    a stem cell: reserved like any other, bound to nobody
    starting        prewarmed                    prewarmed   found by its kind and memory
    prewarmed       granted prewarmed            busy        another one is to be started in its place, if there is room
    starting,
    prewarmed       expired or lost              gone        memory free at once; never evicted

A need is met, in this order, by
  1. an idle slot with the same binding                                               warmed
  2. a prewarmed slot of the same kind and memory                                     prewarmed
  3. a new slot, if reserved + needed <= user memory                                  cold
  4. a new slot after removing idle ones, least recently used first, until as much
     memory is freed as is needed, or none is left. What was free before is not
     counted and there is no second test, so with mixed sizes the pool may remove
     more than it must, or end up above its memory: so does the real one.            recreated
  5. nothing: it waits in a FIFO buffer. While the buffer is not empty all newcomers
     go to its end, even if a slot for them is ready (head-of-line blocking).

The real pool has a word more, recreatedPrewarm, for one that was taken after others were removed; where nothing happens between the steps
nobody can come to it, since step 2 would have found it.

After every event that frees a slot or memory the head of the buffer is looked at, and only the head, so an event costs the same with ten
and with ten thousand waiting.

Which of several idle slots is used, with the choice `arbitrary`: the real pool takes the first in its map's order. A map of up to four
keeps the order in which they became idle; one that once had more goes by a hash, which has nothing to do with their use, so some are
always preferred and others grow old. `latest` takes the one that became idle last.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

from cluster.openwhisk.embedded.config import WarmChoice
from cluster.openwhisk.embedded.prewarm import Stem, Stems

Binding = tuple[str, bytes]
"""The invoking namespace and the action's identity: what a container is bound to once it was initialised."""

UNBOUND: Binding = ("", b"")
"""Of a stem cell that nobody has used."""

Start = Literal["warmed", "prewarmed", "cold", "recreated"]
State = Literal["busy", "ready", "paused", "starting", "prewarmed"]

ORDERED = 4
"""Up to so many entries the real pool's map keeps the order of insertion."""

Ticket = TypeVar("Ticket")


@dataclass(frozen=True, slots=True)
class Need:
    binding: Binding
    memory_mb: int
    kind: str


@dataclass(slots=True, eq=False)
class Slot:
    """A container as the pool sees it. `used` grows with every grant; `ready_s` is when it became idle, by the caller's clock."""

    number: int
    need: Need
    used: int
    ready_s: float = 0.0
    state: State = "busy"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are, and the memory they hold or ask for."""

    count: int
    memory_mb: int


class Grant(NamedTuple):
    """Run in this slot; before that, remove the containers of `evicted`, resume its own if it is `paused`, and start a `replacement`."""

    slot: Slot
    start: Start
    evicted: tuple[Slot, ...] = ()
    paused: bool = False
    replacement: Slot | None = None


@dataclass(slots=True)
class _Ready:
    """The idle slots: by binding for finding one, in the order in which they became idle; all of them for evicting one."""

    latest: bool
    by_binding: dict[Binding, list[Slot]] = field(default_factory=dict)
    count: int = 0
    hashed: bool = False

    def add(self, slot: Slot) -> None:
        self.by_binding.setdefault(slot.need.binding, []).append(slot)
        self.count += 1

    def take(self, binding: Binding) -> Slot | None:
        slots = self.by_binding.get(binding)
        if not slots:
            return None
        slot = slots.pop() if self.latest else slots.pop(self._first(slots))
        if not slots:
            del self.by_binding[binding]
        self.count -= 1
        return slot

    def remove(self, slot: Slot) -> None:
        self._measure()
        slots = self.by_binding[slot.need.binding]
        slots.remove(slot)
        if not slots:
            del self.by_binding[slot.need.binding]
        self.count -= 1

    def __iter__(self) -> Iterator[Slot]:
        return itertools.chain.from_iterable(self.by_binding.values())

    def _measure(self) -> None:
        """Before one is removed: then there are most of them."""
        self.hashed = self.hashed or self.count > ORDERED

    def _first(self, slots: list[Slot]) -> int:
        self._measure()
        return min(range(len(slots)), key=lambda index: _hash(slots[index])) if self.hashed else 0


class Pool(Generic[Ticket]):
    """`user_memory_mb` is shared by all containers. A ticket is whatever the caller knows its waiting work by."""

    def __init__(self, user_memory_mb: int, warm_choice: WarmChoice = "arbitrary") -> None:
        self.stems = Stems()
        self._user_memory_mb = user_memory_mb
        self._reserved_mb = 0
        self._slots = 0
        self._ready = _Ready(warm_choice == "latest")
        self._buffer: deque[tuple[Need, Ticket]] = deque()
        self._numbers = itertools.count(1)
        self._uses = itertools.count(1)

    @property
    def reserved_mb(self) -> int:
        return self._reserved_mb

    def census(self) -> dict[str, Tally]:
        """What there is at the moment, in the words of the real pool's metrics. A stem cell that has not started is none of them."""
        idle = _tally(slot.need for slot in self._ready)
        prewarmed = _tally(slot.need for line in self.stems for slot in line.ready)
        starting = sum(line.starting for line in self.stems)
        starting_mb = sum(line.starting * line.cell.memory_mb for line in self.stems)
        return {
            "active": Tally(
                self._slots - idle.count - prewarmed.count - starting,
                self._reserved_mb - idle.memory_mb - prewarmed.memory_mb - starting_mb,
            ),
            "idles": idle,
            "prewarm": prewarmed,
            "runBuffer": _tally(need for need, _ in self._buffer),
        }

    def submit(self, need: Need) -> Grant | None:
        """A grant at once, or None: then `wait`."""
        return None if self._buffer else self._decide(need)

    def wait(self, need: Need, ticket: Ticket) -> None:
        """To the end of the buffer; `settle` will name the ticket."""
        self._buffer.append((need, ticket))

    def settle(self) -> Iterator[tuple[Ticket, Grant]]:
        """Whoever at the head of the buffer can go now. To be asked after each give_back and drop."""
        while self._buffer:
            need, ticket = self._buffer[0]
            grant = self._decide(need)
            if grant is None:
                return
            self._buffer.popleft()
            yield ticket, grant

    def give_back(self, slot: Slot, now_s: float) -> None:
        """The slot's container can serve the next call."""
        slot.ready_s = now_s
        slot.state = "ready"
        self._ready.add(slot)

    def drop(self, slot: Slot) -> None:
        """The container of a busy slot is no more, or soon will not be."""
        self._reserved_mb -= slot.need.memory_mb
        self._slots -= 1

    def lose(self, slot: Slot) -> None:
        """The container of a slot that is not busy has ended by itself, or that of a stem cell could not be started."""
        if slot.state == "starting":
            self.stems.line(slot.need).starting -= 1
            self.drop(slot)
        elif slot.state == "prewarmed":
            del self.stems.line(slot.need).ready[slot]
            self.drop(slot)
        else:
            self._evict(slot)

    def pause(self, ready_before_s: float) -> list[Slot]:
        """The slots that nobody has used since; their containers are to be paused."""
        idle = [slot for slot in self._ready if slot.state == "ready" and slot.ready_s < ready_before_s]
        for slot in idle:
            slot.state = "paused"
        return idle

    def expire(self, ready_before_s: float) -> list[Slot]:
        """Remove the slots that nobody has used since; their containers are to be removed."""
        expired = [slot for slot in self._ready if slot.ready_s < ready_before_s]
        for slot in expired:
            self._evict(slot)
        return expired

    def prewarm(self, lines: list[Stem]) -> list[Slot]:
        """A slot for a stem cell of each of these lines, as far as there is room; `prewarmed` or `lose` is to follow."""
        slots = []
        for line in lines:
            need = Need(UNBOUND, line.cell.memory_mb, line.kind)
            if self._has_room(need):
                slot = self._new(need)
                slot.state = "starting"
                line.starting += 1
                slots.append(slot)
        return slots

    def prewarmed(self, slot: Slot, now_s: float) -> None:
        """The container of a stem cell is there."""
        line = self.stems.line(slot.need)
        line.starting -= 1
        line.ready[slot] = now_s
        slot.state = "prewarmed"

    def expire_prewarmed(self, now_s: float) -> list[Slot]:
        """Remove the stem cells whose time is over; their containers are to be removed."""
        expired = self.stems.expired(now_s)
        for slot in expired:
            self.lose(slot)
        return expired

    def _decide(self, need: Need) -> Grant | None:
        ready = self._ready.take(need.binding)
        if ready is None:
            return self._decide_anew(need)
        ready.used = next(self._uses)
        paused, ready.state = ready.state == "paused", "busy"
        return Grant(ready, "warmed", paused=True) if paused else Grant(ready, "warmed")

    def _decide_anew(self, need: Need) -> Grant | None:
        """For a need that no idle slot is bound to."""
        line = self.stems.find(need)
        if line is not None and line.ready:
            slot = line.take()
            slot.need, slot.used, slot.state = need, next(self._uses), "busy"
            return Grant(slot, "prewarmed", replacement=next(iter(self.prewarm([line])), None))
        room = self._has_room(need)
        if not room and not self._ready.count:
            return None
        if line is not None:
            line.cold_starts += 1
        if room:
            return Grant(self._new(need), "cold")
        evicted = self._make_room(need.memory_mb)
        return Grant(self._new(need), "recreated", evicted)

    def _has_room(self, need: Need) -> bool:
        return self._reserved_mb + need.memory_mb <= self._user_memory_mb

    def _new(self, need: Need) -> Slot:
        self._reserved_mb += need.memory_mb
        self._slots += 1
        return Slot(next(self._numbers), need, next(self._uses))

    def _make_room(self, wanted_mb: int) -> tuple[Slot, ...]:
        evicted: list[Slot] = []
        freed_mb = 0
        for slot in sorted(self._ready, key=lambda slot: slot.used):
            if freed_mb >= wanted_mb:
                break
            self._evict(slot)
            evicted.append(slot)
            freed_mb += slot.need.memory_mb
        return tuple(evicted)

    def _evict(self, slot: Slot) -> None:
        self._ready.remove(slot)
        self.drop(slot)


def _hash(slot: Slot) -> int:
    """A number that says nothing: no two slots have the same."""
    return slot.number * 2654435761 % 2**32


def _tally(needs: Iterable[Need]) -> Tally:
    sizes = [need.memory_mb for need in needs]
    return Tally(len(sizes), sum(sizes))
