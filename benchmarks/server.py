"""The server that clients are measured against: answers every POST with an activation record, as OpenWhisk does to a blocking call.

Nothing is looked at but where a request ends, so that it costs the server less than any client. It runs in a process of its own on a
core of its own, and ends when its standard input does: whoever started it cannot leave it behind, however it ends itself.

    python -m benchmarks.server CORE DELAY_MS [PEM]      prints its port; speaks TLS where it is given a key and certificate
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.measure import pin

CHECKSUM = "5d41402abc4b2a76"
"""What the function in the record answers."""

RECORD = (
    b'{"activationId":"%032x","annotations":[{"key":"path","value":"guest/noop"},{"key":"waitTime","value":3},'
    b'{"key":"kind","value":"python:3"},{"key":"timeout","value":false},{"key":"limits","value":{"concurrency":1,"logs":10,'
    b'"memory":256,"timeout":60000}}],"duration":2,"end":1767225600005,"logs":[],"name":"noop","namespace":"guest","publish":false,'
    b'"response":{"result":{"checksum":"' + CHECKSUM.encode() + b'","ok":true,"t":{"gen":1,"compute":12,"io":0,"total":14},"n":1,'
    b'"c":"8f14e45fceea167a","boot":1767225590000,"k":41,"py":"3.11.7"},"size":171,"status":"success","success":true},'
    b'"start":1767225600003,"subject":"guest","version":"0.0.1"}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Openwhisk-Activation-Id: %032x\r\nContent-Length: %d\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection: every whole request is answered, `delay_s` later."""

    answers = 0

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float) -> None:
        self._loop = loop
        self._delay_s = delay_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := _end_of_request(self._received)) > 0:
            self._received = self._received[end:]
            if self._delay_s:
                self._loop.call_later(self._delay_s, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        Answering.answers += 1
        body = RECORD % Answering.answers
        self._transport.write(_HEAD % (Answering.answers, len(body)) + body)


def _end_of_request(received: bytes) -> int:
    """Where the first request ends; 0 where it has not arrived yet."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return 0
    head = received[:head_end].lower()
    at = head.find(b"\r\ncontent-length:")
    length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    end = head_end + 4 + length
    return end if len(received) >= end else 0


async def _serve(delay_s: float, pem: str | None) -> None:
    loop = asyncio.get_running_loop()
    tls = None
    if pem is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pem)
    server = await loop.create_server(lambda: Answering(loop, delay_s), "127.0.0.1", 0, backlog=4096, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


@contextmanager
def serving(core: int, delay_ms: int = 0, pem: Path | None = None) -> Iterator[int]:
    """The port of a server on this core, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.server", str(core), str(delay_ms), *([str(pem)] if pem else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise SystemExit("the server did not start")
        yield int(line)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    uvloop.run(_serve(int(sys.argv[2]) / 1000, sys.argv[3] if len(sys.argv) > 3 else None))
