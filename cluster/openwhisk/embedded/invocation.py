"""One admitted call, from its admission to its completion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.outcomes import Outcome
from cluster.openwhisk.embedded.prepared import Prepared
from cluster.openwhisk.embedded.records import Stamps

if TYPE_CHECKING:
    from cluster.openwhisk.embedded.containers import Container
    from cluster.openwhisk.embedded.pool import Slot


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The result of an activation as a blocking caller gets it: the record as JSON, its logs empty."""

    outcome: Outcome
    record: bytes


class Invocation:
    """See the module. `acked` is the result, or None when the caller has waited long enough."""

    __slots__ = (
        "acked",
        "activation_id",
        "always_stored",
        "arguments",
        "blocking",
        "cause",
        "container",
        "forced",
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
        *,
        blocking: bool = False,
        cause: str | None = None,
        always_stored: bool = False,
    ) -> None:
        self.prepared = prepared
        self.user = user
        self.arguments = arguments
        self.activation_id = activation_id
        self.transaction_id = transaction_id
        self.stamps = Stamps(seen_ms)
        self.acked = acked
        self.blocking = blocking
        self.cause = cause
        """The id of the enclosing sequence's activation."""
        self.always_stored = always_stored
        self.slot: Slot | None = None
        """Where it runs, from the pool's grant to its completion."""
        self.container: Container | None = None
        self.forced: asyncio.TimerHandle | None = None


def acknowledge(acked: asyncio.Future[Ack | None], ack: Ack) -> None:
    """Tell whoever waits; nobody may wait any longer."""
    if not acked.done():
        acked.set_result(ack)


async def waited(acked: asyncio.Future[Ack | None], wait_s: float) -> Ack | None:
    """What the caller is told; None after `wait_s`, or where there is nothing to tell."""
    timer = asyncio.get_running_loop().call_later(wait_s, _stop_waiting, acked)
    try:
        return await acked
    finally:
        timer.cancel()


def _stop_waiting(acked: asyncio.Future[Ack | None]) -> None:
    if not acked.done():
        acked.set_result(None)
