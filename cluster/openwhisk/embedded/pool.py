"""Which container runs what, and who waits. Pure: no process, no clock, no I/O.

The OpenWhisk invoker's container pool, version 1. Memory slots are the unit: a container's memory counts from the moment it is decided
on until the moment it is decided against, whatever the process takes to come and go.

    slot state  event                        next      effect
    -           granted cold or recreated    busy      its memory is reserved at once; nobody else can have it
    busy        give_back                    ready     idle, found by its binding; the one used last is found first
    busy        drop                         gone      memory free at once
    ready       granted warm                 busy
    ready       evicted, expired or lost     gone      memory free at once

A need is met, in this order, by
  1. a ready slot with the same binding                                               warmed
  2. a new slot, if reserved + needed <= user memory                                  cold
  3. a new slot after removing ready ones, least recently used first, until as much
     memory is freed as is needed, or none is left. What was free before is not
     counted and there is no second test, so with mixed sizes the pool may remove
     more than it must, or end up above its memory: so does the real one.            recreated
  4. nothing: it waits in a FIFO buffer. While the buffer is not empty all newcomers
     go to its end, even if a slot for them is ready (head-of-line blocking).

After every give_back or drop the head of the buffer is looked at, and only the head, so an event costs the same with ten and with ten
thousand waiting.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

Binding = tuple[str, bytes]
"""The invoking namespace and the action's identity: what a container is bound to once it was initialised."""

Start = Literal["warmed", "cold", "recreated"]

Ticket = TypeVar("Ticket")


@dataclass(frozen=True, slots=True)
class Need:
    binding: Binding
    memory_mb: int


@dataclass(slots=True, eq=False)
class Slot:
    """A container as the pool sees it. `used` grows with every grant; `ready_s` is when it became idle, by the caller's clock."""

    number: int
    need: Need
    used: int
    ready_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are, and the memory they hold or ask for."""

    count: int
    memory_mb: int


class Grant(NamedTuple):
    """Run in this slot; before that, remove the containers of `evicted`."""

    slot: Slot
    start: Start
    evicted: tuple[Slot, ...] = ()


@dataclass(slots=True)
class _Ready:
    """The idle slots: by binding for finding one, all of them for evicting one."""

    by_binding: dict[Binding, list[Slot]] = field(default_factory=dict)
    count: int = 0

    def add(self, slot: Slot) -> None:
        self.by_binding.setdefault(slot.need.binding, []).append(slot)
        self.count += 1

    def take(self, binding: Binding) -> Slot | None:
        slots = self.by_binding.get(binding)
        if not slots:
            return None
        slot = slots.pop()
        if not slots:
            del self.by_binding[binding]
        self.count -= 1
        return slot

    def remove(self, slot: Slot) -> None:
        slots = self.by_binding[slot.need.binding]
        slots.remove(slot)
        if not slots:
            del self.by_binding[slot.need.binding]
        self.count -= 1

    def __iter__(self) -> Iterator[Slot]:
        return itertools.chain.from_iterable(self.by_binding.values())


class Pool(Generic[Ticket]):
    """`user_memory_mb` is shared by all containers. A ticket is whatever the caller knows its waiting work by."""

    def __init__(self, user_memory_mb: int) -> None:
        self._user_memory_mb = user_memory_mb
        self._reserved_mb = 0
        self._slots = 0
        self._ready = _Ready()
        self._buffer: deque[tuple[Need, Ticket]] = deque()
        self._numbers = itertools.count(1)
        self._uses = itertools.count(1)

    @property
    def reserved_mb(self) -> int:
        return self._reserved_mb

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    def census(self) -> dict[str, Tally]:
        """What there is at the moment, in the words of the real pool's metrics."""
        idle = Tally(self._ready.count, sum(slot.need.memory_mb for slot in self._ready))
        return {
            "active": Tally(self._slots - idle.count, self._reserved_mb - idle.memory_mb),
            "idles": idle,
            "runBuffer": Tally(len(self._buffer), sum(need.memory_mb for need, _ in self._buffer)),
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
        self._ready.add(slot)

    def drop(self, slot: Slot) -> None:
        """The container of a busy slot is no more, or soon will not be."""
        self._reserved_mb -= slot.need.memory_mb
        self._slots -= 1

    def lose(self, slot: Slot) -> None:
        """The container of a ready slot has ended by itself."""
        self._evict(slot)

    def expire(self, ready_before_s: float) -> list[Slot]:
        """Remove the slots that nobody has used since; their containers are to be removed."""
        expired = [slot for slot in self._ready if slot.ready_s < ready_before_s]
        for slot in expired:
            self._evict(slot)
        return expired

    def _decide(self, need: Need) -> Grant | None:
        ready = self._ready.take(need.binding)
        if ready is not None:
            ready.used = next(self._uses)
            return Grant(ready, "warmed")
        if self._reserved_mb + need.memory_mb <= self._user_memory_mb:
            return Grant(self._new(need), "cold")
        if self._ready.count:
            evicted = self._make_room(need.memory_mb)
            return Grant(self._new(need), "recreated", evicted)
        return None

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
