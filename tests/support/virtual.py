"""An event loop whose time is a number: it jumps to the next timer instead of waiting for it, so that minutes take milliseconds.

Connections are stand-ins without sockets, served by a function of the test: what becomes of a request, and when, is exact.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from support.replies import encode, record


class _Selector(selectors.SelectSelector):
    """Finds what is ready now, and instead of waiting lets the time pass."""

    passes: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is due any more, and somebody still waits"
            self.passes(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        selector = _Selector()
        selector.passes = self._pass
        super().__init__(selector)
        self._now_ns = 1_000_000_000_000

    def time(self) -> float:
        return self._now_ns / 1e9

    def clock_ns(self) -> int:
        return self._now_ns

    def spend(self, duration_ns: int) -> None:
        """The process is kept from running for so long."""
        self._now_ns += duration_ns

    def _pass(self, timeout_s: float) -> None:
        if timeout_s > 0:
            self._now_ns += max(1, round(timeout_s * 1e9))


class VirtualAlarm:
    """Rings at its time to the nanosecond, or `late_ns` after it."""

    def __init__(self, loop: VirtualLoop, ring: Callable[[], None], late_ns: int = 0) -> None:
        self._loop = loop
        self._ring = ring
        self._late_ns = late_ns
        self._at_ns = 0
        self._handle: asyncio.TimerHandle | None = None
        self.closed = False

    def set(self, at_ns: int) -> None:
        assert not self.closed
        self._at_ns = at_ns + self._late_ns
        self._schedule()

    def close(self) -> None:
        self.closed = True
        if self._handle is not None:
            self._handle.cancel()

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(self._at_ns / 1e9, self._wake)

    def _wake(self) -> None:
        if self._loop.clock_ns() < self._at_ns:  # seconds as a float are coarser than nanoseconds
            self._schedule()
        else:
            self._ring()


@dataclass(frozen=True, slots=True)
class Served:
    """What becomes of a request after `in_ms`: a reply, or without a body a hang-up with `error`."""

    in_ms: float = 10.0
    status: int = 200
    body: bytes | None = encode(record())
    error: Exception | None = None


class VirtualConnection:
    """Stands in for owray.http1's: one request at a time, told apart by what the test's `serve` makes of it (None: silence)."""

    def __init__(self, number: int, loop: VirtualLoop, serve: Callable[[bytes, int], Served | None], t0_ns: Callable[[], int]) -> None:
        self.number = number
        self.uses = 0
        self.first_byte_ns = 0
        self.received = 0
        self.opened_ns = loop.clock_ns()
        self.reusable = True
        self._loop = loop
        self._serve = serve
        self._t0_ns = t0_ns
        self._exchange: Any = None

    def send(self, request: bytes, exchange: Any) -> None:
        assert self._exchange is None
        assert self.reusable
        self._exchange = exchange
        self.uses += 1
        self.first_byte_ns = 0
        self.received = 0
        served = self._serve(request, (self._loop.clock_ns() - self._t0_ns()) // 1000)
        if served is not None:
            self._loop.call_later(served.in_ms / 1e3, self._end, served, exchange)

    @property
    def active_ns(self) -> int:
        return self.first_byte_ns or self.opened_ns

    def header(self, name: bytes) -> bytes | None:
        return None

    def abort(self) -> None:
        self.reusable = False
        self._exchange = None

    def _end(self, served: Served, exchange: Any) -> None:
        if self._exchange is not exchange:
            return
        self._exchange = None
        if served.body is None:
            self.reusable = False
            exchange.broken(self, served.error)
        else:
            self.first_byte_ns = self._loop.clock_ns()
            self.received = len(served.body)
            exchange.answered(self, served.status, served.body)


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    """The result of `main(loop)`; an exception in a callback fails the test."""
    problems: list[dict[str, Any]] = []

    def factory() -> VirtualLoop:
        loop = VirtualLoop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        return loop

    async def on_it() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return await main(loop)

    with asyncio.Runner(loop_factory=factory) as runner:
        result = runner.run(on_it())
    assert not problems, problems
    return result
