"""The memory limit of containers: by a control group for each where this machine lets one be made, else inside the runtime.

    way          what is counted                                  at the limit
    cgroup v1    what the container's processes have touched      the kernel kills; the group's own counter tells of it
    cgroup v2    the same                                         the kernel kills the whole group; its counter tells
    rlimit       each process by itself: what it has mapped       the runtime ends itself with a status of its own; Node aborts
    none         nothing                                          -

A forked container shares the zygote's pages, which are not charged to it, and so has a little more room than with docker.

Groups lie in one folder of their own below the platform's group (v2 allows none below a group that has processes, so there it is beside
it), with a name made of the state folder. They are used again and again: a group that had files in its page cache is not gone when it is
removed, and a thousand crashes would leave a thousand of them to the kernel.

To join a group takes milliseconds, which a storm's cold starts have not. So the spares of the zygote join theirs ahead, in peace, and the
limit is set when it is known whose it is: that is one write.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.openwhisk.embedded.config import MIB, ConfigError, MemoryLimit
from cluster.openwhisk.embedded.runtimes.python_action import OUT_OF_MEMORY_STATUS

Way = Literal["cgroup v1", "cgroup v2", "rlimit", "none"]

RECORD = "memory-group"
"""The file of the state folder that says where the groups are, so that a later start, or `down`, can remove what a kill has left."""

SPARE_MB = 64
"""The limit of a spare before it is anybody's. To lower it to this has the kernel drop what the last container left in the page cache."""

REMOVAL_WAIT_S = 1.0
"""A group can be removed when its last process has been reaped, which takes a moment after a kill."""

NODE_OVERHEAD_MB = 96
"""What Node maps before any action: its stacks and its code. A limit of mapped memory has to leave room for it."""

ABORTED = (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, -signal.SIGSEGV)
"""How Node ends when it gets no more memory: mostly by the first, and by one of the others where the kernel refuses before V8 does."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One of the kernel's two kinds of control groups, and the folder in which groups may be made."""

    way: Way
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

    def settings(self, limit_bytes: int) -> tuple[tuple[str, str], ...]:
        """Files and what is written to them to lower a limit, in this order; the first is the limit, the others need not be there."""
        if self.way == "cgroup v1":
            return ("memory.limit_in_bytes", str(limit_bytes)), ("memory.memsw.limit_in_bytes", str(limit_bytes))
        return ("memory.max", str(limit_bytes)), ("memory.swap.max", "0"), ("memory.oom.group", "1")


class Group:
    """A control group: the room of one container after another."""

    def __init__(self, hierarchy: Hierarchy, path: Path, memory_mb: int) -> None:
        """Sets the limit of a folder that is there. Raises OSError."""
        self.path = path
        self.door = path / hierarchy.door
        self.memory_mb = 0
        self._hierarchy = hierarchy
        self._counter = path / hierarchy.counter
        self._kills_before = 0
        (path / hierarchy.settings(0)[0][0]).write_text(str(memory_mb * MIB))
        self.begin(memory_mb)

    @property
    def empty(self) -> bool:
        """Whether nothing of its last container is left."""
        return not _members(self.path)

    def begin(self, memory_mb: int) -> None:
        """From here on it is a new container's, with this limit. Raises OSError, also for one below what the kernel can free."""
        if memory_mb != self.memory_mb:
            settings = self._hierarchy.settings(memory_mb * MIB)
            for name, text in settings if memory_mb < self.memory_mb else reversed(settings):  # memory alone is never above both together
                with suppress(FileNotFoundError):  # a kernel without accounting of swap
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

    def _kills(self) -> int:
        """Raises OSError where the kernel does not count them."""
        for line in self._counter.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        raise OSError(f"{self._counter} does not count the processes that were killed")


@dataclass(frozen=True, slots=True)
class Bound:
    """How one container's memory is limited: by its group, by its data segment, or not at all."""

    group: Group | None = None
    data_bytes: int | None = None
    old_space_mb: int | None = None
    """For Node, whose heap does not ask the kernel how much there is."""

    def order(self) -> dict[str, str | int | None]:
        """As the zygote is told."""
        return {"cgroup": str(self.group.door) if self.group else None, "data_bytes": self.data_bytes}

    @property
    def shown_by_status(self) -> bool:
        """Whether only the end of the process tells that its memory was exhausted."""
        return self.data_bytes is not None

    def exhausted(self, status: int | None) -> bool:
        """Whether the memory ran out; `status` is the exit status of the process, None while it runs."""
        if self.group is not None:
            return self.group.exhausted()
        if self.data_bytes is None:
            return False
        return status == OUT_OF_MEMORY_STATUS or (self.old_space_mb is not None and status in ABORTED)


class Groups:
    """Those of one platform."""

    def __init__(self, hierarchy: Hierarchy, folder: Path) -> None:
        """Make the folder and try a group in it. Raises OSError."""
        self._hierarchy = hierarchy
        self._folder = folder
        self._made = 0
        self._free: defaultdict[int, deque[Group]] = defaultdict(deque)
        self._spared: list[Group] = []
        folder.mkdir(exist_ok=True)
        try:
            if hierarchy.way == "cgroup v2":
                (folder / "cgroup.subtree_control").write_text("+memory")
            group = self.take(1024)
            subprocess.run(["/bin/sh", "-c", 'echo 0 > "$0"', group.door], check=True, capture_output=True, timeout=10)
            self.give_back(group)
        except (OSError, subprocess.SubprocessError) as error:
            remove_tree(folder)
            raise OSError(f"no memory group can be made and joined in {hierarchy.parent}") from error

    def take(self, memory_mb: int) -> Group:
        """One with a spare in it, or an empty one. Raises OSError."""
        if self._spared:
            group = self._spared.pop()
            group.begin(memory_mb)
            return group
        return self._take_empty(memory_mb, [memory_mb])

    def doors(self, count: int) -> list[str]:
        """Those of as many groups as there should be spares. To be called in peace. Raises OSError."""
        while len(self._spared) < count:
            self._spared.append(self._take_empty(SPARE_MB, list(self._free)))
        return [str(group.door) for group in self._spared]

    def give_back(self, group: Group) -> None:
        """Its container has ended; what left the container's process group is still in this one."""
        _kill_members(group.path)
        self._free[group.memory_mb].append(group)

    def close(self) -> None:
        """All containers have ended."""
        remove_tree(self._folder)

    def _take_empty(self, memory_mb: int, had_mb: Sequence[int]) -> Group:
        """One of those that had such a limit, with a new one, or a new group."""
        for free in map(self._free.__getitem__, had_mb):
            for _ in range(len(free)):
                group = free.popleft()
                if group.empty:
                    try:
                        group.begin(memory_mb)
                    except OSError:  # the kernel cannot free what it has in its page cache now
                        free.append(group)
                        continue
                    return group
                free.append(group)
        return Group(self._hierarchy, self._new_folder(), memory_mb)

    def _new_folder(self) -> Path:
        while True:
            path = self._folder / str(self._made)
            self._made += 1
            with suppress(FileExistsError):  # what an earlier platform left, and the kernel still holds
                path.mkdir()
                return path


class MemoryLimits:
    """Gives each container its bound. `way` says which it is."""

    def __init__(self, way: Way, groups: Groups | None = None) -> None:
        self.way = way
        self._groups = groups

    def take(self, memory_mb: int, *, node: bool) -> Bound:
        """The bound of a new container. Raises OSError where its group cannot be made."""
        if self._groups is not None:
            return Bound(self._groups.take(memory_mb))
        if self.way == "none":
            return Bound()
        if node:
            return Bound(data_bytes=(memory_mb + NODE_OVERHEAD_MB) * MIB, old_space_mb=memory_mb)
        return Bound(data_bytes=memory_mb * MIB)

    def doors(self, count: int) -> Sequence[str | None]:
        """What so many spares are to join, to be called in peace; None where they join nothing. Raises OSError."""
        return self._groups.doors(count) if self._groups is not None else [None] * count

    def give_back(self, bound: Bound) -> None:
        """The container's process has ended and was reaped."""
        if self._groups is not None and bound.group is not None:
            self._groups.give_back(bound.group)

    def close(self) -> None:
        """Remove what is left; may take REMOVAL_WAIT_S."""
        if self._groups is not None:
            self._groups.close()


def memory_limits(wanted: MemoryLimit, state_dir: Path) -> MemoryLimits:
    """What was asked for, or for `auto` the first that can be had. Raises ConfigError where it cannot."""
    remove_left(state_dir)
    if wanted in ("auto", "cgroup"):
        for hierarchy, folder in _places(state_dir):
            (state_dir / RECORD).write_text(str(folder))
            try:
                return MemoryLimits(hierarchy.way, Groups(hierarchy, folder))
            except OSError as error:
                _log.info("%s: %s", error, error.__cause__)
    if wanted == "cgroup":
        raise ConfigError(
            "memory_limit is 'cgroup', but no control group for memory can be made here; "
            "take 'auto', or run as a user to whom a group is delegated (systemd-run --user --scope -p Delegate=yes)"
        )
    return MemoryLimits("none" if wanted == "none" else "rlimit")


def hierarchies(own: str, mounts: str) -> Iterator[Hierarchy]:
    """Where groups might be made, from the texts of /proc/self/cgroup and /proc/self/mountinfo (proc(5), cgroups(7))."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        root, point = mount.split()[3:5]
        kind, *_, options = source.split()
        if kind == "cgroup2" and "" in paths:
            here = _inside(Path(point), root, paths[""])
            parent = here and _handing_on(Path(point), here)
            if parent:
                yield Hierarchy("cgroup v2", parent)
        elif kind == "cgroup" and "memory" in options.split(",") and "memory" in paths:
            here = _inside(Path(point), root, paths["memory"])
            if here:
                yield Hierarchy("cgroup v1", here)


def remove_left(state_dir: Path) -> None:
    """Remove the groups of a platform that was killed: where its record says, or, without one, where it would make them now."""
    record = state_dir / RECORD
    folders = [folder for _, folder in _places(state_dir)]
    if record.exists():
        folders.append(Path(record.read_text()))
        record.unlink()
    for folder in folders:
        if folder.name == _name(state_dir):
            remove_tree(folder)


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


def _places(state_dir: Path) -> Iterator[tuple[Hierarchy, Path]]:
    """Where this process might make the groups of a platform."""
    if not Path("/proc/self/cgroup").exists():  # a kernel without them
        return
    for hierarchy in hierarchies(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()):
        yield hierarchy, hierarchy.parent / _name(state_dir)


def _name(state_dir: Path) -> str:
    return "owray-" + hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:16]


def _inside(point: Path, root: str, path: str) -> Path | None:
    """The folder of the group `path` in a file system whose `root` is mounted at `point`."""
    within = os.path.relpath(path, root)
    return None if within.startswith("..") else point / within


def _handing_on(top: Path, folder: Path) -> Path | None:
    """The nearest group, from `folder` upwards, that lets its children limit their memory. Only such a one may have children that do."""
    while True:
        with suppress(OSError):
            if "memory" in (folder / "cgroup.subtree_control").read_text().split():
                return folder
        if folder == top:
            return None
        folder = folder.parent


def _subfolders(folder: Path) -> Sequence[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.is_dir()]
    return []


def _members(folder: Path) -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    return []


def _kill_members(folder: Path) -> None:
    for pid in _members(folder):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
