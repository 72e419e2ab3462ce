"""Control groups: each is the room of one container after another, and the kernel counts and bounds what is in it.

They lie in one folder of their own below the platform's group (v2 allows none below a group that has processes, so there it is beside it).
They are used again and again: a group that had files in its page cache is not gone when it is removed, and a thousand crashes would leave
a thousand of them to the kernel.

To join a group takes milliseconds, which a storm's cold starts have not. So the spares of the zygote join theirs ahead, in peace, and the
limit is set when it is known whose it is: that is one write.

    free        nothing of its last container is left but what the kernel drops when it must (page cache)
    in a thread about to be a spare's: to lower its limit has the kernel drop that, for a tenth of a second and more
    spared      a spare is in it, or will be in a moment
    taken       a container's
    forgotten   removed by somebody else; or removed here, since its last container has left files in a tmpfs. They stay charged to it, and
                would be missing to the next one
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
import signal
import subprocess
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.openwhisk.embedded.config import MIB

CgroupVersion = Literal["cgroup v1", "cgroup v2"]

SPARE_MB = 64
"""The limit of a spare before it is anybody's. To lower it to this has the kernel drop what the last container left in the page cache."""

MOST_LEFT_BYTES = MIB
"""What may stay charged to a group that is used again. To look for it takes 15 us."""

REMOVAL_WAIT_S = 1.0
"""A group can be removed when its last process has been reaped, which takes a moment after a kill."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One of the kernel's two kinds of control groups, and the folder in which groups may be made."""

    way: CgroupVersion
    parent: Path

    @property
    def counter(self) -> str:
        """The file with a line `oom_kill <count>`."""
        return "memory.oom_control" if self.way == "cgroup v1" else "memory.events"

    @property
    def door(self) -> str:
        """The file into which a process writes 0 to join.

        In the first kind a thread can join by itself, for which the kernel does not stop all forks: that takes 0.5 ms, and a whole
        process 5 to 8 where none has joined for a while. A container has one thread when it joins.
        """
        return "tasks" if self.way == "cgroup v1" else "cgroup.procs"

    @property
    def usage(self) -> str:
        """The file with the bytes that are charged at the moment."""
        return "memory.usage_in_bytes" if self.way == "cgroup v1" else "memory.current"

    @property
    def lasting(self) -> tuple[str, ...]:
        """The names in memory.stat of what outlives all processes, and the kernel cannot drop: files in a tmpfs, swapped out or not."""
        return ("total_shmem", "total_swap") if self.way == "cgroup v1" else ("shmem",)

    def settings(self, limit_bytes: int) -> tuple[tuple[str, str], ...]:
        """Files and what is written to them to lower a limit, in this order; the first is the limit, the others need not be there."""
        if self.way == "cgroup v1":
            return ("memory.limit_in_bytes", str(limit_bytes)), ("memory.memsw.limit_in_bytes", str(limit_bytes))
        return ("memory.max", str(limit_bytes)), ("memory.swap.max", "0"), ("memory.oom.group", "1")


class Group:
    """A control group: the room of one container after another."""

    def __init__(self, hierarchy: Hierarchy, path: Path) -> None:
        self.path = path
        self.door = path / hierarchy.door
        self.memory_mb = 0
        """The limit; 0 where it is not known: before the first, and after one that could not be set as a whole."""
        self._hierarchy = hierarchy
        self._counter = path / hierarchy.counter
        self._kills_before = 0

    def make(self, memory_mb: int) -> None:
        """Make it, and the folder of all groups where somebody has removed that, and `begin`. Raises OSError."""
        try:
            self.path.mkdir()
        except FileNotFoundError:
            make_folder(self._hierarchy, self.path.parent)
            self.path.mkdir()
        try:
            self.begin(memory_mb)
        except OSError:
            with suppress(OSError):
                self.path.rmdir()
            raise

    def begin(self, memory_mb: int) -> None:
        """From here on it is a new container's, with this limit. Raises OSError, also for one below what the kernel can free."""
        if memory_mb != self.memory_mb:
            settings = self._hierarchy.settings(memory_mb * MIB)
            lowered = memory_mb * MIB < self._limit_bytes()
            self.memory_mb = 0
            for name, text in settings if lowered else reversed(settings):  # memory alone is never above both together
                if name == settings[0][0] or (self.path / name).exists():  # a kernel without accounting of swap lacks the others
                    (self.path / name).write_text(text)
            self.memory_mb = memory_mb
        self._kills_before = self._kills()

    def exhausted(self) -> bool:
        """Whether the kernel has killed for memory since `begin`."""
        try:
            return self._kills() > self._kills_before
        except OSError:  # somebody removed the group, which is no reason to lose what hears of ends
            _log.exception("whether memory was exhausted cannot be told")
            return False

    @property
    def empty(self) -> bool:
        """Whether no process of its last container is left. Raises OSError where there is no such group any more."""
        return not (self.path / "cgroup.procs").read_text()

    @property
    def left_bytes(self) -> int:
        """What its last container has left that its next one could not have freed. Raises OSError."""
        lines = (line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        return sum(int(line[1]) for line in lines if line[0] in self._hierarchy.lasting)

    def holds(self, memory_mb: int) -> bool:
        """Whether so much is charged to it at the moment. Raises OSError."""
        return int((self.path / self._hierarchy.usage).read_text()) > memory_mb * MIB

    def _limit_bytes(self) -> float:
        """As far as it was set, if not as a whole."""
        if self.memory_mb:
            return self.memory_mb * MIB
        text = (self.path / self._hierarchy.settings(0)[0][0]).read_text().strip()
        return math.inf if text == "max" else int(text)

    def _kills(self) -> int:
        """Raises OSError where the kernel does not count them."""
        for line in self._counter.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        raise OSError(f"{self._counter} does not count the processes that were killed")


class Groups:
    """Those of one platform. What changes them runs on the loop: a thread has only ever a group that is in no list."""

    def __init__(self, hierarchy: Hierarchy, folder: Path) -> None:
        """Make the folder and try a group in it. Raises OSError."""
        self._hierarchy = hierarchy
        self._folder = folder
        self._names = map(str, itertools.count())
        self._free: defaultdict[int, deque[Group]] = defaultdict(deque)
        """By the limit they have."""
        self._spared: list[Group] = []
        self._closing = False
        try:
            make_folder(hierarchy, folder)
            group = self.take(1024, spared=False)
            subprocess.run(["/bin/sh", "-c", 'echo 0 > "$0"', group.door], check=True, capture_output=True, timeout=10)
            self.give_back(group)
        except (OSError, subprocess.SubprocessError) as error:
            remove_tree(folder)
            raise OSError(f"no memory group can be made and joined in {hierarchy.parent}") from error

    def take(self, memory_mb: int, *, spared: bool) -> Group:
        """An empty one, or, where a spare is wanted, one with a spare in it if there is one. Raises OSError."""
        # With less than a spare's limit the kernel might have to kill the spare for it.
        while spared and self._spared and memory_mb >= SPARE_MB:
            group = self._spared.pop()
            try:
                group.begin(memory_mb)
            except OSError:  # somebody has removed it
                self.give_back(group)
            else:
                return group
        return self._take_empty(memory_mb)

    async def spare(self, count: int) -> list[str]:
        """The doors of as many groups as there should be spares. To be called in peace, and not again before it is done. Raises OSError.

        The spares must be ordered in the same turn of the loop: a container may take one of these groups in the next.
        """
        ready: list[Group] = []
        refused: list[Group] = []
        try:
            while len(self._spared) + len(ready) < count and not self._closing:
                group = self._pop_empty(list(self._free))
                if group is None:
                    group = self._new()
                    await asyncio.to_thread(group.make, SPARE_MB)
                else:
                    try:
                        await asyncio.to_thread(group.begin, SPARE_MB)
                    except OSError:  # the kernel cannot free what it has in its page cache now
                        refused.append(group)
                        continue
                ready.append(group)
        finally:
            self._spared += ready
            for group in refused:
                self._free[group.memory_mb].append(group)
        return [str(group.door) for group in self._spared]

    def give_back(self, group: Group) -> None:
        """Its container has ended; what left the container's process group is still in this one."""
        _kill_members(group.path)
        self._free[group.memory_mb].append(group)

    def stop_sparing(self) -> None:
        """What `spare` is at is its last."""
        self._closing = True

    def close(self) -> None:
        """All containers have ended, and so has `spare`."""
        remove_tree(self._folder)

    def _take_empty(self, memory_mb: int) -> Group:
        """A free one that has the limit or can have it at once, or a new one."""
        # To raise a limit costs nothing. To lower one does, unless what is in the group is less already.
        limits_mb = sorted(self._free, key=lambda had_mb: (had_mb != memory_mb, (had_mb or math.inf) > memory_mb, had_mb))
        while (group := self._pop_empty(limits_mb, memory_mb)) is not None:
            try:
                group.begin(memory_mb)
            except OSError:  # somebody has removed it in this moment, or something is charged to it again
                self._set_aside(group)
            else:
                return group
        group = self._new()
        group.make(memory_mb)
        return group

    def _pop_empty(self, limits_mb: Sequence[int], memory_mb: int | None = None) -> Group | None:
        """The first free one that can be used again, of these limits in turn; with `memory_mb` only if the kernel drops nothing for it."""
        for had_mb in limits_mb:
            free = self._free[had_mb]
            for _ in range(len(free)):
                group = free.popleft()
                with suppress(OSError):  # one that somebody has removed is forgotten
                    if not group.empty:
                        free.append(group)
                    elif group.left_bytes > MOST_LEFT_BYTES:
                        self._set_aside(group)
                    elif memory_mb is not None and not 0 < had_mb <= memory_mb and group.holds(memory_mb):
                        free.append(group)
                    else:
                        return group
        return None

    def _set_aside(self, group: Group) -> None:
        """Remove it, which the kernel allows where no process is left: its charges are then nobody's but its parent's."""
        try:
            group.path.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process has come into it, or the container has made a group of its own there
            _log.warning("the control group %s is left alone: what is in it stays charged to it", group.path)

    def _new(self) -> Group:
        """One that is still to be made."""
        while (path := self._folder / next(self._names)).exists():  # what an earlier platform left, and the kernel still holds
            pass
        return Group(self._hierarchy, path)


def make_folder(hierarchy: Hierarchy, folder: Path) -> None:
    """A folder in which groups can be made; one that is there is no error. Raises OSError."""
    folder.mkdir(exist_ok=True)
    if hierarchy.way == "cgroup v2":
        (folder / "cgroup.subtree_control").write_text("+memory")


def remove_tree(folder: Path) -> None:
    """Remove a folder of groups with the processes in them. One that the kernel does not let go within REMOVAL_WAIT_S stays."""
    give_up_at = time.monotonic() + REMOVAL_WAIT_S
    while folder.exists():
        for path in (*_subfolders(folder), folder):
            _kill_members(path)
            with suppress(OSError):
                path.rmdir()
        if time.monotonic() > give_up_at:
            _log.warning("the control group %s cannot be removed", folder)
            return
        time.sleep(0.005)


def _subfolders(folder: Path) -> Sequence[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.is_dir()]
    return []


def _kill_members(folder: Path) -> None:
    with suppress(OSError):
        for pid in map(int, (folder / "cgroup.procs").read_text().split()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
