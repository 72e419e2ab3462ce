"""A server that does exactly what a test's script says, byte for byte."""

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.certificates import self_signed
from support.loops import LOOPS, settled

from owray.http1.connection import Tcp, Unix, connect


@pytest.fixture(params=sorted(LOOPS))
def loop_kind(request):
    return request.param


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(server's context, path of the certificate)."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


class Heard:
    """An exchange that remembers how it ended, and what the connection said at that moment."""

    def __init__(self):
        self.ended = asyncio.get_running_loop().create_future()
        self.endings = 0

    def answered(self, connection, status, body):
        self._end(("answered", status, body))

    def broken(self, connection, error):
        self._end(("broken", error))

    def _end(self, ending):
        self.endings += 1
        if not self.ended.done():
            self.ended.set_result(ending)


class Server:
    """Runs `script(reader, writer)` for each connection, and ends what is left of it at the end."""

    def __init__(self, script):
        self.accepted = 0
        self._script = script
        self._tasks = set()
        self._writers = set()

    def factory(self):
        reader = asyncio.StreamReader(limit=1 << 22)
        return asyncio.StreamReaderProtocol(reader, self._accept)

    def _accept(self, reader, writer):
        self.accepted += 1
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(self._play(reader, writer))
        self._tasks.add(task)

    async def _play(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # the client left, as some tests mean it to
            await self._script(reader, writer)

    async def end(self):
        for task in self._tasks:
            task.cancel()
        failures = await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await settled()
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure


@asynccontextmanager
async def serving(script, *, tls=None, path=None):
    """(address, server) of a server on loopback, or on a Unix socket."""
    loop = asyncio.get_running_loop()
    server = Server(script)
    if path is None:
        listening = await loop.create_server(server.factory, "127.0.0.1", 0, ssl=tls)
        address = Tcp(*listening.sockets[0].getsockname()[:2])
    else:
        listening = await loop.create_unix_server(server.factory, str(path))
        address = Unix(Path(path))
    try:
        yield address, server
    finally:
        listening.close()
        await server.end()


@asynccontextmanager
async def connected(script, **how):
    """(connection, server) with one connection open."""
    async with serving(script, **how) as (address, server):
        connection = await connect(asyncio.get_running_loop(), address)
        try:
            yield connection, server
        finally:
            connection.abort()
            await settled()


@pytest.fixture(name="serving", scope="session")
def _serving():
    return serving


@pytest.fixture(name="connected", scope="session")
def _connected():
    return connected


@pytest.fixture(name="heard", scope="session")
def _heard():
    return Heard
