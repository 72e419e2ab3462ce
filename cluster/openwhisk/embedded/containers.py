"""Containers: a process, its folder, its connection and its logs.

    <state>/containers/<number>/       private to the owner
        s                              the socket at which the container serves /init and /run
        work/                          its working directory
        tmp/                           its TMPDIR
        stdout, stderr                 pipes, where logs are collected

The socket is listening before the process exists, so a connection is never refused and needs no second try: what the runtime takes to
boot is waited for in /init, and counted as init time, which is what the real platform does by trying again until it is there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.kinds import Kind
from cluster.openwhisk.embedded.logs import ContainerLogs
from cluster.openwhisk.embedded.outcomes import Ending, Heard
from cluster.openwhisk.embedded.spawner import NODE_ACTION, Spawner, SpawnError
from owray.http1.client import Reply
from owray.http1.connection import Connection, Unix, connect

_log = logging.getLogger(__name__)

_HEAD = b"POST %b HTTP/1.1\r\nHost: container\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


def _nobody(_: int) -> None:
    return None


class CannotStart(Exception):
    """The container could not be created."""


class _Call:
    """One request to a container and how it ends: by the reply, by the connection, or by `end`."""

    __slots__ = ("heard",)

    def __init__(self, heard: asyncio.Future[Heard]) -> None:
        self.heard = heard

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        self.end(Reply(status, body))

    def broken(self, connection: Connection, error: Exception | None) -> None:
        self.end(Ending.BROKEN)

    def end(self, heard: Heard) -> None:
        if not self.heard.done():
            self.heard.set_result(heard)


class Container:
    """One that runs. `init` and `run` are called one at a time."""

    def __init__(self, number: int, process_id: int, connection: Connection, logs: ContainerLogs | None) -> None:
        self.number = number
        self.process_id = process_id
        self.logs = logs
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._call: _Call | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be spoken to."""
        return self._connection.reusable

    async def init(self, body: bytes, limit_ms: int) -> Heard:
        return await self._post(b"/init", body, limit_ms)

    async def run(self, body: bytes, limit_ms: int) -> Heard:
        return await self._post(b"/run", body, limit_ms)

    def close(self, ending: Ending = Ending.BROKEN) -> None:
        """Speak to it no more. A call under way ends so, even if something that it left behind holds the connection open."""
        self._connection.abort()
        if self._call is not None:
            self._call.end(ending)
        if self.logs is not None:
            self.logs.close()

    async def _post(self, path: bytes, body: bytes, limit_ms: int) -> Heard:
        if not self._connection.reusable:
            return Ending.BROKEN
        self._call = _Call(self._loop.create_future())
        timer = self._loop.call_later(limit_ms / 1000, self._call.end, Ending.OUT_OF_TIME)
        self._connection.send(_HEAD % (path, len(body), body), self._call)
        try:
            return await self._call.heard
        finally:
            timer.cancel()
            self._call = None


class Containers:
    """Makes and ends them."""

    def __init__(self, folder: Path, knobs: Knobs, cores: Sequence[int]) -> None:
        self._folder = folder
        self._knobs = knobs
        self._spawner = Spawner(cores, self._ended)
        self._starts = asyncio.Semaphore(knobs.parallel_starts)
        self._running: dict[int, Container] = {}
        self._removals: set[asyncio.Task[None]] = set()
        self._folder_descriptor = -1
        self.environment: dict[str, str] = {}
        """What every container has in its environment, beside its own folders."""
        self.on_lost: Callable[[int], None] = _nobody
        """Called with the number of a container whose process ended without having been destroyed."""

    async def open(self) -> None:
        """Begin with an empty folder: what an earlier platform left there is of no use."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        self._folder_descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        await self._spawner.start()

    async def close(self) -> None:
        """End all containers and remove their folders."""
        for container in self._running.values():
            container.close()
        self._running.clear()
        await self._spawner.stop()
        await asyncio.gather(*self._removals)
        os.close(self._folder_descriptor)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def start(self, number: int, kind: Kind) -> Container:
        """A process that listens, and a connection to it. Raises CannotStart."""
        async with self._starts:
            if self._knobs.container_start_delay_ms:
                await asyncio.sleep(self._knobs.container_start_delay_ms / 1000)
            logs: ContainerLogs | None = None
            try:
                folder = self._make_folder(number)
                logs = ContainerLogs(asyncio.get_running_loop(), folder) if self._knobs.log_store == "docker-cli" else None
                process_id = await self._spawn(number, folder, kind, logs=logs is not None)
                connection = await self._connect(number)
            except (SpawnError, OSError) as error:
                _log.exception("container %d could not be started", number)
                if logs is not None:
                    logs.close()
                self._spawner.kill(number)
                self._remove_folder(number)
                raise CannotStart(str(error)) from error
        container = Container(number, process_id, connection, logs)
        self._running[number] = container
        return container

    def destroy(self, number: int) -> None:
        """End it; its folder goes when its process has gone."""
        container = self._running.pop(number, None)
        if container is not None:
            container.close()
            self._spawner.kill(number)

    def find(self, number: int) -> Container | None:
        """The container of that number, if its process still runs."""
        return self._running.get(number)

    def _make_folder(self, number: int) -> Path:
        folder = self._folder / str(number)
        for directory in (folder, folder / "work", folder / "tmp"):
            directory.mkdir(mode=0o700)
        return folder

    async def _spawn(self, number: int, folder: Path, kind: Kind, *, logs: bool) -> int:
        environment = self.environment | {"HOME": str(folder / "work"), "TMPDIR": str(folder / "tmp")}
        program = None if kind.family == "python" else [str(kind.program), str(NODE_ACTION)]
        return await self._spawner.spawn(number, folder, program, environment, logs=logs)

    async def _connect(self, number: int) -> Connection:
        # By the descriptor of the folder: a socket's path may have 107 bytes only, and the state folder may lie deep.
        path = Path(f"/proc/self/fd/{self._folder_descriptor}/{number}/s")
        return await connect(asyncio.get_running_loop(), Unix(path), number)

    def _ended(self, number: int) -> None:
        container = self._running.pop(number, None)
        if container is not None:
            container.close()
            self.on_lost(number)
        self._remove_folder(number)

    def _remove_folder(self, number: int) -> None:
        # Nothing to do for a thread that is there already; what an action has written may take a while to go.
        removal = asyncio.create_task(asyncio.to_thread(shutil.rmtree, self._folder / str(number), ignore_errors=True))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)
