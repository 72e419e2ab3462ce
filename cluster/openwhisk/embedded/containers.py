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
import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.openwhisk.embedded.config import MIB, Knobs
from cluster.openwhisk.embedded.file_logs import FileStore
from cluster.openwhisk.embedded.kinds import Kind
from cluster.openwhisk.embedded.logs import ContainerLogs, DockerCliStore, LogStore
from cluster.openwhisk.embedded.memory import Bound, MemoryLimits
from cluster.openwhisk.embedded.outcomes import Ending, Heard
from cluster.openwhisk.embedded.spawner import NODE_ACTION, PYTHON_ACTION, Spawner, SpawnError
from owray.http1.client import Reply
from owray.http1.connection import Connection, Unix, connect

_log = logging.getLogger(__name__)

_HEAD = b"POST %b HTTP/1.1\r\nHost: container\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


SPARES = 16
"""As many as there are places for OpenWhisk's smallest containers in the memory of its charts: 2048 MB by 128 MB."""

END_WAIT_S = 1.0
"""How long after its connection a container's process may be heard to have ended; it is a matter of milliseconds."""

RESUME_TIMEOUT_S = 10.0
"""As long as a `docker unpause` may take; then the container is given up, and its call finds another."""

LONGEST_TURN_S = 0.05
"""A container that takes longer to initialise waits for something else than its core, and others need not wait for it."""


def _nobody(_: int) -> None:
    return None


class CannotStart(Exception):
    """The container could not be created."""


class _Call:
    """One request to a container and how it ends, once: by the reply, by the connection, by the clock, or by the container's end."""

    __slots__ = ("_container", "_then", "timer")

    def __init__(self, container: Container, then: Callable[[Heard], None]) -> None:
        self._container = container
        self._then: Callable[[Heard], None] | None = then
        self.timer: asyncio.TimerHandle | None = None

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        self.end(Reply(status, body, connection.left_out))

    def broken(self, connection: Connection, error: Exception | None) -> None:
        self.end(Ending.BROKEN)

    def end(self, heard: Heard) -> None:
        then, self._then = self._then, None
        if then is None:
            return
        if self.timer is not None:
            self.timer.cancel()
        self._container.ended()
        then(heard)


class _Turn:
    """A container's turn on a core, from its fork to whatever comes first: its first answer, its end, LONGEST_TURN_S.

    Where sixteen share a core until all are ready, the first is as late as the last, and calls pile up that it could have served.
    """

    __slots__ = ("_cores", "_timer")

    def __init__(self, cores: asyncio.Semaphore) -> None:
        self._cores: asyncio.Semaphore | None = cores
        self._timer = asyncio.get_running_loop().call_later(LONGEST_TURN_S, self.end)

    def end(self) -> None:
        if self._cores is not None:
            self._timer.cancel()
            self._cores.release()
            self._cores = None


class Container:
    """One that runs. `init` and `run` are called one at a time."""

    def __init__(self, number: int, connection: Connection, logs: ContainerLogs | None, turn: _Turn, bound: Bound) -> None:
        self.number = number
        self.logs = logs
        self._bound = bound
        self._end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether its memory had run out when its process ended."""
        self._connection = connection
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._call: _Call | None = None
        self._resuming: tuple[asyncio.TimerHandle, Callable[[], None]] | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be spoken to."""
        return self._connection.reusable

    def init(self, body: bytes, limit_ms: int, then: Callable[[Heard], None]) -> None:
        """As `run`."""
        self._post(b"/init", body, limit_ms, then)

    def run(self, body: bytes, limit_ms: int, then: Callable[[Heard], None]) -> None:
        """`then` is called with what was heard, never before this returns."""
        self._post(b"/run", body, limit_ms, then)

    async def out_of_memory(self, wait_s: float) -> bool:
        """Whether its memory ran out, once a call has ended without a reply; known at once, or looked for as long as `wait_s`."""
        give_up_at = self._loop.time() + wait_s
        if self._bound.shown_by_status and not self._connection.reusable:
            await asyncio.wait([self._end], timeout=max(wait_s, END_WAIT_S))
        if not self._exhausted():
            await asyncio.sleep(give_up_at - self._loop.time())
        return self._exhausted()

    def _exhausted(self) -> bool:
        return self._end.result() if self._end.done() else self._bound.exhausted(None)

    def process_ended(self, status: int) -> None:
        """By itself, not destroyed. To be called while its bound is its own."""
        self._end.set_result(self._bound.exhausted(status))
        self.close()

    def ended(self) -> None:
        """The call under way is over: the container may be called again."""
        self._call = None
        self._turn.end()

    def resuming(self, then: Callable[[], None]) -> None:
        """`then` is called when it has been `resumed`, or was closed before that: by its end or because it took too long."""
        self._resuming = self._loop.call_later(RESUME_TIMEOUT_S, self.close), then

    def resumed(self) -> None:
        """It runs again."""
        if self._resuming is not None:
            (timer, then), self._resuming = self._resuming, None
            timer.cancel()
            then()

    def close(self, ending: Ending = Ending.BROKEN) -> None:
        """Speak to it no more. A call under way ends so, even if something that it left behind holds the connection open."""
        self._connection.abort()
        self._turn.end()
        self.resumed()
        if self._call is not None:
            self._call.end(ending)
        if self.logs is not None:
            self.logs.close()

    def _post(self, path: bytes, body: bytes, limit_ms: int, then: Callable[[Heard], None]) -> None:
        if not self._connection.reusable:
            self._loop.call_soon(then, Ending.BROKEN)
            return
        call = self._call = _Call(self, then)
        # One more: uvloop's timers count whole milliseconds from the last one, and no record may show less than the limit.
        call.timer = self._loop.call_later((limit_ms + 1) / 1000, call.end, Ending.OUT_OF_TIME)
        self._connection.send(_HEAD % (path, len(body), body), call)


def niceness(memory_mb: int, user_memory_mb: int) -> int:
    """The nice value of a container, by the memory of its action.

    OpenWhisk gives docker `--cpu-shares` = max(2, 1024 / (user memory / memory)): all containers that fit weigh together what one ordinary
    process weighs. A step of nice is a factor of 1.25 in the kernel's weights (sched_prio_to_weight), and 19 is the last.
    """
    shares = max(2.0, 1024 * memory_mb / user_memory_mb)
    return min(max(round(math.log(1024 / shares, 1.25)), 0), 19)


def _program(kind: Kind, bound: Bound) -> list[str] | None:
    """What is executed; None for a fork of the zygote, which is an interpreter of the platform's own kind."""
    if kind.family == "nodejs":
        limits = [f"--max-old-space-size={bound.old_space_mb}"] if bound.old_space_mb else []
        return [str(kind.program), *limits, str(NODE_ACTION)]
    return None if kind.forked else [str(kind.program), "-I", "-S", "-B", str(PYTHON_ACTION)]


class Containers:
    """Makes and ends them."""

    def __init__(self, folder: Path, knobs: Knobs, cores: Sequence[int], memory: MemoryLimits) -> None:
        self._folder = folder
        self._knobs = knobs
        self._memory = memory
        self._bounds: dict[int, Bound] = {}
        self._spawner = Spawner(cores, self._ended, self._resumed, self._restarted)
        self._starts = asyncio.Semaphore(knobs.parallel_starts)
        self._cores = asyncio.Semaphore(len(cores))
        self._running: dict[int, Container] = {}
        self._preparing: asyncio.Task[None] | None = None
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
        self._preparing = asyncio.create_task(self._prepare())
        await self._preparing

    async def close(self) -> None:
        """End all containers and remove their folders."""
        for container in self._running.values():
            container.close()
        self._running.clear()
        self._memory.stop_sparing()
        await self._spawner.stop()
        if self._preparing is not None:
            await self._preparing
        await asyncio.gather(*self._removals)
        os.close(self._folder_descriptor)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        await asyncio.to_thread(self._memory.close)

    async def start(self, number: int, kind: Kind, memory_mb: int) -> Container:
        """A process that listens, and a connection to it. Raises CannotStart."""
        async with self._starts:
            turn: _Turn | None = None
            logs: ContainerLogs | None = None
            try:
                async with asyncio.timeout(self._knobs.start_timeout_ms / 1000):
                    if self._knobs.container_start_delay_ms:
                        await asyncio.sleep(self._knobs.container_start_delay_ms / 1000)
                    await self._cores.acquire()
                    turn = _Turn(self._cores)
                    folder = self._make_folder(number)
                    logs = self._open_logs(folder)
                    bound = self._bounds[number] = self._memory.take(memory_mb, kind)
                    await self._spawn(number, folder, kind, memory_mb, bound, logs=logs is not None)
                    connection = await self._connect(number)
            except (SpawnError, OSError) as error:  # a time-out is an OSError as well
                _log.exception("container %d could not be started", number)
                if turn is not None:
                    turn.end()
                if logs is not None:
                    logs.close()
                self._spawner.kill(number)
                self._remove_folder(number)
                raise CannotStart(str(error)) from error
        connection.keep = self._knobs.result_bytes
        container = Container(number, connection, logs, turn, bound)
        self._running[number] = container
        return container

    def pause(self, number: int) -> None:
        """Its processes stop until `resume`."""
        self._spawner.pause(number)

    def resume(self, number: int, then: Callable[[], None]) -> None:
        """`then` is called when it can be spoken to, or cannot be any more."""
        self._running[number].resuming(then)
        self._spawner.resume(number)

    def prepare(self) -> None:
        """Have spares for what may start next; to be called when nothing else wants the cores. Nothing where that is under way."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare())

    def destroy(self, number: int) -> None:
        """End it; its folder goes when its process has gone."""
        container = self._running.pop(number, None)
        if container is not None:
            container.close()
            self._spawner.kill(number)

    def find(self, number: int) -> Container | None:
        """The container of that number, if its process still runs."""
        return self._running.get(number)

    @property
    def zygotes_lost(self) -> int:
        """How many servers that fork containers have ended by themselves; all of their containers went with each."""
        return max(0, self._spawner.starts - 1)

    async def _prepare(self) -> None:
        try:
            self._spawner.prepare_spares(await self._memory.spare(SPARES))
        except OSError:  # which the next start will tell, if it is still so
            _log.exception("no groups can be made for spares")

    def _open_logs(self, folder: Path) -> ContainerLogs | None:
        """None where logs are out of band."""
        knobs = self._knobs
        if knobs.log_store == "driver":
            return None
        store: LogStore = FileStore() if knobs.log_store == "file" else DockerCliStore()
        return ContainerLogs(asyncio.get_running_loop(), folder, store, knobs.clock_skew_ms, knobs.logs_mb.greatest * MIB)

    def _make_folder(self, number: int) -> Path:
        folder = self._folder / str(number)
        for directory in (folder, folder / "work", folder / "tmp"):
            directory.mkdir(mode=0o700)
        return folder

    async def _spawn(self, number: int, folder: Path, kind: Kind, memory_mb: int, bound: Bound, *, logs: bool) -> int:
        environment = self.environment | {"HOME": str(folder / "work"), "TMPDIR": str(folder / "tmp"), "__OW_ALLOW_CONCURRENT": "false"}
        try:
            return await self._spawner.spawn(
                number,
                folder,
                _program(kind, bound),
                environment,
                logs=logs,
                nice=niceness(memory_mb, self._knobs.user_memory_mb),
                memory=bound.order(),
            )
        except (SpawnError, asyncio.CancelledError):  # the latter of a time-out too
            if not self._spawner.owes_end(number):  # there is no process whose end would do it
                self._give_back(number)
            raise

    def _give_back(self, number: int) -> None:
        bound = self._bounds.pop(number, None)
        if bound is not None:
            self._memory.give_back(bound)

    async def _connect(self, number: int) -> Connection:
        # By the descriptor of the folder: a socket's path may have 107 bytes only, and the state folder may lie deep.
        path = Path(f"/proc/self/fd/{self._folder_descriptor}/{number}/s")
        return await connect(asyncio.get_running_loop(), Unix(path), number)

    def _restarted(self) -> None:
        if not self._bounds:  # nobody waited for it
            self.prepare()

    def _resumed(self, number: int) -> None:
        container = self._running.get(number)
        if container is not None:
            container.resumed()

    def _ended(self, number: int, status: int) -> None:
        container = self._running.pop(number, None)
        if container is not None:
            container.process_ended(status)
            self.on_lost(number)
        self._give_back(number)
        self._remove_folder(number)

    def _remove_folder(self, number: int) -> None:
        # Nothing to do for a thread that is there already; what an action has written may take a while to go.
        removal = asyncio.create_task(asyncio.to_thread(shutil.rmtree, self._folder / str(number), ignore_errors=True))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)
