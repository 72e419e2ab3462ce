"""From an admitted invocation to its stored record.

    t0  the request was seen          wait time begins                                  Invocation.stamps.seen
    t1  published                     in flight; a blocking caller's clock starts       publish
        decision of the pool          warm, new, or wait in the buffer                  placing.place
    t2  the container exists                                                            placed
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
but the caller's. Only steps that wait several times are coroutines: the collection of logs, and the search for exhausted memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from functools import partial

import msgspec

from cluster.openwhisk.embedded.activations import Activations, Stored
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import MIB, Knobs, StoreLevel, User
from cluster.openwhisk.embedded.containers import Container, Containers
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.ids import activation_id
from cluster.openwhisk.embedded.invocation import Ack, Invocation, acknowledge
from cluster.openwhisk.embedded.kinds import Kinds
from cluster.openwhisk.embedded.logs import ContainerLogs
from cluster.openwhisk.embedded.outcomes import Ending, Heard, Outcome, Status, after_init, after_run, defect, no_container, out_of_memory
from cluster.openwhisk.embedded.placing import Placing
from cluster.openwhisk.embedded.pool import Tally
from cluster.openwhisk.embedded.prepared import Prepared
from cluster.openwhisk.embedded.records import Record, encode_record, make_record
from cluster.openwhisk.embedded.throttles import ConcurrencyThrottle

FORCED_COMPLETION_LEAST_MS = 60_000

_log = logging.getLogger(__name__)


class Pipeline:
    """Carries out invocations; the `then` of its own Placing."""

    def __init__(
        self,
        knobs: Knobs,
        containers: Containers,
        concurrency: ConcurrencyThrottle,
        activations: Activations,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self._knobs = knobs
        self._concurrency = concurrency
        self._activations = activations
        self._counters = counters
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._placing = Placing(knobs, containers, counters, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: dict[str, Invocation] = {}
        self._stopped = False

    @property
    def in_flight(self) -> Mapping[str, Invocation]:
        """What was published and is not yet completed, oldest first, by activation id."""
        return self._in_flight

    def census(self) -> dict[str, Tally]:
        """What the pool has at the moment."""
        return self._placing.census()

    def begin(self, kinds: Kinds) -> None:
        """Containers can be started."""
        self._placing.begin(kinds)

    def call(
        self,
        prepared: Prepared,
        user: User,
        arguments: bytes,
        transaction_id: str,
        *,
        cause: str | None = None,
        always_stored: bool = False,
    ) -> Invocation:
        """A sequence's component, published; `acked` is its end."""
        acked: asyncio.Future[Ack | None] = self._loop.create_future()
        seen_ms = self._clock.controller_ms()
        invocation = Invocation(
            prepared,
            user,
            arguments,
            activation_id(),
            transaction_id,
            seen_ms,
            acked,
            cause=cause,
            blocking=True,
            always_stored=always_stored,
        )
        self.publish(invocation)
        return invocation

    def publish(self, invocation: Invocation) -> None:
        """From here on the activation will have a record, whether anybody waits for it or not."""
        self._in_flight[invocation.activation_id] = invocation
        self._concurrency.published(invocation.user.namespace)
        if not self._placing.place(invocation):
            # What waits longer than this stops counting as in flight, although it will still run. Without waiting nothing takes so long.
            limit_ms = 2 * max(invocation.prepared.action.limits.timeout, FORCED_COMPLETION_LEAST_MS) + 60_000
            invocation.forced = self._loop.call_later(limit_ms / 1000, self._complete, invocation)

    def store(self, record: Record, status: Status, encoded: bytes, path: str, *, blocking: bool, always: bool = False) -> None:
        """Keep a record, if its store level says so: the one way into the store. `path` is the namespace of the invocation and its name."""
        level = self._knobs.store_blocking if blocking else self._knobs.store_non_blocking
        if always or level == "always" or _is_stored(level, status):
            self._activations.add(Stored(record.activation_id, record.namespace, path, record.start, status, encoded))

    async def stop(self) -> None:
        """Take no further step; what runs is left to the end of its container."""
        self._stopped = True
        await self._placing.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- t2 to t6: init, run

    def placed(self, invocation: Invocation, container: Container, *, cold: bool) -> None:
        """The container is there."""
        if not cold:
            self._run(invocation, container)
            return
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.init_begun = now_ms = self._clock.invoker_ms()
        body = prepared.init_body(invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms)
        container.init(body, limit_ms, partial(self._initialised, invocation, container))

    def unplaced(self, invocation: Invocation) -> None:
        self._conclude(invocation, no_container())

    def _initialised(self, invocation: Invocation, container: Container, heard: Heard) -> None:
        if self._stopped:
            return
        stamps = invocation.stamps
        stamps.init_ended = self._clock.invoker_ms()
        try:
            outcome = after_init(heard, stamps.init_ms, invocation.prepared.action.limits.timeout)
            if outcome is None:
                self._run(invocation, container)
            elif isinstance(heard, Ending):
                self._doubt(invocation, container, outcome)
            else:
                self._conclude(invocation, outcome)
        except Exception:  # noqa: BLE001 - see failed
            self.failed(invocation)

    def _run(self, invocation: Invocation, container: Container) -> None:
        stamps, prepared = invocation.stamps, invocation.prepared
        limit_ms = prepared.action.limits.timeout
        stamps.run_begun = now_ms = self._clock.invoker_ms()
        body = prepared.run_body(
            invocation.arguments, invocation.user, invocation.activation_id, invocation.transaction_id, now_ms + limit_ms
        )
        container.run(body, limit_ms, partial(self._ran, invocation, container))

    def _ran(self, invocation: Invocation, container: Container, heard: Heard) -> None:
        if self._stopped:
            return
        stamps = invocation.stamps
        stamps.run_ended = self._clock.invoker_ms()
        try:
            limit_ms = invocation.prepared.action.limits.timeout
            outcome = after_run(heard, stamps.run_ended - stamps.run_begun, limit_ms, self._knobs.result_bytes)
            if isinstance(heard, Ending):
                self._doubt(invocation, container, outcome)
            else:
                self._conclude(invocation, outcome)
        except Exception:  # noqa: BLE001 - see failed
            self.failed(invocation)

    def _doubt(self, invocation: Invocation, container: Container, outcome: Outcome) -> None:
        """A call to the container ended without a reply: it may be that its memory ran out."""
        self._keep_task(self._look_at_memory(invocation, container, outcome))

    async def _look_at_memory(self, invocation: Invocation, container: Container, outcome: Outcome) -> None:
        """As with docker: its flag is read again and again before the call is answered, which shows in no time of the record."""
        try:
            exhausted = await container.out_of_memory(self._knobs.oom_wait_ms / 1000)
            self._conclude(invocation, out_of_memory() if exhausted and not outcome.out_of_time else outcome)
        except Exception:  # noqa: BLE001 - see failed
            self.failed(invocation)

    # --- t7 to t9: answer, logs, completion

    def _conclude(self, invocation: Invocation, outcome: Outcome) -> None:
        record = make_record(
            invocation.prepared,
            invocation.activation_id,
            invocation.user.namespace,
            invocation.stamps,
            outcome,
            self._clock.invoker_ms(),
            cause=invocation.cause,
        )
        ack = Ack(outcome, encode_record(record))
        container = invocation.container
        if container is not None and container.logs is not None:
            if invocation.prepared.action.limits.logs:
                acknowledge(invocation.acked, ack)
                self._keep_task(self._collect(invocation, container.logs, outcome, record))
                return
            container.logs.forget()
        self._finish(invocation, outcome, record, ack.record, keep=outcome.keeps_container)
        acknowledge(invocation.acked, ack)

    async def _collect(self, invocation: Invocation, logs: ContainerLogs, outcome: Outcome, record: Record) -> None:
        """The activation's lines go into its record; a container whose logs are not whole is given up."""
        try:
            if self._knobs.log_delay_ms:
                await asyncio.sleep(self._knobs.log_delay_ms / 1000)
            limit_bytes = invocation.prepared.action.limits.logs * MIB
            collected = await logs.collect(limit_bytes, failed=not outcome.keeps_container)
            self._counters.logs_truncated += collected.truncated
            encoded = encode_record(msgspec.structs.replace(record, logs=collected.lines))
            self._finish(invocation, outcome, record, encoded, keep=outcome.keeps_container and collected.whole)
        except Exception:  # noqa: BLE001 - see failed
            self.failed(invocation)

    def _finish(self, invocation: Invocation, outcome: Outcome, record: Record, encoded: bytes, *, keep: bool) -> None:
        """t9."""
        self._complete(invocation)
        self._count(invocation, outcome)
        path = invocation.prepared.listed_as(invocation.user)
        self.store(record, outcome.status, encoded, path, blocking=invocation.blocking, always=invocation.always_stored)
        self._placing.release(invocation, keep=keep)

    def _count(self, invocation: Invocation, outcome: Outcome) -> None:
        stamps, counters = invocation.stamps, self._counters
        counters.outcomes[outcome.status] += 1
        if stamps.run_begun:
            counters.wait_ms += (stamps.init_begun or stamps.run_begun) - stamps.seen
            counters.init_ms += stamps.init_ms
            counters.run_ms += stamps.run_ended - stamps.run_begun

    def _complete(self, invocation: Invocation) -> None:
        if self._in_flight.pop(invocation.activation_id, None) is not None:
            self._concurrency.completed(invocation.user.namespace)
        if invocation.forced is not None:
            invocation.forced.cancel()

    def _keep_task(self, steps: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def failed(self, invocation: Invocation) -> None:
        """A defect of the platform: it must be seen, must not cost the pool its memory, and leaves a record like any other failure."""
        _log.exception("activation %s could not be carried out", invocation.activation_id)
        outcome = defect()
        prepared, user, stamps = invocation.prepared, invocation.user, invocation.stamps
        stamps.init_ended = stamps.init_ended or (stamps.init_begun and self._clock.invoker_ms())
        stamps.run_ended = stamps.run_ended or (stamps.run_begun and self._clock.invoker_ms())
        record = make_record(
            prepared, invocation.activation_id, user.namespace, stamps, outcome, self._clock.invoker_ms(), cause=invocation.cause
        )
        encoded = encode_record(record)
        self._finish(invocation, outcome, record, encoded, keep=False)
        acknowledge(invocation.acked, Ack(outcome, encoded))


def _is_stored(level: StoreLevel, status: Status) -> bool:
    """Where not every one is."""
    if level == "failures":
        return status is not Status.SUCCESS
    return status in (Status.DEVELOPER_ERROR, Status.PLATFORM_ERROR)
