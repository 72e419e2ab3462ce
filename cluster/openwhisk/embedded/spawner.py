"""The platform's side of the zygote: ask for a process, have one paused, resumed or ended, hear of its end.

If the zygote itself ends, all its containers end with it; that is logged, whatever it left is killed, and another one is started. What
was about to be started waits for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.openwhisk.embedded.runtimes import zygote

RUNTIMES = Path(zygote.__file__).parent
ZYGOTE = RUNTIMES / "zygote.py"
PYTHON_ACTION = RUNTIMES / "python_action.py"
NODE_ACTION = RUNTIMES / "node_action.js"

END_WAIT_S = 10.0
"""How long a zygote that was told to end may take; it kills what is below it first."""

RESTART_PAUSE_S = 0.2
"""Between the end of a zygote and the start of the next, so that one that cannot live does not take the core."""

_log = logging.getLogger(__name__)


class SpawnError(Exception):
    """No process could be made."""


class _ZygoteLost(Exception):
    """It ended before a process was made."""


class Spawner:
    """`on_ended(number, status)` is called on the loop for each process that has ended and was reaped (the status is negative for a
    signal), `on_resumed` for each that runs again, `on_restarted` for each zygote after the first."""

    def __init__(
        self,
        cores: Sequence[int],
        on_ended: Callable[[int, int], None],
        on_resumed: Callable[[int], None],
        on_restarted: Callable[[], None],
    ) -> None:
        self._cores = cores
        self._on_ended = on_ended
        self._on_resumed = on_resumed
        self._on_restarted = on_restarted
        self._ready = asyncio.Event()
        """Set while there is a zygote, as far as is known."""
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._running: set[int] = set()
        """Those ordered, of whose end nothing was heard."""
        self.starts = 0

    async def start(self) -> None:
        """Have a zygote, and another one whenever it ends."""
        zygote.become_subreaper()
        reader = await self._new_zygote()
        self._listening = asyncio.create_task(self._listen(reader))

    async def stop(self) -> None:
        """End the zygote and all containers."""
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()  # at which it kills what is below it, and ends
        if self._process is not None:
            try:
                await asyncio.to_thread(self._process.wait, END_WAIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        await asyncio.to_thread(_kill_orphans)

    async def spawn(
        self,
        number: int,
        folder: Path,
        program: Sequence[str] | None,
        environment: dict[str, str],
        *,
        logs: bool,
        nice: int,
        memory: Mapping[str, str | int | None],
    ) -> int:
        """The process id of a new container: a fork of the Python runtime, or `program`. Waits for a zygote. Raises SpawnError."""
        order = {
            "start": number,
            "folder": str(folder),
            "program": program,
            "environment": environment | {zygote.MARK: str(number)},
            "logs": logs,
            "nice": nice,
            "memory": memory,
        }
        while True:
            await self._ready.wait()
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._starting[number] = future
            try:
                self._order(order)
                self._running.add(number)
                return await future
            except _ZygoteLost:
                (folder / zygote.SOCKET_NAME).unlink(missing_ok=True)
            finally:
                self._starting.pop(number, None)

    def owes_end(self, number: int) -> bool:
        """Whether `on_ended` is still to be called for it."""
        return number in self._running

    def kill(self, number: int) -> None:
        """End the container's process and all others of its group. One that has ended already is no error."""
        if number in self._running:
            self._order({"kill": number})

    def pause(self, number: int) -> None:
        """Stop the container's processes until `resume`; they keep their memory."""
        self._order({"pause": number})

    def resume(self, number: int) -> None:
        """Have them run again; `on_resumed` follows, or `on_ended`."""
        self._order({"resume": number})

    def prepare_spares(self, groups: Sequence[str | None]) -> None:
        """Have a fork for each of these control groups, ready for a container to come; to be called when nothing else wants the cores."""
        self._order({"spares": groups})

    @property
    def process_id(self) -> int | None:
        """Of the zygote."""
        return self._process.pid if self._process else None

    def _order(self, order: dict[str, Any]) -> None:
        if (
            self._writer is not None and not self._writer.is_closing()
        ):  # else its end will be heard of, and with it that of all it was to do
            self._writer.write(json.dumps(order).encode() + b"\n")

    async def _new_zygote(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        cores = ",".join(map(str, self._cores))
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - 1 ms, at start only; our own interpreter and file
                [sys.executable, "-I", "-S", "-B", str(ZYGOTE), str(os.getpid()), cores, str(PYTHON_ACTION)],
                stdin=theirs.fileno(),
                start_new_session=True,
                cwd="/",
            )
        self.starts += 1
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._ready.set()
        return reader

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            with suppress(ConnectionError):  # instead of the end, where it was killed with orders unread
                async for line in reader:
                    self._heard(json.loads(line))
            await self._zygote_ended()
            await asyncio.sleep(RESTART_PAUSE_S)
            reader = await self._new_zygote()
            self._on_restarted()

    def _heard(self, event: dict[str, Any]) -> None:
        if "ended" in event:
            self._running.discard(event["ended"])
            self._on_ended(event["ended"], event["status"])
            return
        if "resumed" in event:
            self._on_resumed(event["resumed"])
            return
        failed = "failed" in event
        number = event["failed" if failed else "started"]
        future = self._starting.get(number)
        if failed:
            self._running.discard(number)
        if future is None or future.done():  # nobody waits for it any more
            self._on_ended(number, -signal.SIGKILL) if failed else self.kill(number)
        elif failed:
            future.set_exception(SpawnError(event["error"]))
        else:
            future.set_result(event["pid"])

    async def _zygote_ended(self) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
        status = await asyncio.to_thread(self._process.wait) if self._process else None
        _log.error("the server that forks containers has ended (status %s), and its containers with it; starting another", status)
        await asyncio.to_thread(_kill_orphans)
        for number, future in self._starting.items():
            if not future.done():
                future.set_exception(_ZygoteLost)
                self._running.discard(number)
        lost, self._running = self._running, set()
        for number in lost:
            self._on_ended(number, -signal.SIGKILL)


def _kill_orphans() -> None:
    """End what the zygote left: it came to this process, whose only other child the zygote was. Blocks until the last is reaped."""
    while True:
        zygote.kill_children()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
