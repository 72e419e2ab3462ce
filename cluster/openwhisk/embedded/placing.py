"""Where an invocation runs: the pool's decision, and the container that comes of it.

    place          the pool decides: warm, new, or wait in the buffer
    warm           its container is there: `placed` is called in the same turn
    new            a task starts a container; `placed` is called when it can be spoken to, `unplaced` where it cannot be made
    found dead     passed over, and placed again: the caller never hears of it
    release        idle again, or gone; whoever waits at the head of the buffer may go

No future and no task for a warm call: a task a call cost a third of what the platform can carry.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.containers import CannotStart, Container, Containers
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.invocation import Invocation
from cluster.openwhisk.embedded.pool import Grant, Pool, Slot, Tally

LOOK_INTERVAL_S = 10.0
"""How often idle containers are looked at. An interval in which nothing was called is used to prepare for what comes."""

_log = logging.getLogger(__name__)


class Placed(Protocol):
    """What becomes of an invocation that has been placed, or could not be."""

    def placed(self, invocation: Invocation, container: Container, *, cold: bool) -> None:
        """Here it runs; a cold container is not yet initialised."""

    def unplaced(self, invocation: Invocation) -> None:
        """No container could be made for it."""

    def failed(self, invocation: Invocation) -> None:
        """A defect of the platform, about to be raised: called in its handler."""


class Placing:
    """Places invocations and takes their slots back."""

    def __init__(self, knobs: Knobs, containers: Containers, counters: Counters, then: Placed) -> None:
        self._knobs = knobs
        self._containers = containers
        self._counters = counters
        self._then = then
        self._loop = asyncio.get_running_loop()
        self._pool: Pool[Invocation] = Pool(knobs.user_memory_mb)
        self._ready: dict[int, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._placed = 0
        self._placed_before = 0
        self._stopped = False
        containers.on_lost = self._lost
        self._looking = self._loop.call_later(LOOK_INTERVAL_S, self._look_after)

    def place(self, invocation: Invocation) -> bool:
        """A slot, at once (True) or after waiting in the buffer (False)."""
        if self._stopped:
            return False
        self._placed += 1
        need = invocation.prepared.need(invocation.user)
        grant = self._pool.submit(need)
        if grant is not None:
            self._granted(invocation, grant)
            return True
        self._pool.wait(need, invocation)
        return False

    def release(self, invocation: Invocation, *, keep: bool) -> None:
        """The invocation is done with its slot, if it has one; `keep` says whether the container may serve another."""
        slot, invocation.slot = invocation.slot, None
        if slot is None:
            return
        container = invocation.container
        if container is not None and keep and container.alive:
            self._ready[slot.number] = slot
            self._pool.give_back(slot, self._loop.time())
        else:
            self._drop(slot)
        self._settle()

    def census(self) -> dict[str, Tally]:
        """What the pool has at the moment."""
        return self._pool.census()

    async def stop(self) -> None:
        """Start no more containers."""
        self._stopped = True
        self._looking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _granted(self, invocation: Invocation, grant: Grant) -> None:
        """The pool has decided; whoever had to make room goes first."""
        slot = grant.slot
        invocation.slot = slot
        self._counters.starts[grant.start] += 1
        self._ready.pop(slot.number, None)
        self._remove(grant.evicted)
        if grant.start != "warmed":
            task = self._loop.create_task(self._start(invocation, slot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        container = self._containers.find(slot.number)
        if container is None or not container.alive:
            invocation.slot = None
            self._loop.call_soon(self.place, invocation)
            self._drop(slot)
            self._settle()
            return
        invocation.container = container
        self._proceed(invocation, container, cold=False)

    async def _start(self, invocation: Invocation, slot: Slot) -> None:
        try:
            container = await self._containers.start(slot.number, invocation.prepared.action.runtime, slot.need.memory_mb)
        except CannotStart:
            self._counters.starts_failed += 1
            self._then.unplaced(invocation)
            return
        except Exception:  # noqa: BLE001 - `failed` has it logged and the slot freed
            self._then.failed(invocation)
            return
        invocation.container = container
        self._proceed(invocation, container, cold=True)

    def _proceed(self, invocation: Invocation, container: Container, *, cold: bool) -> None:
        try:
            self._then.placed(invocation, container, cold=cold)
        except Exception:  # noqa: BLE001 - one that cannot go on must not keep the others from their slots
            self._then.failed(invocation)

    def _drop(self, slot: Slot) -> None:
        self._pool.drop(slot)
        self._containers.destroy(slot.number)

    def _settle(self) -> None:
        if self._stopped:
            return
        for invocation, grant in self._pool.settle():
            self._granted(invocation, grant)

    def _remove(self, slots: tuple[Slot, ...] | list[Slot]) -> None:
        for slot in slots:
            del self._ready[slot.number]
            self._containers.destroy(slot.number)

    def _lost(self, number: int) -> None:
        """The process of a container ended by itself. One that was busy is noticed by the call that it broke."""
        slot = self._ready.pop(number, None)
        if slot is not None:
            self._counters.containers_lost += 1
            self._pool.lose(slot)
            self._settle()

    def _look_after(self) -> None:
        self._looking = self._loop.call_later(LOOK_INTERVAL_S, self._look_after)
        idle_s = (self._knobs.pause_grace_ms + self._knobs.idle_container_ms) / 1000
        self._remove(self._pool.expire(self._loop.time() - idle_s))
        self._settle()
        if self._placed == self._placed_before:
            self._containers.prepare()
        self._placed_before = self._placed
