"""Reading what an action prints.

Each container has two pipes. What comes out of them is stamped line by line with the time of its arrival, as docker's log driver does,
until the sentinel says that the activation has written all it will.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

SENTINEL = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX"

SENTINEL_WAIT_S = 2.0
"""How long the sentinels are waited for before the logs, and with them the container, are given up."""

KEPT_BYTES = 10 * 1024 * 1024
"""What is kept of one activation's output; standalone's store has no limit, but this platform's memory has."""

STREAMS = ("stdout", "stderr")


class LogPipe:
    """The reading end of one stream, as a FIFO. `cut` says that the sentinel has come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self._loop = loop
        os.mkfifo(path, 0o600)
        # Opened for both, so that it never ends: the container comes later, and what it starts may go on writing after it.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._partial = b""
        self._lines: list[str] = []
        self._bytes = 0
        self._cut = asyncio.Event()
        loop.add_reader(self._descriptor, self._readable)

    async def collect(self) -> list[str]:
        """The lines up to the sentinel. Raises TimeoutError where it does not come."""
        async with asyncio.timeout(SENTINEL_WAIT_S):
            await self._cut.wait()
        return self.take()

    def take(self) -> list[str]:
        """The lines so far, sentinel or not."""
        lines, self._lines = self._lines, []
        self._bytes = 0
        self._cut.clear()
        return lines

    def close(self) -> None:
        """Once or more than once."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        stamp = _timestamp(time.time_ns())
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            text, sentinel, _ = line.partition(SENTINEL)
            # An action that does not end its last line has the sentinel in it.
            if text or not sentinel:
                self._keep(f"{stamp} {text.decode('utf-8', 'replace')}")
            if sentinel:
                self._cut.set()
        if len(self._partial) > KEPT_BYTES:
            self._partial = b""

    def _keep(self, line: str) -> None:
        self._bytes += len(line)
        if self._bytes <= KEPT_BYTES:
            self._lines.append(line)


class ContainerLogs:
    """Both streams of one container, as `docker logs` gives them to the standalone server: lines with a time but without a stream's
    name, and of standard output only. Standard error is read to its sentinel and dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self._pipes = [LogPipe(loop, folder / stream) for stream in STREAMS]

    async def collect(self) -> list[str]:
        """What the activation just ended has printed. Raises TimeoutError where a sentinel is missing."""
        stdout, _ = [await pipe.collect() for pipe in self._pipes]
        return stdout

    def take(self) -> list[str]:
        """As `collect`, but without waiting: after a failure no sentinel may come."""
        stdout, _ = [pipe.take() for pipe in self._pipes]
        return stdout

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()


def _timestamp(epoch_ns: int) -> str:
    seconds, nanoseconds = divmod(epoch_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
