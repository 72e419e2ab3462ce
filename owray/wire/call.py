"""One call under way.

    state       event                            next       row
    planned     due                              dispatched
    dispatched  below the in-flight cap          attempted
    dispatched  at the cap                       held
    held        another call ends                attempted
    held        the storm is stopped             ended      unsent
    attempted   a connection is idle             sent
    attempted   none is idle                     waiting
    waiting     a connection is free             sent
    waiting     none can be opened               ended      connect_error
    sent        reply                            ended      by the reply (owray.wire.outcome)
    sent        connection ends                  ended      connection_lost, protocol_error
    waiting, sent   time-out                     ended      timeout, censored
    waiting, sent   cut off                      ended      lost, censored

Times are microseconds from t0 on the invoker's monotonic clock; -1 means not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owray.http1.connection import Connection
    from owray.wire.invoker import Invoker
    from owray.wire.requests import Prepared


class Call:
    """State of one call; tells its invoker what it hears from the pool and the connection."""

    __slots__ = (
        "attempted_us",
        "bytes_out",
        "connection",
        "dispatched_us",
        "entry",
        "intended_us",
        "invoker",
        "request",
        "reused",
        "sent_us",
        "seq",
        "waited",
        "waiting",
    )

    def __init__(self, invoker: Invoker, seq: int, intended_us: int, dispatched_us: int, entry: int, request: Prepared) -> None:
        self.invoker = invoker
        self.seq = seq
        self.intended_us = intended_us
        self.dispatched_us = dispatched_us
        self.entry = entry
        self.request = request
        self.attempted_us = -1
        self.sent_us = -1
        self.bytes_out = 0
        self.connection: Connection | None = None
        self.reused = False
        self.waited = False
        self.waiting = False

    # --- owray.http1.pool.Waiter

    def connected(self, connection: Connection) -> None:
        self.invoker.send(self, connection, self.invoker.now_us())

    def unconnected(self, error: Exception) -> None:
        self.invoker.unconnected(self, error)

    # --- owray.http1.connection.Exchange

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        self.invoker.answered(self, connection, status, body)

    def broken(self, connection: Connection, error: Exception | None) -> None:
        self.invoker.broken(self, connection, error)
