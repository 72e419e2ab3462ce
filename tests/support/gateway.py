"""A scripted OpenWhisk gateway: it answers invocations with right activation records, and misbehaves exactly as it is told.

A script names what becomes of each request (a `Step`, chosen by the seq in its X-Request-ID, else by its order of arrival) and when the
whole gateway is frozen: then it still accepts and reads, but answers nothing until the freeze ends. It keeps a log of its own of which
request arrived when, which nobody it talks to can touch: the witness against a client's rows.

In a test's own loop:

    async with Gateway(Script(steps=(Step(delay_ms=20),))) as gateway:
        ... gateway.host, gateway.port, gateway.log ...

As a process of its own, with tests/ on PYTHONPATH; it ends on SIGTERM, and has its port in PORT_FILE once it listens:

    python -m support.gateway --port-file PORT_FILE --log LOG --script '{"steps": [{"delay_ms": 20}], "freezes": [[2, 4]]}'
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import httptools
from support.loops import settled
from support.replies import CHECKSUM, encode, record, report

DRIP_MS = 0.2
"""Between the bytes of a dripping reply."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one request.

    do
        answer            a whole reply, as the other fields say
        silence           none, ever
        hang_up_unread    close when the head of the request is there, its body unread
        hang_up           close once it is read
        hang_up_midway    close after half of the reply
        reset             RST once it is read
        reset_midway      RST after half of the reply
        garbage           bytes that are not HTTP
        twice             the reply two times
        chatter           the reply, then bytes nobody asked for, 2 ms later
        interim           100 Continue, then the reply
    framing
        length, chunked, close (the body ends where the connection does), drip (byte by byte)
    body
        the reply's text; None: the record of a successful activation whose result carries `checksum`
    """

    do: str = "answer"
    delay_ms: float = 0.0
    status: int = 200
    body: str | None = None
    content_type: str = "application/json"
    checksum: str = CHECKSUM
    framing: str = "length"
    last: bool = False
    """The reply says `Connection: close`, and so it is."""


@dataclass(frozen=True, slots=True)
class Script:
    """`steps` are taken in turn, by seq. Freezes are (from, to) in seconds since the first request. The first `cold` calls have initTime.

    `close_after`: this many replies per connection, the last with `Connection: close`. `abrupt`: without saying so, as nginx may.
    """

    steps: tuple[Step, ...] = (Step(),)
    freezes: tuple[tuple[float, float], ...] = ()
    cold: int = 1
    close_after: int | None = None
    abrupt: bool = False
    hang_up_on_connect: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        steps = tuple(Step(**step) for step in data.get("steps", [{}]))
        freezes = tuple((float(start), float(end)) for start, end in data.get("freezes", []))
        return cls(**{**data, "steps": steps, "freezes": freezes})


class Seen(NamedTuple):
    """A request that arrived whole: its X-Request-ID ("" without one) and when, on CLOCK_MONOTONIC."""

    request_id: str
    at_ns: int


class Gateway:
    """See the module. `connections` counts those accepted, `live` are those open now."""

    def __init__(self, script: Script | None = None, *, tls: ssl.SSLContext | None = None, log_path: Path | None = None) -> None:
        self.script = script or Script()
        self.host = "127.0.0.1"
        self.port = 0
        self.connections = 0
        self.live: set[_Peer] = set()
        self.log: list[Seen] = []
        self.bodies: list[bytes] = []
        self._tls = tls
        self._log_file = None if log_path is None else os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._first_ns = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Peer(self, loop), self.host, self.port, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await settled()  # CPython 3.11 never closes what was accepted, and not yet made a connection, when its server closes
        if self._server is not None:
            self._server.close()
        for _ in range(5):  # also those that the kernel has accepted and the loop has not yet
            await asyncio.sleep(0)
            for peer in list(self.live):
                peer.abort()
        if self._log_file is not None:
            os.close(self._log_file)

    @property
    def ids(self) -> list[str]:
        return [seen.request_id for seen in self.log]

    def note(self, request_id: str) -> int:
        """A request is here whole; its number in order of arrival."""
        now_ns = time.monotonic_ns()
        if not self.log:
            self._first_ns = now_ns
        self.log.append(Seen(request_id, now_ns))
        if self._log_file is not None:
            os.write(self._log_file, f"{request_id} {now_ns}\n".encode())
        return len(self.log)

    def answer_in_s(self, delay_ms: float) -> float:
        """Seconds from now to an answer: after its delay, and not within a freeze."""
        since_first_s = (time.monotonic_ns() - self._first_ns) / 1e9
        due_s = since_first_s + delay_ms / 1e3
        for start, end in self.script.freezes:
            if start <= due_s < end:
                due_s = end
        return due_s - since_first_s


class _Peer(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self._gateway = gateway
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request_id = ""
        self._body = b""
        self._served = 0
        self._later: set[asyncio.TimerHandle] = set()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._gateway.connections += 1
        self._gateway.live.add(self)
        if self._gateway.script.hang_up_on_connect:
            self.end()

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        for handle in self._later:
            handle.cancel()
        self._later.clear()
        self._transport = None
        self._gateway.live.discard(self)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- httptools

    def on_message_begin(self) -> None:
        self._request_id = ""
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-id":
            self._request_id = value.decode()

    def on_headers_complete(self) -> None:
        if self._step().do == "hang_up_unread":
            self._gateway.note(self._request_id)
            self.end()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        step = self._step()
        number = self._gateway.note(self._request_id)
        self._gateway.bodies.append(self._body)
        in_s = self._gateway.answer_in_s(step.delay_ms)
        if in_s > 0:
            self._after(in_s, lambda: self._act(step, number))
        else:
            self._act(step, number)

    # --- misbehaving and behaving

    def _step(self) -> Step:
        seq = self._request_id.rpartition("-")[2]
        steps = self._gateway.script.steps
        return steps[(int(seq) if seq.isdecimal() else len(self._gateway.log)) % len(steps)]

    def _act(self, step: Step, number: int) -> None:
        transport = self._transport
        if transport is None or step.do == "silence":
            return
        reply = self._reply(step, number)
        misdeed = self._misdeeds(transport, reply).get(step.do)
        if misdeed is not None:
            misdeed()
        elif step.framing == "drip":
            self._drip(reply, self._ending(step))
        else:
            interim = b"HTTP/1.1 100 Continue\r\n\r\n" if step.do == "interim" else b""
            transport.write(interim + reply)
            if step.do == "chatter":
                # By way of two timers: the loop polls in between, so a client on it has read the reply by then.
                self._after(0.001, lambda: self._after(0.001, lambda: self._write(b"HTTP/1.1 200 OK\r\n")))
            if self._ending(step):
                transport.close()

    def _misdeeds(self, transport: asyncio.Transport, reply: bytes) -> dict[str, Callable[[], None]]:
        def midway(then: Callable[[], None]) -> None:
            transport.write(reply[: len(reply) // 2])
            self._after(0.005, then)

        return {
            "hang_up": transport.close,
            "hang_up_midway": lambda: midway(self.end),
            "reset": self._reset,
            "reset_midway": lambda: midway(self._reset),
            "garbage": lambda: transport.write(b"\x00\x01 this is not HTTP\r\n\r\n"),
            "twice": lambda: transport.write(reply + reply),
        }

    def _ending(self, step: Step) -> bool:
        self._served += 1
        return step.last or step.framing == "close" or self._served == self._gateway.script.close_after

    def _reply(self, step: Step, number: int) -> bytes:
        body = self._record(step, number) if step.body is None else step.body.encode()
        head = f"HTTP/1.1 {step.status} Whatever\r\nServer: scripted\r\nContent-Type: {step.content_type}\r\n"
        head += f"x-openwhisk-activation-id: {number:032x}\r\n"
        says_so = step.last or (self._served + 1 == self._gateway.script.close_after and not self._gateway.script.abrupt)
        if says_so or step.framing == "close":
            head += "Connection: close\r\n"
        if step.framing == "chunked":
            middle = len(body) // 2
            pieces = [piece for piece in (body[:middle], body[middle:]) if piece]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
            return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        length = "" if step.framing == "close" else f"Content-Length: {len(body)}\r\n"
        return f"{head}{length}\r\n".encode() + body

    def _record(self, step: Step, number: int) -> bytes:
        cold = number <= self._gateway.script.cold
        milliseconds = round(step.delay_ms)
        return encode(
            record(
                report(step.checksum, served=number),
                activation_id=f"{number:032x}",
                init_ms=21 if cold else None,
                wait_ms=340 if cold else 2,
                duration_ms=milliseconds + (21 if cold else 0),
                start_ms=time.time_ns() // 1_000_000 - milliseconds,
            )
        )

    def _drip(self, rest: bytes, ending: bool) -> None:
        self._write(rest[:1])
        if len(rest) > 1:
            self._after(DRIP_MS / 1e3, lambda: self._drip(rest[1:], ending))
        elif ending:
            self._after(DRIP_MS / 1e3, self.end)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _reset(self) -> None:
        if self._transport is not None:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _after(self, in_s: float, act: Callable[[], None]) -> None:
        def ring() -> None:
            self._later.discard(handle)
            act()

        handle = self._loop.call_later(in_s, ring)
        self._later.add(handle)


async def _serve(port_file: Path, log_path: Path | None, script: Script) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with Gateway(script, log_path=log_path) as gateway:
        half = port_file.with_name(f"{port_file.name}.half")
        half.write_text(f"{gateway.port}\n")
        half.replace(port_file)
        await ended.wait()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="support.gateway", description="A scripted OpenWhisk gateway.")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--script", default="{}", help="JSON of a Script")
    options = parser.parse_args(arguments)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.port_file, options.log, Script.from_json(json.loads(options.script))))


if __name__ == "__main__":
    main(sys.argv[1:])
