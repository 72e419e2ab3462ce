"""How the controller carries out a sequence: it calls one component after another and waits for each.

    the component came to        then
    success                        the next one is called with its result; after the last one the sequence ends, with its response
    any other result               the sequence ends, with its response
    no result in time              it ends, platform error; the wait is the component's time limit and a minute
    not to be found, one too many  it ends, application error

Each component is an activation of its own: it is counted in flight while it runs, waits from when it was called, and has a record with
the sequence's id as its cause. The sequence itself is nowhere but here: it takes no container and is not counted. Its record has the
controller's times; its duration is the sum of what its components took, so the time between them is in neither.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import msgspec

from cluster.openwhisk.embedded.actions import SEQUENCE
from cluster.openwhisk.embedded.answers import Refused, encode
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.components import MISSING, TOO_MANY, Components
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.entity import Name, Pair
from cluster.openwhisk.embedded.ids import activation_id
from cluster.openwhisk.embedded.invocation import Ack, acknowledge, waited
from cluster.openwhisk.embedded.outcomes import Outcome, Status
from cluster.openwhisk.embedded.pipeline import Pipeline
from cluster.openwhisk.embedded.prepared import Prepared
from cluster.openwhisk.embedded.records import Record, duration_ms, encode_record, response_of
from cluster.openwhisk.embedded.sequences import PreparedSequence

COMPONENT_GRACE_MS = 60_000
"""How much longer than its time limit a component is waited for."""

FAILED = "Sequence failed."

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class SequenceRun:
    """One activation of a sequence; times in epoch milliseconds. `cause` is the activation of the sequence that it is a component of."""

    prepared: PreparedSequence
    user: User
    arguments: bytes
    activation_id: str
    transaction_id: str
    seen_ms: int
    acked: asyncio.Future[Ack | None]
    """As an invocation's."""
    blocking: bool
    always_stored: bool
    cause: str | None = None
    depth: int = 1
    started_ms: int = 0
    components: list[str] = field(default_factory=list)
    """The activations so far."""
    actions: int = 0
    """How many actions were called so far, in the outermost sequence and all that are in it."""
    duration_ms: int = 0
    memory_mb: int = 0
    """The most that one of the actions had."""


class SequenceRuns:
    """All that go on."""

    def __init__(self, components: Components, pipeline: Pipeline, clock: Clock) -> None:
        self.components = components
        self._pipeline = pipeline
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Outcome]] = set()

    def start(self, run: SequenceRun) -> None:
        """From here on the sequence goes on, whether anybody waits for it or not."""
        task = self._loop.create_task(self._carry_out(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Call no further component."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, run: SequenceRun) -> Outcome:
        run.started_ms = self._clock.controller_ms()
        try:
            outcome = await self._called(run)
        except Exception:  # noqa: BLE001 - a defect of the platform must be seen, and leaves a record like any other failure
            _log.exception("sequence %s could not be carried out", run.activation_id)
            outcome = _failed(Status.PLATFORM_ERROR, FAILED)
        record = _record(run, outcome, self._clock.controller_ms())
        encoded = encode_record(record)
        path = run.prepared.listed_as(run.user)
        self._pipeline.store(record, outcome.status, encoded, path, blocking=run.blocking, always=run.always_stored)
        acknowledge(run.acked, Ack(outcome, encoded))
        return outcome

    async def _called(self, run: SequenceRun) -> Outcome:
        value = run.arguments
        for name in run.prepared.action.components:
            outcome = await self._component(run, name, value)
            if outcome.status is not Status.SUCCESS:
                return outcome
            value = outcome.result
        return outcome

    async def _component(self, run: SequenceRun, name: Name, value: bytes) -> Outcome:
        try:
            callee = self.components.find(run.user, name)
        except Refused:
            return _failed(Status.APPLICATION_ERROR, MISSING)
        if max(run.actions + 1, run.depth) > self.components.longest:
            return _failed(Status.APPLICATION_ERROR, TOO_MANY)
        arguments = callee.arguments_of_result(value)
        if isinstance(callee, PreparedSequence):
            return await self._inner(run, callee, arguments)
        return await self._action(run, callee, arguments)

    async def _inner(self, run: SequenceRun, prepared: PreparedSequence, arguments: bytes) -> Outcome:
        inner = SequenceRun(
            prepared,
            run.user,
            arguments,
            activation_id(),
            run.transaction_id,
            self._clock.controller_ms(),
            self._loop.create_future(),
            blocking=True,
            always_stored=run.always_stored,
            cause=run.activation_id,
            depth=run.depth + 1,
            actions=run.actions,
        )
        run.components.append(inner.activation_id)
        outcome = await self._carry_out(inner)
        run.actions = inner.actions
        run.duration_ms += inner.duration_ms
        run.memory_mb = max(run.memory_mb, inner.memory_mb)
        return outcome

    async def _action(self, run: SequenceRun, prepared: Prepared, arguments: bytes) -> Outcome:
        invocation = self._pipeline.call(
            prepared, run.user, arguments, run.transaction_id, cause=run.activation_id, always_stored=run.always_stored
        )
        limits = prepared.action.limits
        run.actions += 1
        run.components.append(invocation.activation_id)
        ack = await waited(invocation.acked, (limits.timeout + COMPONENT_GRACE_MS) / 1000)
        if ack is None:
            text = f"Timeout reached when retrieving activation {invocation.activation_id} for sequence component."
            return _failed(Status.PLATFORM_ERROR, text)
        run.duration_ms += duration_ms(invocation.stamps)
        run.memory_mb = max(run.memory_mb, limits.memory)
        return ack.outcome


def _failed(status: Status, text: str) -> Outcome:
    return Outcome(status, encode({"error": text}))


def _record(run: SequenceRun, outcome: Outcome, now_ms: int) -> Record:
    action = run.prepared.action
    annotations = [
        Pair("topmost", run.cause is None),
        Pair("path", action.path),
        Pair("kind", SEQUENCE),
        Pair("waitTime", run.started_ms - run.seen_ms),
    ]
    if run.memory_mb:
        # The sequence's own limits, but for the memory: that is what its actions had.
        annotations.append(Pair("limits", msgspec.structs.replace(action.limits, memory=run.memory_mb)))
    if run.prepared.binding is not None:
        annotations.append(Pair("binding", run.prepared.binding))
    if run.cause is not None:
        annotations.append(Pair("causedBy", "sequence"))
    return Record(
        namespace=run.user.namespace,
        name=action.name,
        version=action.version,
        subject=run.user.namespace,
        activation_id=run.activation_id,
        start=run.started_ms,
        end=now_ms,
        duration=run.duration_ms,
        cause=msgspec.UNSET if run.cause is None else run.cause,
        response=response_of(outcome),
        logs=run.components,
        annotations=annotations,
    )
