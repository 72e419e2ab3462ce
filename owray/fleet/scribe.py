"""The scribe of a node: turns closed journals into parts while the storm goes on, and samples the machine.

One a node, in a process of its own: converting rows holds Python's lock for milliseconds at a time, and in the invoker's process every
one of them would be lag.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from owray.record.journal import JournalError
from owray.record.parts import convert_closed
from owray.record.run import RunFolder
from owray.record.samples import Sampler

PERIOD_S = 1.0
WRITE_SAMPLES_EVERY_S = 30
_NICENESS = 19


class Scribe:
    """`start`, then `finish` when the invokers of the node have closed their journals."""

    def __init__(self, folder: Path, node: str) -> None:
        self._folder = RunFolder(folder)
        self._node = node
        self._recipe = self._folder.load().recipe
        self._sampler = Sampler(node)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        _stand_back()
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def finish(self) -> None:
        """Write the samples, then convert what is left. Raises OSError and JournalError; journals that are left are as they were."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            self._sampler.sample()
            self._sampler.write(self._folder.hosts)
        finally:
            self._convert()

    async def _work(self) -> None:
        """What cannot be sampled, read or written now is no reason to stop: the next second is another try."""
        seconds = 0
        while True:
            with suppress(OSError, JournalError):
                self._convert()
            with suppress(OSError):
                self._sampler.sample()
                seconds += 1
                if seconds % WRITE_SAMPLES_EVERY_S == 0:
                    self._sampler.write(self._folder.hosts)
            await asyncio.sleep(PERIOD_S)

    def _convert(self) -> None:
        convert_closed(self._folder.journals(self._node), self._folder.calls(self._node), self._recipe)


def _stand_back() -> None:
    """Let everything else on the machine go first.

    A nice value counts among the processes of one session only where Linux shares the core out by sessions first (sched_autogroup, on by
    default): without one of its own, whose weight is then lowered, the first conversion took half of the platform's core for 0.2 s.
    """
    os.nice(_NICENESS)
    with suppress(OSError):  # who leads a group, as Ray's workers do, cannot begin a session: so it joins its parent's first
        os.setpgid(0, os.getpgid(os.getppid()))
    with suppress(OSError):  # it leads a session already
        os.setsid()
    if os.getsid(0) == os.getpid():  # never lower the weight of a session that others are in: the invokers are
        with suppress(OSError):  # the kernel has no autogroups, or /proc is read-only
            Path("/proc/self/autogroup").write_text(str(_NICENESS))
