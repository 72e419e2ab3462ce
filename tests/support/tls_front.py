"""Somebody's own OpenWhisk over TLS: an embedded platform behind a small front that ends the TLS, as nginx does before a real one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from support.certificates import self_signed
from support.platform import RunningPlatform, running_platform


@dataclass(frozen=True)
class OwnOpenWhisk:
    """`api_host` is https, `certificate` the file that makes it trusted, `auth` "uuid:key"."""

    api_host: str
    certificate: Path
    platform: RunningPlatform

    @property
    def auth(self) -> str:
        return self.platform.target.auth

    def write_wskprops(self, path: Path, *, namespace: str = "guest") -> Path:
        path.write_text(f"APIHOST={self.api_host}\nAUTH={self.auth}\nNAMESPACE={namespace}\n")
        return path


@contextlib.contextmanager
def own_openwhisk(folder: Path) -> Iterator[OwnOpenWhisk]:
    folder.mkdir(parents=True, exist_ok=True)
    context, certificate = self_signed(folder)
    with running_platform(folder / "platform") as platform, tls_front(platform.target.api_host, context) as port:
        yield OwnOpenWhisk(f"https://127.0.0.1:{port}", certificate, platform)


@contextlib.contextmanager
def tls_front(behind: str, context: ssl.SSLContext) -> Iterator[int]:
    """Passes requests and replies on, in a thread of its own; the port it listens on."""
    parts = urlsplit(behind)
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        with contextlib.closing(writer), contextlib.closing(back):
            ways = [asyncio.create_task(_pass_requests(reader, back, parts.netloc)), asyncio.create_task(_pass_on(there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pass_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Under the name that the platform goes by: it refuses others."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            writer.write(re.sub(rb"(?i)\r\nhost:[^\r]*", b"\r\nHost: " + host.encode(), head, count=1) + body)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()


async def _close(server: asyncio.Server) -> None:
    server.close()
    mine = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in mine:
        task.cancel()
    await asyncio.gather(*mine, return_exceptions=True)
