"""From an admitted invocation to its stored record.

    t0  the request was seen          wait time begins                                  Invocation.stamps.seen
    t1  published                     in flight; a blocking caller's clock starts       publish
        decision of the pool          warm, new, or wait in the buffer
    t2  the container exists
    t3  /init begins                  wait time ends on a cold start                    stamps.init_begun
    t4  /init answered                                                                  stamps.init_ended
    t5  /run begins                   wait time ends on a warm start                    stamps.run_begun
    t6  /run answered                                                                   stamps.run_ended
    t7  result ack                    a blocking caller is answered, logs empty         Invocation.acked
    t8  logs read up to both sentinels
    t9  completion                    no longer in flight, record stored, container idle again, buffer looked at

Where no logs are collected (out of band, or the action's limit is 0) t7 and t9 are one: the container is free the moment the client has
its answer. Otherwise it is busy until its logs are read, and a client that calls again at once may meet a second container.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from cluster.openwhisk.embedded.activations import Activations, Stored
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.containers import CannotStart, Container, Containers
from cluster.openwhisk.embedded.outcomes import Outcome, after_init, after_run, no_container
from cluster.openwhisk.embedded.pool import Grant, Pool, Slot
from cluster.openwhisk.embedded.prepared import Prepared
from cluster.openwhisk.embedded.records import Stamps, encode_record, make_record
from cluster.openwhisk.embedded.throttles import ConcurrencyThrottle

FORCED_COMPLETION_LEAST_MS = 60_000
EXPIRY_INTERVAL_S = 10.0

_log = logging.getLogger(__name__)


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The result of an activation as a blocking caller gets it: the record as JSON, its logs empty."""

    outcome: Outcome
    record: bytes


class Invocation:
    """One admitted call. `acked` is the result, or None when the caller has waited long enough."""

    __slots__ = ("acked", "activation_id", "arguments", "in_flight", "prepared", "stamps", "task", "transaction_id", "user")

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
        self.task: asyncio.Task[None] | None = None


class Pipeline:
    """Carries out invocations, each in a task of its own. `wall_ms` is the clock of all stamps."""

    def __init__(
        self, knobs: Knobs, containers: Containers, concurrency: ConcurrencyThrottle, activations: Activations, wall_ms: Callable[[], int]
    ) -> None:
        self._knobs = knobs
        self._containers = containers
        self._concurrency = concurrency
        self._activations = activations
        self._wall_ms = wall_ms
        self._loop = asyncio.get_running_loop()
        self._pool: Pool[asyncio.Future[Grant]] = Pool(knobs.user_memory_mb)
        self._ready: dict[int, Slot] = {}
        self._under_way: set[Invocation] = set()
        containers.on_lost = self._lost
        self._expiry = self._loop.call_later(EXPIRY_INTERVAL_S, self._expire)

    def publish(self, invocation: Invocation) -> None:
        """From here on the activation will have a record, whether anybody waits for it or not."""
        self._concurrency.published(invocation.user.namespace)
        self._under_way.add(invocation)
        invocation.task = self._loop.create_task(self._carry_out(invocation))

    async def stop(self) -> None:
        self._expiry.cancel()
        tasks = [invocation.task for invocation in self._under_way if invocation.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _lost(self, number: int) -> None:
        """The process of a container ended by itself. One that was busy is noticed by the call that it broke."""
        slot = self._ready.pop(number, None)
        if slot is not None:
            self._pool.lose(slot)
            self._settle()

    async def _carry_out(self, invocation: Invocation) -> None:
        try:
            await self._run_through(invocation)
        except Exception:  # noqa: BLE001 - a defect of the platform: it must be seen, and the caller gets a 202 after its wait
            _log.exception("activation %s could not be carried out", invocation.activation_id)
        finally:
            self._under_way.discard(invocation)

    async def _run_through(self, invocation: Invocation) -> None:
        """t1 to t9."""
        grant, container = await self._placed(invocation)
        try:
            if container is not None:
                outcome = await self._run(invocation, container)
            else:
                container = await self._containers.start(grant.slot.number, invocation.prepared.action.runtime)
                outcome = await self._init(invocation, container) or await self._run(invocation, container)
        except CannotStart:
            outcome = no_container()
        except Exception:  # a defect must not cost the pool its memory
            self._complete(invocation)
            self._release(grant.slot, container, keep=False)
            raise
        await self._finish(invocation, grant.slot, container, outcome)

    async def _placed(self, invocation: Invocation) -> tuple[Grant, Container | None]:
        """A slot, and its container if it is warm. One that is found dead is passed over: the caller never hears of it."""
        while True:
            grant = await self._granted(invocation)
            if grant.start != "warmed":
                return grant, None
            container = self._containers.find(grant.slot.number)
            if container is not None and container.alive:
                return grant, container
            self._release(grant.slot, None, keep=False)

    async def _granted(self, invocation: Invocation) -> Grant:
        """A slot, at once or after waiting in the buffer."""
        need = invocation.prepared.need(invocation.user)
        grant = self._pool.submit(need)
        if grant is not None:
            self._prepare(grant)
            return grant
        ticket: asyncio.Future[Grant] = self._loop.create_future()
        self._pool.wait(need, ticket)
        # What waits longer than this stops counting as in flight, although it will still run. Without waiting nothing takes so long.
        limit_ms = 2 * max(invocation.prepared.action.limits.timeout, FORCED_COMPLETION_LEAST_MS) + 60_000
        forced = self._loop.call_later(limit_ms / 1000, self._complete, invocation)
        try:
            return await ticket
        finally:
            forced.cancel()

    async def _init(self, invocation: Invocation, container: Container) -> Outcome | None:
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.init_begun = now_ms = self._wall_ms()
        body = prepared.init_body(invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms)
        heard = await container.init(body, limit_ms)
        stamps.init_ended = self._wall_ms()
        return after_init(heard, stamps.init_ms, limit_ms)

    async def _run(self, invocation: Invocation, container: Container) -> Outcome:
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.run_begun = now_ms = self._wall_ms()
        body = prepared.run_body(
            invocation.arguments, invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms
        )
        heard = await container.run(body, limit_ms)
        stamps.run_ended = self._wall_ms()
        return after_run(heard, stamps.run_ended - stamps.run_begun, limit_ms, self._knobs.result_bytes)

    async def _finish(self, invocation: Invocation, slot: Slot, container: Container | None, outcome: Outcome) -> None:
        """t7 to t9."""
        action = invocation.prepared.action
        namespace = invocation.user.namespace
        record = make_record(action, invocation.activation_id, namespace, invocation.stamps, outcome, self._wall_ms())
        encoded = encode_record(record)
        ack = Ack(outcome, encoded)
        keep = outcome.keeps_container
        if container is not None and container.logs is not None and action.limits.logs:
            _acknowledge(invocation, ack)
            logs = await self._collect(container, outcome)
            keep = keep and logs is not None
            encoded = encode_record(msgspec.structs.replace(record, logs=logs)) if logs else encoded
        elif container is not None and container.logs is not None:
            container.logs.take()
        self._complete(invocation)
        self._activations.add(Stored(invocation.activation_id, namespace, action.path, record.start, outcome.status, encoded))
        self._release(slot, container, keep=keep)
        _acknowledge(invocation, ack)

    async def _collect(self, container: Container, outcome: Outcome) -> list[str] | None:
        """The activation's lines; None where they could not be read to their end."""
        logs = container.logs
        if logs is None or not outcome.keeps_container:
            return logs.take() if logs is not None else []
        if self._knobs.log_delay_ms:
            await asyncio.sleep(self._knobs.log_delay_ms / 1000)
        try:
            return await logs.collect()
        except TimeoutError:
            return None

    def _release(self, slot: Slot, container: Container | None, *, keep: bool) -> None:
        if container is not None and keep and container.alive:
            self._ready[slot.number] = slot
            self._pool.give_back(slot, self._loop.time())
        else:
            self._pool.drop(slot)
            self._containers.destroy(slot.number)
        self._settle()

    def _settle(self) -> None:
        for ticket, grant in self._pool.settle():
            self._prepare(grant)
            ticket.set_result(grant)

    def _prepare(self, grant: Grant) -> None:
        self._ready.pop(grant.slot.number, None)
        self._remove(grant.evicted)

    def _remove(self, slots: tuple[Slot, ...] | list[Slot]) -> None:
        for slot in slots:
            del self._ready[slot.number]
            self._containers.destroy(slot.number)

    def _expire(self) -> None:
        self._expiry = self._loop.call_later(EXPIRY_INTERVAL_S, self._expire)
        self._remove(self._pool.expire(self._loop.time() - self._knobs.idle_container_s))
        self._settle()

    def _complete(self, invocation: Invocation) -> None:
        if invocation.in_flight:
            invocation.in_flight = False
            self._concurrency.completed(invocation.user.namespace)


def _acknowledge(invocation: Invocation, ack: Ack) -> None:
    if not invocation.acked.done():
        invocation.acked.set_result(ack)
