"""The scribe of a node: turns closed journals into parts while the storm goes on, and samples the machine.

One a node, in a process of its own: converting rows holds Python's lock for milliseconds at a time, and in the invoker's process every
one of them would be lag.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from owray.record.parts import convert_closed
from owray.record.run import RunFolder
from owray.record.samples import Sampler

PERIOD_S = 1.0
WRITE_SAMPLES_EVERY = 30
_NICENESS = 10


class Scribe:
    """`start`, then `finish` when the invokers of the node have closed their journals."""

    def __init__(self, folder: Path, node: str) -> None:
        self._folder = RunFolder(folder)
        self._node = node
        self._recipe = self._folder.load().recipe
        self._sampler = Sampler(node)
        self._task: asyncio.Task[None] | None = None
        self._parts = 0

    async def start(self) -> None:
        os.nice(_NICENESS)
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def finish(self) -> int:
        """Convert what is left and write the samples; how many parts there are. Raises OSError, of the background work too."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if not self._task.cancelled() and (problem := self._task.exception()) is not None:
                raise problem
        self._sampler.sample()
        self._sampler.write(self._folder.hosts)
        self._convert()
        return self._parts

    async def _work(self) -> None:
        samples = 0
        while True:
            self._sampler.sample()
            samples += 1
            if samples % WRITE_SAMPLES_EVERY == 0:
                self._sampler.write(self._folder.hosts)
            self._convert()
            await asyncio.sleep(PERIOD_S)

    def _convert(self) -> None:
        journals = self._folder.journals(self._node)
        self._parts += len(convert_closed(journals, self._folder.calls(self._node), self._recipe))
