"""Where an invocation runs: the pool's decision, and the container that comes of it.

    place          the pool decides: warm, a stem cell, new, or wait in the buffer
    warm           its container is there: `placed` is called in the same turn; where it is paused, as soon as it has been resumed
    stem cell      its container is there, not yet initialised: `placed` is called in the same turn
    new            a task starts a container; `placed` is called when it can be spoken to, `unplaced` where it cannot be made
    found dead     passed over, and placed again: the caller never hears of it
    release        idle again, or gone; whoever waits at the head of the buffer may go

One sweep sees to all that goes by the clock: idle containers are paused and, later, removed; stem cells are replaced.

No future and no task for a warm call: a task a call cost a third of what the platform can carry.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from functools import partial
from typing import Protocol

from cluster.openwhisk.embedded.answers import Refused
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.containers import CannotStart, Container, Containers
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.invocation import Invocation
from cluster.openwhisk.embedded.kinds import Kind, Kinds
from cluster.openwhisk.embedded.pool import Grant, Pool, Slot, Tally

LONGEST_LOOK_S = 1.0
"""Between two sweeps, which see a quarter of the shortest time that a knob names: what they do comes at most so much late."""

QUIET_S = 10.0
"""A time in which nothing was called is used to prepare for what comes."""

UPKEEP_SPREAD = 1 / 60
"""By so much of its interval the upkeep of stem cells comes sooner or later: ten seconds of ten minutes."""

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
        self._pool: Pool[Invocation] = Pool(knobs.user_memory_mb, knobs.warm_choice)
        self._idle: dict[int, Slot] = {}
        """Slots whose container serves nobody: ready, paused, prewarmed."""
        self._stem_kinds: dict[str, Kind] = {}
        self._stems_missing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._placed = 0
        self._placed_before = 0
        self._quiet_since_s = self._upkeep_s = self._loop.time()
        self._look_s = min(LONGEST_LOOK_S, min(knobs.pause_grace_ms, knobs.idle_container_ms, knobs.prewarm_upkeep_ms) / 4000)
        self._looking: asyncio.TimerHandle | None = None
        containers.on_lost = self._lost

    def begin(self, kinds: Kinds) -> None:
        """Containers can be started: the stem cells are, those of families that this machine has."""
        for cell in self._knobs.stem_cells:
            try:
                kind = kinds.resolve(f"{cell.family}:default")
            except Refused:
                _log.info("no stem cells of the family %s: this machine does not have it", cell.family)
                continue
            self._stem_kinds[kind.name] = kind
            self._pool.stems.add(kind.name, cell)
        self._prewarm(self._pool.prewarm(self._pool.stems.missing_at_start()))
        self._plan_upkeep()
        self._look_again()

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
            self._idle[slot.number] = slot
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
        if self._looking is not None:
            self._looking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- from a decision to a container

    def _granted(self, invocation: Invocation, grant: Grant) -> None:
        """The pool has decided; whoever had to make room goes first."""
        slot, start = grant.slot, grant.start
        invocation.slot = slot
        self._counters.starts[start] += 1
        if start == "warmed":
            del self._idle[slot.number]
            if grant.paused:
                self._containers.resume(slot.number, partial(self._found, invocation, slot, cold=False))
            else:
                self._found(invocation, slot, cold=False)
        elif start == "prewarmed":
            del self._idle[slot.number]
            if grant.replacement is not None:
                self._prewarm([grant.replacement])
            self._found(invocation, slot, cold=True)
        else:
            self._remove(grant.evicted)
            self._begin(self._start(invocation, slot))

    def _found(self, invocation: Invocation, slot: Slot, *, cold: bool) -> None:
        """The container of the slot is there, or it has ended since."""
        container = self._containers.find(slot.number)
        if container is not None and container.alive:
            invocation.container = container
            self._proceed(invocation, container, cold=cold)
        elif not self._stopped:  # when all are closed, nobody needs another
            invocation.slot = None
            self._loop.call_soon(self.place, invocation)
            self._drop(slot)
            self._settle()

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

    def _begin(self, step: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- ends

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
            del self._idle[slot.number]
            self._containers.destroy(slot.number)

    def _lost(self, number: int) -> None:
        """The process of a container ended by itself. One that was busy is noticed by the call that it broke."""
        slot = self._idle.pop(number, None)
        if slot is not None:
            self._counters.containers_lost += 1
            self._stems_missing |= slot.state == "prewarmed"
            self._pool.lose(slot)
            self._settle()

    # --- stem cells

    def _prewarm(self, slots: list[Slot]) -> None:
        for slot in slots:
            self._begin(self._start_stem(slot))

    async def _start_stem(self, slot: Slot) -> None:
        try:
            container = await self._containers.start(slot.number, self._stem_kinds[slot.need.kind], slot.need.memory_mb)
        except CannotStart:
            container = None
            self._counters.starts_failed += 1
        if container is not None and container.alive:
            self._idle[slot.number] = slot
            self._pool.prewarmed(slot, self._loop.time())
        else:
            self._stems_missing = True  # tried again by the next sweep, not at once: what fails now would fail again and again
            self._pool.lose(slot)
        self._settle()

    def _plan_upkeep(self) -> None:
        interval_s = self._knobs.prewarm_upkeep_ms / 1000
        self._upkeep_s = self._loop.time() + interval_s * random.uniform(1 - UPKEEP_SPREAD, 1 + UPKEEP_SPREAD)  # noqa: S311 - no secret

    def _see_to_stems(self, now_s: float) -> None:
        pool = self._pool
        if now_s >= self._upkeep_s:
            self._plan_upkeep()
            self._remove(pool.expire_prewarmed(now_s))
            self._prewarm(pool.prewarm(pool.stems.missing_by_use()))
        elif self._stems_missing:
            self._prewarm(pool.prewarm(pool.stems.missing_after_loss()))
        self._stems_missing = False

    # --- the sweep

    def _look_again(self) -> None:
        self._looking = self._loop.call_later(self._look_s, self._look_after)

    def _look_after(self) -> None:
        self._look_again()
        now_s, grace_s = self._loop.time(), self._knobs.pause_grace_ms / 1000
        if self._knobs.pauses:
            for slot in self._pool.pause(now_s - grace_s):
                self._containers.pause(slot.number)
        self._remove(self._pool.expire(now_s - grace_s - self._knobs.idle_container_ms / 1000))
        self._see_to_stems(now_s)
        self._settle()
        if self._placed != self._placed_before:
            self._placed_before, self._quiet_since_s = self._placed, now_s
        elif now_s - self._quiet_since_s >= QUIET_S:
            self._quiet_since_s = now_s
            self._containers.prepare()
