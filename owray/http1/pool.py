"""Keep-alive connections to one address, last in first out.

The connection used last is the one whose socket, congestion window and peer are warmest, and the rest fall idle long enough to be seen
as superfluous. Who finds none idle waits, and a new connection is opened for the waiting, at most `max_opening` at a time: a hiccup of
the server would otherwise become an avalanche of connects. Whichever comes first, a connection that is given back or a new one, goes to
the caller that has waited longest.

A server may close a connection after a number of requests (nginx: 1000 by default) or of idle seconds. The pool lets go first, so that a
request does not meet a connection that is being closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from owray.http1.connection import Connection

MAX_USES = 900
"""Requests per connection, below nginx's default keepalive_requests of 1000 (OpenWhisk's charts leave it unset)."""

MAX_IDLE_S = 55.0
"""Idle seconds after which a connection is closed: below OpenWhisk's 70 s (its controller's idle time-out) and nginx's 75 s or 60 s."""

MAX_OPENING = 128
"""Connects under way at once: below the least listen backlog that servers commonly have."""

CONNECT_TIMEOUT_S = 10.0
"""A host that drops packets would otherwise hold a place for two minutes, until the kernel gives up."""


class Waiter(Protocol):
    """A caller that waits for a connection."""

    waiting: bool
    """Set to False by who no longer wants one; the pool passes it over."""

    def connected(self, connection: Connection) -> None:
        """Here it is, idle and yours."""

    def unconnected(self, error: Exception) -> None:
        """None could be opened."""


class Pool:
    """`open_connection(number)` opens one; numbers count up from 0 and name the connection in rows."""

    def __init__(
        self,
        open_connection: Callable[[int], Awaitable[Connection]],
        *,
        max_uses: int = MAX_USES,
        max_opening: int = MAX_OPENING,
    ) -> None:
        self._open = open_connection
        self._max_uses = max_uses
        self._max_opening = max_opening
        self._idle: list[Connection] = []
        self._waiters: deque[Waiter] = deque()
        self._openings: set[asyncio.Task[None]] = set()
        self._closed = False
        self.opened = 0
        self.failed = 0

    def take(self) -> Connection | None:
        """An idle connection, the one used last; None where there is none: then `wait`."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    def wait(self, waiter: Waiter) -> None:
        """Be told of the next connection that is free."""
        waiter.waiting = True
        self._waiters.append(waiter)
        self._open_for_the_waiting()

    def give_back(self, connection: Connection) -> None:
        """The exchange is over; the connection goes to the next caller, or out of use where it may not be used again."""
        if not connection.reusable or self._closed:
            connection.abort()
        elif connection.uses >= self._max_uses:
            connection.abort()
            self._open_in_its_place()
        else:
            self._hand_out(connection)

    async def fill(self, count: int) -> None:
        """Have up to `count` connections idle before they are needed. Raises OSError where none can be opened.

        A peer or a system that allows fewer is no reason not to begin: calls that need more will say so in their rows.
        """
        while count > len(self._idle):
            missing = min(count - len(self._idle), self._max_opening)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                opened = await asyncio.gather(*(self._open(self.opened + index) for index in range(missing)), return_exceptions=True)
            self.opened += missing
            failures = [one for one in opened if isinstance(one, BaseException)]
            self._idle.extend(one for one in opened if not isinstance(one, BaseException))
            if failures and not self._idle:
                raise failures[0]
            if failures:
                return

    def prune(self, now_ns: int) -> None:
        """Close what has been idle too long; cheap when there is nothing to do. The bottom of the stack is the longest idle."""
        oldest_ns = now_ns - round(MAX_IDLE_S * 1e9)
        superfluous = 0
        for connection in self._idle:
            if connection.active_ns > oldest_ns:
                break
            connection.abort()
            superfluous += 1
        if superfluous:
            del self._idle[:superfluous]

    def close(self) -> None:
        """Close idle connections and stop opening; those in use close when they are given back."""
        self._closed = True
        for task in self._openings:
            task.cancel()
        while self._idle:
            self._idle.pop().abort()

    def _hand_out(self, connection: Connection) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if waiter.waiting:
                waiter.waiting = False
                waiter.connected(connection)
                return
        self._idle.append(connection)

    def _open_for_the_waiting(self) -> None:
        while len(self._openings) < min(len(self._waiters), self._max_opening) and not self._closed:
            self._start_opening()

    def _open_in_its_place(self) -> None:
        """At once, not when it is missed: else one call in `max_uses` would pay for a connect that is the pool's own doing."""
        if len(self._openings) < self._max_opening:
            self._start_opening()

    def _start_opening(self) -> None:
        number = self.opened
        self.opened += 1
        task = asyncio.get_running_loop().create_task(self._open_one(number))
        self._openings.add(task)
        task.add_done_callback(self._opened)

    async def _open_one(self, number: int) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                connection = await self._open(number)
        except OSError as error:  # a TimeoutError is one
            self.failed += 1
            self._fail_one(error)
            return
        if self._closed:
            connection.abort()
        elif connection.reusable:
            self._hand_out(connection)
        else:
            self.failed += 1
            self._fail_one(ConnectionResetError("the peer closed the connection as soon as it was open"))

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._openings.discard(task)
        if not task.cancelled():
            task.result()  # anything but OSError is a defect and must not vanish
        self._open_for_the_waiting()

    def _fail_one(self, error: OSError) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if waiter.waiting:
                waiter.waiting = False
                waiter.unconnected(error)
                return
