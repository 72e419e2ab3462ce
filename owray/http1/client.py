"""One request and its reply as a coroutine, for callers that can afford a Future per call."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from owray.http1.connection import Connection


class Reply(NamedTuple):
    """`left_out` bytes at the end of the body were not kept."""

    status: int
    body: bytes
    left_out: int = 0


class ConnectionLost(Exception):
    """The connection ended before the whole reply was there; the cause, where there is one, is `__cause__`."""


class _Waiting:
    """An exchange that wakes a coroutine."""

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[Reply]) -> None:
        self.future = future

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        if not self.future.done():
            self.future.set_result(Reply(status, body, connection.left_out))

    def broken(self, connection: Connection, error: Exception | None) -> None:
        if not self.future.done():
            lost = ConnectionLost("the connection ended before the reply did")
            lost.__cause__ = error
            self.future.set_exception(lost)


async def exchange(connection: Connection, request: bytes) -> Reply:
    """Send a request on an idle connection and wait for the reply.

    Raises ConnectionLost. A caller that stops waiting (a time-out, a cancel) leaves the connection aborted: its reply would otherwise
    be taken for the next one's.
    """
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    connection.send(request, _Waiting(future))
    try:
        return await future
    except asyncio.CancelledError:
        connection.abort()
        raise
