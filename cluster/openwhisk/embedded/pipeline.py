"""From an admitted invocation to its stored record.

    t0  the request was seen          wait time begins                                  Invocation.stamps.seen
    t1  published                     in flight; a blocking caller's clock starts       publish
        decision of the pool          warm, new, or wait in the buffer                  _place, _granted
    t2  the container exists                                                            _start
    t3  /init begins                  wait time ends on a cold start                    stamps.init_begun
    t4  /init answered                                                                  stamps.init_ended
    t5  /run begins                   wait time ends on a warm start                    stamps.run_begun
    t6  /run answered                                                                   stamps.run_ended
    t7  result ack                    a blocking caller is answered, logs empty         Invocation.acked
    t8  logs read up to both sentinels                                                  _collect
    t9  completion                    no longer in flight, record stored, container idle again, buffer looked at

Where no logs are collected (out of band, or the action's limit is 0) t7 and t9 are one: the container is free the moment the client has
its answer. Otherwise it is busy until its logs are read, and a client that calls again at once may meet a second container.

Each step is called by the event that it waits for. What most calls go through, a warm start without logs, needs no task and no future
but the caller's: a task a call cost a third of what the platform can carry. Only steps that wait several times are coroutines, a cold
start and the collection of logs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial

import msgspec

from cluster.openwhisk.embedded.activations import Activations, Stored
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.containers import CannotStart, Container, Containers
from cluster.openwhisk.embedded.logs import ContainerLogs
from cluster.openwhisk.embedded.outcomes import Heard, Outcome, after_init, after_run, no_container
from cluster.openwhisk.embedded.pool import Grant, Pool, Slot
from cluster.openwhisk.embedded.prepared import Prepared
from cluster.openwhisk.embedded.records import Record, Stamps, encode_record, make_record
from cluster.openwhisk.embedded.throttles import ConcurrencyThrottle

FORCED_COMPLETION_LEAST_MS = 60_000
LOOK_INTERVAL_S = 10.0
"""How often idle containers are looked at. An interval in which nothing was called is used to prepare for what comes."""

_log = logging.getLogger(__name__)


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The result of an activation as a blocking caller gets it: the record as JSON, its logs empty."""

    outcome: Outcome
    record: bytes


class Invocation:
    """One admitted call. `acked` is the result, or None when the caller has waited long enough."""

    __slots__ = (
        "acked",
        "activation_id",
        "arguments",
        "container",
        "forced",
        "in_flight",
        "prepared",
        "slot",
        "stamps",
        "transaction_id",
        "user",
    )

    def __init__(
        self,
        prepared: Prepared,
        user: User,
        arguments: bytes,
        activation_id: str,
        transaction_id: str,
        seen_ms: int,
        acked: asyncio.Future[Ack | None],
    ) -> None:
        self.prepared = prepared
        self.user = user
        self.arguments = arguments
        self.activation_id = activation_id
        self.transaction_id = transaction_id
        self.stamps = Stamps(seen_ms)
        self.acked = acked
        self.in_flight = True
        self.slot: Slot | None = None
        """Where it runs, from the pool's grant to its completion."""
        self.container: Container | None = None
        self.forced: asyncio.TimerHandle | None = None


class Pipeline:
    """Carries out invocations. `wall_ms` is the clock of all stamps."""

    def __init__(
        self, knobs: Knobs, containers: Containers, concurrency: ConcurrencyThrottle, activations: Activations, wall_ms: Callable[[], int]
    ) -> None:
        self._knobs = knobs
        self._containers = containers
        self._concurrency = concurrency
        self._activations = activations
        self._wall_ms = wall_ms
        self._loop = asyncio.get_running_loop()
        self._pool: Pool[Invocation] = Pool(knobs.user_memory_mb)
        self._ready: dict[int, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        containers.on_lost = self._lost
        self._published = 0
        self._published_before = 0
        self._looking = self._loop.call_later(LOOK_INTERVAL_S, self._look_after)

    def publish(self, invocation: Invocation) -> None:
        """From here on the activation will have a record, whether anybody waits for it or not."""
        self._published += 1
        self._concurrency.published(invocation.user.namespace)
        self._place(invocation)

    async def stop(self) -> None:
        """Take no further step; what runs is left to the end of its container."""
        self._stopped = True
        self._looking.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- t1: a place in the pool

    def _place(self, invocation: Invocation) -> None:
        """A slot, at once or after waiting in the buffer."""
        if self._stopped:
            return
        need = invocation.prepared.need(invocation.user)
        grant = self._pool.submit(need)
        if grant is not None:
            self._granted(invocation, grant)
            return
        self._pool.wait(need, invocation)
        if invocation.forced is None:
            # What waits longer than this stops counting as in flight, although it will still run. Without waiting nothing takes so long.
            limit_ms = 2 * max(invocation.prepared.action.limits.timeout, FORCED_COMPLETION_LEAST_MS) + 60_000
            invocation.forced = self._loop.call_later(limit_ms / 1000, self._complete, invocation)

    def _granted(self, invocation: Invocation, grant: Grant) -> None:
        """The pool has decided; whoever had to make room goes first."""
        slot = grant.slot
        invocation.slot = slot
        self._ready.pop(slot.number, None)
        self._remove(grant.evicted)
        if grant.start != "warmed":
            self._in_task(self._start, invocation, slot)
            return
        container = self._containers.find(slot.number)
        if container is not None and container.alive:
            invocation.container = container
            try:
                self._run(invocation, container)
            except Exception:  # noqa: BLE001 - see _fail
                self._fail(invocation)
        else:  # found dead: it is passed over, and the caller never hears of it
            invocation.slot = None
            self._loop.call_soon(self._place, invocation)
            self._release(slot, None, keep=False)

    # --- t2 to t6: start, init, run

    async def _start(self, invocation: Invocation, slot: Slot) -> None:
        prepared = invocation.prepared
        try:
            container = await self._containers.start(slot.number, prepared.action.runtime, slot.need.memory_mb)
        except CannotStart:
            self._conclude(invocation, no_container())
            return
        invocation.container = container
        outcome = await self._init(invocation, container)
        if outcome is None:
            self._run(invocation, container)
        else:
            self._conclude(invocation, outcome)

    async def _init(self, invocation: Invocation, container: Container) -> Outcome | None:
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.init_begun = now_ms = self._wall_ms()
        body = prepared.init_body(invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms)
        heard = await container.init(body, limit_ms)
        stamps.init_ended = self._wall_ms()
        return after_init(heard, stamps.init_ms, limit_ms)

    def _run(self, invocation: Invocation, container: Container) -> None:
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.run_begun = now_ms = self._wall_ms()
        body = prepared.run_body(
            invocation.arguments, invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms
        )
        container.run(body, limit_ms, partial(self._ran, invocation))

    def _ran(self, invocation: Invocation, heard: Heard) -> None:
        if self._stopped:
            return
        stamps = invocation.stamps
        stamps.run_ended = self._wall_ms()
        try:
            limit_ms = invocation.prepared.action.limits.timeout
            self._conclude(invocation, after_run(heard, stamps.run_ended - stamps.run_begun, limit_ms, self._knobs.result_bytes))
        except Exception:  # noqa: BLE001 - see _fail
            self._fail(invocation)

    # --- t7 to t9: answer, logs, completion

    def _conclude(self, invocation: Invocation, outcome: Outcome) -> None:
        action = invocation.prepared.action
        record = make_record(action, invocation.activation_id, invocation.user.namespace, invocation.stamps, outcome, self._wall_ms())
        ack = Ack(outcome, encode_record(record))
        container = invocation.container
        if container is not None and container.logs is not None:
            if action.limits.logs:
                _acknowledge(invocation, ack)
                self._in_task(self._collect, invocation, container.logs, outcome, record)
                return
            container.logs.take()
        self._finish(invocation, outcome, record, ack.record, keep=outcome.keeps_container)
        _acknowledge(invocation, ack)

    async def _collect(self, invocation: Invocation, logs: ContainerLogs, outcome: Outcome, record: Record) -> None:
        """The activation's lines go into its record; a container whose logs cannot be read to their end is given up."""
        keep = outcome.keeps_container
        lines: list[str] = []
        if not keep:
            lines = logs.take()
        else:
            if self._knobs.log_delay_ms:
                await asyncio.sleep(self._knobs.log_delay_ms / 1000)
            try:
                lines = await logs.collect()
            except TimeoutError:
                keep = False
        encoded = encode_record(msgspec.structs.replace(record, logs=lines))
        self._finish(invocation, outcome, record, encoded, keep=keep)

    def _finish(self, invocation: Invocation, outcome: Outcome, record: Record, encoded: bytes, *, keep: bool) -> None:
        """t9."""
        self._complete(invocation)
        path = invocation.prepared.action.path
        self._activations.add(Stored(record.activation_id, record.namespace, path, record.start, outcome.status, encoded))
        slot, invocation.slot = invocation.slot, None
        if slot is not None:
            self._release(slot, invocation.container, keep=keep)

    def _complete(self, invocation: Invocation) -> None:
        if invocation.in_flight:
            invocation.in_flight = False
            self._concurrency.completed(invocation.user.namespace)
        if invocation.forced is not None:
            invocation.forced.cancel()

    # --- the pool's slots and their containers

    def _release(self, slot: Slot, container: Container | None, *, keep: bool) -> None:
        if container is not None and keep and container.alive:
            self._ready[slot.number] = slot
            self._pool.give_back(slot, self._loop.time())
        else:
            self._pool.drop(slot)
            self._containers.destroy(slot.number)
        self._settle()

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
            self._pool.lose(slot)
            self._settle()

    def _look_after(self) -> None:
        self._looking = self._loop.call_later(LOOK_INTERVAL_S, self._look_after)
        self._remove(self._pool.expire(self._loop.time() - self._knobs.idle_container_s))
        self._settle()
        if self._published == self._published_before:
            self._containers.prepare()
        self._published_before = self._published

    # --- steps that wait, and defects

    def _in_task(self, step: Callable[..., Coroutine[None, None, None]], invocation: Invocation, *arguments: object) -> None:
        task = self._loop.create_task(self._guarded(step, invocation, *arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, step: Callable[..., Coroutine[None, None, None]], invocation: Invocation, *arguments: object) -> None:
        try:
            await step(invocation, *arguments)
        except Exception:  # noqa: BLE001 - see _fail
            self._fail(invocation)

    def _fail(self, invocation: Invocation) -> None:
        """A defect of the platform: it must be seen, and not cost the pool its memory. The caller gets a 202 after its wait."""
        _log.exception("activation %s could not be carried out", invocation.activation_id)
        self._complete(invocation)
        slot, invocation.slot = invocation.slot, None
        if slot is not None:
            self._release(slot, invocation.container, keep=False)


def _acknowledge(invocation: Invocation, ack: Ack) -> None:
    if not invocation.acked.done():
        invocation.acked.set_result(ack)
