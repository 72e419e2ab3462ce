"""The activation record: what a blocking call is answered with, and what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cluster.openwhisk.embedded.answers import encode
from cluster.openwhisk.embedded.entity import Pair
from cluster.openwhisk.embedded.outcomes import STATUS_TEXTS, Outcome, Status
from cluster.openwhisk.embedded.prepared import Prepared


class Response(msgspec.Struct, frozen=True, gc=False):
    status: str
    success: bool
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    size: int | msgspec.UnsetType = msgspec.UNSET


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Times in epoch milliseconds. `duration` contains the init time; what came before it is the annotation `waitTime`.

    A trigger's record has no end; `cause` is the activation of the sequence that a component belongs to.
    """

    namespace: str
    name: str
    version: str
    subject: str
    activation_id: str
    start: int
    end: int | msgspec.UnsetType = msgspec.UNSET
    duration: int | msgspec.UnsetType = msgspec.UNSET
    cause: str | msgspec.UnsetType = msgspec.UNSET
    response: Response
    logs: Sequence[str]
    publish: bool = False
    annotations: list[Pair]

    def annotation(self, key: str) -> Any:
        return next((pair.value for pair in self.annotations if pair.key == key), None)


class Stamps:
    """Wall-clock times of one activation in milliseconds, named as appendix A.2's t0 ... t6; 0 where it did not come that far.

    Integers of a clock that can be set, and not a monotonic one, because the real records are made of these: durations are off by a
    millisecond now and then, and a clock that is stepped shows.
    """

    __slots__ = ("init_begun", "init_ended", "run_begun", "run_ended", "seen")

    def __init__(self, seen: int) -> None:
        self.seen = seen
        self.init_begun = 0
        self.init_ended = 0
        self.run_begun = 0
        self.run_ended = 0

    @property
    def initialised(self) -> bool:
        """This activation initialised its container, or tried to: a cold start."""
        return self.init_begun != 0

    @property
    def init_ms(self) -> int:
        return self.init_ended - self.init_begun


_OUT_OF_TIME = (Pair("timeout", value=False), Pair("timeout", value=True))


def make_record(
    prepared: Prepared, activation_id: str, subject: str, stamps: Stamps, outcome: Outcome, now_ms: int, *, cause: str | None = None
) -> Record:
    """The record of a simple action, its logs still empty; `subject` is also the invoking namespace.

    `now_ms` stands for all times of an activation that found no container.
    """
    action = prepared.action
    start, end, begun = _interval(stamps, now_ms)
    annotations = [*prepared.annotations, _OUT_OF_TIME[outcome.out_of_time], Pair("waitTime", begun - stamps.seen)]
    if stamps.initialised:
        annotations.append(Pair("initTime", stamps.init_ms))
    if prepared.binding is not None:
        annotations.append(Pair("binding", prepared.binding))
    if cause is not None:
        annotations.append(Pair("causedBy", "sequence"))
    return Record(
        namespace=subject,
        name=action.name,
        version=action.version,
        subject=subject,
        activation_id=activation_id,
        start=start,
        end=end,
        duration=end - start,
        cause=msgspec.UNSET if cause is None else cause,
        response=response_of(outcome),
        logs=(),
        annotations=annotations,
    )


def response_of(outcome: Outcome) -> Response:
    return Response(
        STATUS_TEXTS[outcome.status],
        outcome.status is Status.SUCCESS,
        msgspec.Raw(outcome.result),
        msgspec.UNSET if outcome.size is None else outcome.size,
    )


def duration_ms(stamps: Stamps) -> int:
    """As the record of the activation has it."""
    start, end, _ = _interval(stamps, 0)
    return end - start


def _interval(stamps: Stamps, now_ms: int) -> tuple[int, int, int]:
    """(start, end, end of the wait). The start lies an init time before the run, although init and run need not touch."""
    if stamps.run_begun:
        begun = stamps.init_begun or stamps.run_begun
        return stamps.run_begun - stamps.init_ms, stamps.run_ended, begun
    if stamps.initialised:
        return stamps.init_begun, stamps.init_ended, stamps.init_begun
    return now_ms, now_ms, now_ms


def encode_record(record: Record) -> bytes:
    return encode(record)
