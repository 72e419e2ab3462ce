"""Reading what an action prints.

Each container has two pipes. What comes out of them is stamped line by line with the time of its arrival, as docker's log driver does,
until the sentinel says that the activation has written all it will. What becomes of the lines is for a log store to say.

    pipe       event                          next       effect
    keeping    a line                         keeping    kept, with its time
    keeping    more than may be kept          flooded    the rest of the activation is looked through for its sentinel only
    any        the sentinel                   (same)     the activation is complete
    any        taken                          keeping    what was kept is handed over
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

SENTINEL = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX"
_MARK = SENTINEL + b"\n"

SENTINEL_WAIT_S = 2.0
"""How long the sentinels are waited for before the logs, and with them the container, are given up."""

STREAMS = ("stdout", "stderr")

LINE_BYTES = 40
"""What a line counts beside its text: its end, and what the file store puts before it. Short lines are dear to keep, too."""

READ_BYTES = 65536

FULLEST_PIPE_READS = 16
"""A pipe can hold a megabyte at most (fs.pipe-max-size)."""


class Chunk(NamedTuple):
    """The lines that came at one time (epoch nanoseconds), and what they count."""

    arrived_ns: int
    lines: list[str]
    counted: int


class Printed(NamedTuple):
    """What came out of one pipe. `complete`: up to the sentinel; `flooded`: more than is kept."""

    chunks: list[Chunk]
    complete: bool
    flooded: bool


class Collected(NamedTuple):
    """The lines of an activation for its record. `whole`: read to their end and within their limit."""

    lines: Sequence[str]
    whole: bool
    truncated: bool


class LogStore(Protocol):
    """How lines look, and what is made of them."""

    def prefix(self, stamp: str, stream: str) -> str:
        """What stands before the text of a line."""

    def collected(self, stdout: Printed, stderr: Printed, limit_bytes: int, stamp: str, *, failed: bool) -> Collected:
        """`stamp` is the time of what the platform adds. `failed`: after a developer error, when nobody waits for sentinels."""


class DockerCliStore:
    """`docker logs`, as the standalone server asks for them: a time but no stream's name, of standard output only, whatever the limit."""

    def prefix(self, stamp: str, stream: str) -> str:
        return f"{stamp} "

    def collected(self, stdout: Printed, stderr: Printed, limit_bytes: int, stamp: str, *, failed: bool) -> Collected:
        lines = [line for chunk in stdout.chunks for line in chunk.lines]
        return Collected(lines, failed or (stdout.complete and stderr.complete), stdout.flooded)


class LogPipe:
    """The reading end of one stream, as a FIFO. See the module for its states."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, store: LogStore, skew_ns: int, kept_bytes: int) -> None:
        self._loop = loop
        self._stream = path.name
        self._store = store
        self._skew_ns = skew_ns
        self._kept_bytes = kept_bytes
        os.mkfifo(path, 0o600)
        # Opened for both, so that it never ends: the container comes later, and what it starts may go on writing after it.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._partial: list[bytes] = []
        """The line that has not ended yet, in the pieces it came in."""
        self._partial_bytes = 0
        self._chunks: list[Chunk] = []
        self._counted = 0
        self._complete = False
        self._flooded = False
        self._carried = b""
        self._over = asyncio.Event()
        loop.add_reader(self._descriptor, self._readable)

    async def over(self) -> None:
        """Wait until nothing more is to come: the sentinel came, or the container has gone."""
        await self._over.wait()

    def take(self) -> Printed:
        """All that came, sentinel or not; the next activation begins with nothing."""
        if not self._complete:
            self._drain()
            if self._partial_bytes and not self._complete:
                self._keep([b""])
        printed = Printed(self._chunks, self._complete, self._flooded)
        self.forget()
        return printed

    def forget(self) -> None:
        """As `take`, for who does not want it."""
        self._chunks = []
        self._counted = 0
        self._flooded = self._complete = False
        self._carried = b""
        if self._descriptor >= 0:
            self._over.clear()

    def close(self) -> None:
        """Read no more than is there already. Once or more than once."""
        if self._descriptor >= 0:
            self._drain()
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._over.set()

    def _drain(self) -> None:
        """What the container wrote before it ended may still be in the pipe. Whatever else may be writing, a full pipe is all."""
        for _ in range(FULLEST_PIPE_READS):
            if self._descriptor < 0 or not self._readable():
                return

    def _readable(self) -> bool:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        if self._flooded:
            self._pass_over(data)
        else:
            self._hear(data)
        return True

    def _hear(self, data: bytes) -> None:
        *lines, partial = data.split(b"\n")
        if lines:
            self._keep(lines)
        if partial:
            self._partial.append(partial)
            self._partial_bytes += len(partial)
        if self._counted + self._partial_bytes > self._kept_bytes:
            self._flooded = True
            self._carried = b"".join(self._partial)[1 - len(_MARK) :]
            self._partial, self._partial_bytes = [], 0

    def _keep(self, lines: list[bytes]) -> None:
        """These have ended; the first may have begun earlier."""
        if self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial, self._partial_bytes = [], 0
        arrived_ns = time.time_ns() + self._skew_ns
        prefix = self._store.prefix(timestamp(arrived_ns), self._stream)
        kept: list[str] = []
        counted = 0
        for line in lines:
            text, sentinel, _ = line.partition(SENTINEL)
            # An action that does not end its last line has the sentinel in it.
            if text or not sentinel:
                kept.append(prefix + text.decode("utf-8", "replace"))
                counted += len(text) + LINE_BYTES
            if sentinel:
                self._end()
        if kept:
            self._chunks.append(Chunk(arrived_ns, kept, counted))
            self._counted += counted

    def _pass_over(self, data: bytes) -> None:
        seen = self._carried + data
        if _MARK in seen:
            self._carried = b""
            self._end()
        else:
            self._carried = seen[1 - len(_MARK) :]

    def _end(self) -> None:
        self._complete = True
        self._over.set()


class ContainerLogs:
    """Both streams of one container. `skew_ms` is how far its host's clock is ahead; of each stream's output, `kept_bytes` are kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path, store: LogStore, skew_ms: int, kept_bytes: int) -> None:
        self._store = store
        self._skew_ns = skew_ms * 1_000_000
        with ExitStack() as opened:
            self._pipes: list[LogPipe] = []
            for stream in STREAMS:
                pipe = LogPipe(loop, folder / stream, store, self._skew_ns, kept_bytes)
                opened.callback(pipe.close)
                self._pipes.append(pipe)
            opened.pop_all()  # all are there, and stay open

    async def collect(self, limit_bytes: int, *, failed: bool) -> Collected:
        """What the activation just ended has printed. After a failure (of the developer's) no sentinel may come, and none is waited for."""
        if not failed:
            try:
                async with asyncio.timeout(SENTINEL_WAIT_S):
                    for pipe in self._pipes:
                        await pipe.over()
            except TimeoutError:
                pass
        stdout, stderr = [pipe.take() for pipe in self._pipes]
        stamp = timestamp(time.time_ns() + self._skew_ns)
        return self._store.collected(stdout, stderr, limit_bytes, stamp, failed=failed)

    def forget(self) -> None:
        """The activation just ended has no logs."""
        for pipe in self._pipes:
            pipe.forget()

    def close(self) -> None:
        """What came is kept, to be collected."""
        for pipe in self._pipes:
            pipe.close()


def timestamp(epoch_ns: int) -> str:
    """As docker writes it: nine decimals."""
    seconds, nanoseconds = divmod(epoch_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
