"""One HTTP/1.1 connection, driven by callbacks.

A connection carries one request at a time and tells the request's `Exchange` how it ended. It holds no queue, starts no Task and sets
no timer: who needs those (the invoker's pool and timeouts, the embedded platform's containers) keeps them outside.

    state      event                       next      effect
    idle       send                        busy      request written to the socket at once
    busy       whole reply, keep-alive     idle      exchange.answered
    busy       whole reply, to be closed   closed    exchange.answered
    busy       lost, or not HTTP           closed    exchange.broken
    idle       bytes, or lost              closed    on_closed only: the next caller must not meet a dead connection
    any        abort                       closed    a busy exchange hears nothing more: whoever aborts knows why

`send` is one `transport.write`, and a time read just before it is the time of sending: asyncio and uvloop from 0.23 on give the bytes to
the kernel at once. Older uvloop gathered them until the end of the loop's turn (docs/decisions/006).
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import aiofastnet
import httptools


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and port, with a TLS context where the connection is to be encrypted."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Unix:
    """A Unix socket."""

    path: Path


Address = Tcp | Unix


class Exchange(Protocol):
    """One request and what becomes of it. Exactly one of the two is called, on the loop's thread, unless the connection is aborted."""

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """The whole reply is there. The connection may be used again if it is `reusable`."""

    def broken(self, connection: Connection, error: Exception | None) -> None:
        """The connection ended first; `error` is None where the peer closed it, a `ProtocolError` where it did not speak HTTP."""


class ProtocolError(Exception):
    """The peer sent something that is not a reply."""


def _nobody(_: Connection) -> None:
    return None


class Connection(asyncio.Protocol):
    """See the module's table.

    `number` is the caller's own; `uses` counts requests sent; `first_byte_ns` and `received` (bytes) are of the last reply.
    Of a body longer than `keep` bytes the rest is not kept, from the first part on that lies wholly beyond; `left_out` is how much.
    """

    def __init__(self, number: int = 0, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.number = number
        self.uses = 0
        self.first_byte_ns = 0
        self.received = 0
        self.keep = sys.maxsize
        self.left_out = 0
        self.opened_ns = 0
        self.reusable = False
        self.on_closed: Callable[[Connection], None] = _nobody
        self._clock_ns = clock_ns
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._head = b""
        self._head_complete = False
        self._complete = False
        self._body = b""
        self._more: list[bytes] = []
        self._kept = 0

    # --- for the caller

    def send(self, request: bytes, exchange: Exchange) -> None:
        """Write one request; its exchange hears of the end. The connection must be idle and open."""
        transport = self._transport
        if transport is None or self._exchange is not None:
            raise RuntimeError("this connection is busy or closed")
        self._exchange = exchange
        self.uses += 1
        self.first_byte_ns = 0
        self.received = 0
        self._head_complete = False
        self._complete = False
        self._body = b""
        self.left_out = 0
        transport.write(request)

    def header(self, name: bytes) -> bytes | None:
        """The value of a header of the reply just received; `name` in lower case. Looked up only when somebody asks."""
        head, _, rest = self._head.partition(b"\r\n\r\n")
        while head[8:10] == b" 1":  # HTTP/1.1 100 Continue, say: an interim reply came before
            head, _, rest = rest.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None

    @property
    def active_ns(self) -> int:
        """When the last reply began, or the connection was opened: since then it is idle, if it is."""
        return self.first_byte_ns or self.opened_ns

    def abort(self) -> None:
        """Close now, whatever is under way."""
        self._exchange = None
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.opened_ns = self._clock_ns()
        self.reusable = True

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.abort()  # nobody asked
            return
        self.received += len(data)
        if not self.first_byte_ns:
            self.first_byte_ns = self._clock_ns()
            self._head = data
        elif not self._head_complete:
            self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break(ProtocolError("not an HTTP reply: the peer switched to another protocol"))
            return
        except httptools.HttpParserError as error:
            own = error.__context__  # what a callback below raised
            self._break(own if isinstance(own, ProtocolError) else ProtocolError(f"not an HTTP reply: {error}"))
            return
        # Only now, with all bytes read: the exchange may send the next request on this connection at once.
        if self._complete:
            self._finish()

    def eof_received(self) -> None:
        self.reusable = False  # the transport closes itself, but only in the loop's next turn

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.reusable = False
        if self._exchange is not None:
            if exc is None and self._ended_by_close():
                self._finish()
            else:
                self._break(exc)
        self.on_closed(self)
        self.on_closed = _nobody
        del self._parser  # the parser holds this connection: without the cut only the garbage collector could free the two

    # --- httptools

    def on_message_begin(self) -> None:
        if self._complete:  # by its first byte: a parser that is already inside another reply has forgotten this one's status
            raise ProtocolError("a second reply to one request")

    def on_headers_complete(self) -> None:
        self._head_complete = True

    def on_body(self, body: bytes) -> None:
        if self._body:
            self._on_more(body)
        else:
            self._body = body  # and most have no more

    def _on_more(self, part: bytes) -> None:
        if not self._more:
            self._more.append(self._body)
            self._kept = len(self._body)
        if self._kept < self.keep:
            self._more.append(part)
            self._kept += len(part)
        else:
            self.left_out += len(part)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # an interim reply such as 100 Continue
            self._head_complete = False
            return
        self._complete = True
        self.reusable = self._parser.should_keep_alive()

    # --- endings

    def _finish(self) -> None:
        exchange, self._exchange = self._exchange, None
        if not self.reusable and self._transport is not None:
            self._transport.close()
        if self._more:
            self._body = b"".join(self._more)
            self._more.clear()
        if exchange is not None:
            exchange.answered(self, self._parser.get_status_code(), self._body)

    def _break(self, error: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.broken(self, error)

    def _ended_by_close(self) -> bool:
        """A reply with neither length nor chunks ends where the connection does (RFC 9112, 6.3)."""
        return self._head_complete and self.header(b"content-length") is None and self.header(b"transfer-encoding") is None


async def connect(
    loop: asyncio.AbstractEventLoop,
    address: Address,
    number: int = 0,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> Connection:
    """Open a connection. Raises OSError (ssl.SSLError among them) where the peer cannot be reached or trusted.

    TLS goes by aiofastnet, which writes at once (docs/decisions/001 has what it costs).
    """

    def factory() -> Connection:
        return Connection(number, clock_ns)

    if isinstance(address, Unix):
        _, connection = await loop.create_unix_connection(factory, str(address.path))
    elif address.tls is not None:
        _, connection = await aiofastnet.create_connection(loop, factory, address.host, address.port, ssl=address.tls)
    else:
        _, connection = await loop.create_connection(factory, address.host, address.port)
    return connection
