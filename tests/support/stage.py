"""An invoker with all it needs, on stage: in virtual time against stand-ins, or in real time against a scripted gateway."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from support.gateway import Gateway
from support.replies import CHECKSUM
from support.rows import MemoryRows, attempt_us, end_us, given, response_us
from support.virtual import Served, VirtualAlarm, VirtualConnection, VirtualLoop

from owray.http1.connection import Connection, Tcp, connect
from owray.http1.pool import Pool
from owray.plan.mix import Entry, Variant
from owray.plan.recipe import Plan, Recipe, Window
from owray.record.layout import Outcome
from owray.wire.agenda import Agenda, OpenLoop
from owray.wire.alarm import best_alarm
from owray.wire.invoker import Invoker, Limits
from owray.wire.requests import prepare

ALIGN = Entry("genomics", "align", "small", "align", 1.0, (Variant({"seed": 1}, CHECKSUM), Variant({"seed": 2}, CHECKSUM)))


def recipe(rps: float, duration_s: float, **changes: Any) -> Recipe:
    return Recipe.steady(rps, duration_s, (ALIGN,), **changes)


def requests_of(chosen: Recipe, host: str = "here") -> Any:
    return prepare(chosen.entries, host=host, auth="uuid:key", namespace="_", run="run")


def seq_of(request: bytes) -> int:
    """Which call a request belongs to."""
    return int(request.partition(b"X-Request-ID: run-")[2].partition(b"\r\n")[0])


class VirtualStage:
    """`serve(seq, at_us)` says what becomes of each request; `connect_ms` is what opening a connection takes."""

    def __init__(
        self,
        loop: VirtualLoop,
        chosen: Recipe,
        serve: Callable[[int, int], Served | None],
        *,
        limits: Limits | None = None,
        rows: MemoryRows | None = None,
        connect_ms: float = 1.0,
        connect_error: Callable[[int], OSError | None] = lambda number: None,
        alarm_late_ns: int = 0,
        make_agenda: Callable[[Iterator[Window]], Agenda] = OpenLoop,
    ) -> None:
        self.loop = loop
        self.rows = rows or MemoryRows()
        self.t0_ns = loop.clock_ns() + 2_000_000_000

        async def open_connection(number: int) -> Any:
            await asyncio.sleep(connect_ms / 1e3)
            error = connect_error(number)
            if error is not None:
                raise error
            return VirtualConnection(number, loop, lambda request, at_us: serve(seq_of(request), at_us), lambda: self.t0_ns)

        self.pool = Pool(open_connection)
        self.plan = Plan(chosen)
        self.invoker = Invoker(
            make_agenda(self.plan.windows()),
            requests_of(chosen),
            self.pool,
            self.rows,
            limits or Limits(),
            loop.clock_ns,
            lambda ring: VirtualAlarm(loop, ring, alarm_late_ns),
        )

    async def play(self) -> MemoryRows:
        """The whole storm, to its end."""
        self.invoker.play(self.t0_ns)
        await self.invoker.done
        self.pool.close()
        return self.rows

    async def at(self, storm_s: float) -> None:
        """Wait until so many seconds after t0."""
        await asyncio.sleep((self.t0_ns - self.loop.clock_ns()) / 1e9 + storm_s)


class RealStage:
    """An invoker against a gateway, in real time on the running loop."""

    def __init__(
        self, gateway: Gateway, chosen: Recipe, *, limits: Limits | None = None, rows: MemoryRows | None = None, tls: Any = None
    ) -> None:
        loop = asyncio.get_running_loop()
        address = Tcp(gateway.host, gateway.port, tls)

        async def open_connection(number: int) -> Connection:
            return await connect(loop, address, number)

        self.rows = rows or MemoryRows()
        self.pool = Pool(open_connection)
        self.plan = Plan(chosen)
        self.invoker = Invoker(
            OpenLoop(self.plan.windows()),
            requests_of(chosen, f"{gateway.host}:{gateway.port}"),
            self.pool,
            self.rows,
            limits or Limits(),
            time.monotonic_ns,
            lambda ring: best_alarm(loop, ring, time.monotonic_ns),
        )

    async def play(self, *, warm_connections: int = 0) -> MemoryRows:
        await self.pool.fill(warm_connections)
        self.invoker.play(time.monotonic_ns() + 20_000_000)
        await self.invoker.done
        self.pool.close()
        return self.rows


def assert_conserved(invoker: Invoker, rows: MemoryRows) -> None:
    """What holds of every storm that has ended, whatever was done to it."""
    counters = invoker.snapshot()
    found = list(rows.by_seq().values())
    attempted = [row for row in found if row.outcome != Outcome.UNSENT]
    assert counters.attempted == counters.finished + counters.in_flight == len(attempted)
    assert (counters.in_flight, counters.held_now) == (0, 0)
    assert counters.dispatched == len(found) == sum(counters.outcomes)
    assert all(counters.outcomes[outcome] == sum(row.outcome == outcome for row in found) for outcome in Outcome)
    assert sum(counters.responses) == len(attempted)
    assert counters.area_call_us == sum(end_us(row) - attempt_us(row) for row in attempted)
    for row in found:
        assert row.lag_us >= 0
        assert response_us(row) >= 0
        assert not given(row, "held_us") or row.held_us > 0
        assert given(row, "service_us") == given(row, "bytes_out") == given(row, "conn_reused")
        assert not given(row, "ttfb_us") or 0 <= row.ttfb_us <= row.service_us
        assert row.censored == (row.outcome in {Outcome.TIMEOUT, Outcome.LOST, Outcome.UNSENT})
        assert (row.outcome in {Outcome.OK, Outcome.ACCEPTED}) == (rows.error_of(row) is None)
