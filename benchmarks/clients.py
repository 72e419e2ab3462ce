"""The clients that are compared, each doing the same job: send a call, read the reply, record a row.

Reading (owray.wire.outcome) and recording (owray.record.journal) are the same code for all, as are the bytes on the wire, the loop
(uvloop) and the tamed garbage collector. What differs is what lies between: so the ratio is that of the clients, and if anything too kind
to the dearer one, whose users would decode with something slower. aiohttp is set up as fast as it goes: no cookies, no limit, no time-out,
no decompression, the URL not parsed again for each call.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from benchmarks.server import CHECKSUM
from owray.http1.client import exchange
from owray.http1.connection import Connection, Tcp, connect
from owray.http1.pool import Pool
from owray.plan.mix import Entry, Variant
from owray.plan.recipe import Plan, Recipe
from owray.record.journal import Header, Recorder
from owray.record.layout import NULL_32, NULL_64
from owray.wire.agenda import OpenLoop
from owray.wire.alarm import best_alarm
from owray.wire.garbage import QuietCollector
from owray.wire.invoker import TICK_S, Invoker, Limits, Rows
from owray.wire.outcome import read
from owray.wire.requests import Prepared, prepare

ENTRY = Entry("micro", "noop", "-", "noop", variants=(Variant({"seed": 1}, CHECKSUM),))
AUTH = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP"
"""OpenWhisk's public guest key, for its length."""

CONNECTIONS = 64
TIME_OUT_S = 90

Client = Callable[[int, int, "Ledger"], Awaitable[int]]
"""Plays so many calls against a port and returns the nanoseconds of CPU they took, connecting not counted."""


Open = Callable[[int, int], Awaitable[Connection]]
"""Opens connection so-and-so to a port."""


class Ledger:
    """Reads replies and keeps rows, whoever brought them."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder(folder, Header("benchmark", 0, 1, "local"), time.monotonic_ns)
        self.t0_ns = time.monotonic_ns()

    def now_us(self) -> int:
        return (time.monotonic_ns() - self.t0_ns) // 1000

    def record(self, seq: int, times_us: tuple[int, int, int], connection: int, status: int, body: bytes) -> None:
        """`times_us`: when the call was intended, when it was sent, when its reply began."""
        intended_us, sent_us, first_us = times_us
        now_us = self.now_us()
        reading = read(status, body, _no_header, CHECKSUM)
        rows = self.recorder
        rows.add(
            seq,
            intended_us,
            sent_us - intended_us,
            NULL_64,
            NULL_64,
            first_us - sent_us,
            now_us - sent_us,
            reading.ow_start_ms,
            reading.activation_id,
            reading.wait_ms,
            reading.init_ms,
            reading.duration_ms,
            NULL_32 if reading.container is None else rows.container(reading.container),
            reading.container_calls,
            reading.gen_us,
            reading.compute_us,
            reading.io_us,
            NULL_32 if reading.error is None else rows.error(reading.error),
            NULL_32,
            connection,
            300,
            len(body),
            status,
            0,
            reading.outcome,
            reading.checked,
            0,
            1,
        )

    @property
    def calls(self) -> int:
        """How many have been recorded."""
        return self.recorder.rows

    async def tick(self) -> None:
        """Write journal blocks as they fall due, for ever."""
        while True:
            await asyncio.sleep(TICK_S)
            self.recorder.tick(time.monotonic_ns())


class Tally(Ledger):
    """Reads and keeps nothing: what is left is the cost of the client alone."""

    calls = 0

    def record(self, seq: int, times_us: tuple[int, int, int], connection: int, status: int, body: bytes) -> None:
        self.calls += status == 200


def play(client: Client, port: int, calls: int, kept: type[Ledger] = Ledger) -> float:
    """Microseconds of CPU a call, on a loop and with a journal of its own."""

    async def with_ticks(ledger: Ledger) -> int:
        ticking = asyncio.create_task(ledger.tick())
        try:
            return await client(port, calls, ledger)
        finally:
            ticking.cancel()

    collector = QuietCollector()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ledger = kept(Path(folder))
        collector.freeze()
        try:
            cpu_ns = runner.run(with_ticks(ledger))
        finally:
            collector.thaw()
            ledger.recorder.close()
        if ledger.calls != calls:
            raise SystemExit(f"{ledger.calls:,} of {calls:,} calls were answered and recorded")
    return cpu_ns / calls / 1000


def prepared(port: int) -> Prepared:
    """The request that all clients send."""
    return prepare([ENTRY], host=f"127.0.0.1:{port}", auth=AUTH, namespace="_", run="benchmark")[0][0]


async def open_plain(port: int, number: int) -> Connection:
    return await connect(asyncio.get_running_loop(), Tcp("127.0.0.1", port), number)


async def lean(port: int, calls: int, ledger: Ledger, open_one: Open = open_plain) -> int:
    """owray's connection, driven by callbacks: the next call goes out from within the reply to the last."""
    connections = [await open_one(port, number) for number in range(CONNECTIONS)]
    chain = _Chain(prepared(port), iter(range(calls)), ledger, CONNECTIONS)
    before_ns = time.process_time_ns()
    for connection in connections:
        _Link(chain).send(connection)
    await chain.done
    cpu_ns = time.process_time_ns() - before_ns
    for connection in connections:
        connection.abort()
    return cpu_ns


class _Chain:
    """What the links of a closed loop share."""

    def __init__(self, request: Prepared, seqs: Iterator[int], ledger: Ledger, links: int) -> None:
        self.request = request
        self.seqs = seqs
        self.ledger = ledger
        self.links = links
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Link:
    """One connection's calls, one after another."""

    __slots__ = ("_chain", "_sent_us", "_seq")

    def __init__(self, chain: _Chain) -> None:
        self._chain = chain
        self._seq = -1
        self._sent_us = 0

    def send(self, connection: Connection) -> None:
        chain = self._chain
        self._seq = next(chain.seqs, -1)
        if self._seq < 0:
            chain.links -= 1
            if not chain.links:
                chain.done.set_result(None)
            return
        chain.ledger.recorder.mark(self._seq)
        self._sent_us = chain.ledger.now_us()
        connection.send(chain.request.of(self._seq), self)

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        ledger = self._chain.ledger
        first_us = (connection.first_byte_ns - ledger.t0_ns) // 1000
        ledger.record(self._seq, (self._sent_us, self._sent_us, first_us), connection.number, status, body)
        self.send(connection)

    def broken(self, connection: Connection, error: Exception | None) -> None:
        if not self._chain.done.done():
            self._chain.done.set_exception(error or ConnectionError("the server closed a connection"))


async def awaited(port: int, calls: int, ledger: Ledger) -> int:
    """owray's connection with what is left out on the hot path: a Future and a time-out for each call."""
    connections = [await open_plain(port, number) for number in range(CONNECTIONS)]
    request = prepared(port)
    seqs = iter(range(calls))

    async def one_after_another(connection: Connection) -> None:
        for seq in seqs:
            ledger.recorder.mark(seq)
            sent_us = ledger.now_us()
            async with asyncio.timeout(TIME_OUT_S):
                reply = await exchange(connection, request.of(seq))
            first_us = (connection.first_byte_ns - ledger.t0_ns) // 1000
            ledger.record(seq, (sent_us, sent_us, first_us), connection.number, reply.status, reply.body)

    before_ns = time.process_time_ns()
    await asyncio.gather(*map(one_after_another, connections))
    cpu_ns = time.process_time_ns() - before_ns
    for connection in connections:
        connection.abort()
    return cpu_ns


async def engine(port: int, calls: int, ledger: Ledger) -> int:
    """owray's whole invoker, its cap on calls in flight making the loop a closed one: every call is due at once and held."""
    recipe = Recipe.steady(rps=1e6, duration_s=Recipe.duration_of(calls, 1e6), entries=(ENTRY,), calls=calls)
    invoker, pool = await make_invoker(port, recipe, ledger.recorder, Limits(max_in_flight=CONNECTIONS), CONNECTIONS)
    before_ns = time.process_time_ns()
    invoker.play(time.monotonic_ns())
    await invoker.done
    cpu_ns = time.process_time_ns() - before_ns
    pool.close()
    return cpu_ns


async def make_invoker(port: int, recipe: Recipe, rows: Rows, limits: Limits, connections: int) -> tuple[Invoker, Pool]:
    """An invoker for the whole of a recipe, with its connections open."""
    loop = asyncio.get_running_loop()

    pool = Pool(partial(open_plain, port), max_uses=1 << 40)
    await pool.fill(connections)
    agenda = OpenLoop(Plan(recipe).windows())
    requests = [[prepared(port)]]
    invoker = Invoker(agenda, requests, pool, rows, limits, time.monotonic_ns, lambda ring: best_alarm(loop, ring, time.monotonic_ns))
    return invoker, pool


class AiohttpCaller:
    """aiohttp, making one call at a time for whoever awaits it."""

    def __init__(self, session: aiohttp.ClientSession, port: int, ledger: Ledger, scheme: str = "http") -> None:
        head, body = prepared(port).of(0).split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:])
        self._headers = {name: value for name, value in pairs if name not in {"Host", "Content-Length"}}
        self._body = body
        self._url = URL(f"{scheme}://127.0.0.1:{port}{lines[0].split(' ')[1]}", encoded=True)
        self._session = session
        self._ledger = ledger

    async def connect(self) -> None:
        """A call that nobody records: as many of these at once open as many connections."""
        async with self._session.post(self._url, data=self._body, headers=self._headers) as reply:
            await reply.read()

    async def call(self, seq: int, intended_us: int | None = None) -> None:
        ledger = self._ledger
        ledger.recorder.mark(seq)
        headers = {**self._headers, "X-Request-ID": f"benchmark-{seq}"}
        sent_us = ledger.now_us()
        async with self._session.post(self._url, data=self._body, headers=headers) as reply:
            first_us = ledger.now_us()
            body = await reply.read()
        times_us = (sent_us if intended_us is None else intended_us, sent_us, first_us)
        ledger.record(seq, times_us, 0, reply.status, body)


def aiohttp_session(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )


async def with_aiohttp(port: int, calls: int, ledger: Ledger, tls: ssl.SSLContext | None = None) -> int:
    """aiohttp in a closed loop: as many coroutines as connections."""
    async with aiohttp_session(tls) as session:
        caller = AiohttpCaller(session, port, ledger, "https" if tls else "http")
        await asyncio.gather(*(caller.connect() for _ in range(CONNECTIONS)))
        seqs = count()

        async def one_after_another() -> None:
            while (seq := next(seqs)) < calls:
                await caller.call(seq)

        before_ns = time.process_time_ns()
        await asyncio.gather(*(one_after_another() for _ in range(CONNECTIONS)))
        return time.process_time_ns() - before_ns


def _no_header(name: bytes) -> bytes | None:
    return None
