"""The memory limit of containers: by a control group for each where this machine lets one be made, else inside the runtime.

    way          what is counted                                  at the limit
    cgroup v1    what the container's processes have touched      the kernel kills; the group's own counter tells of it
    cgroup v2    the same                                         the kernel kills the whole group; its counter tells
    rlimit       each process by itself: what it has mapped       the runtime ends itself with a status of its own; Node aborts
    none         nothing                                          -

A forked container shares the zygote's pages, which are not charged to it, and so has a little more room than with docker.

Groups are in groups.py; the name of their folder is made of the state folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.openwhisk.embedded.config import MIB, ConfigError, MemoryLimit
from cluster.openwhisk.embedded.groups import CgroupVersion, Group, Groups, Hierarchy, remove_tree
from cluster.openwhisk.embedded.kinds import Kind
from cluster.openwhisk.embedded.runtimes.python_action import OUT_OF_MEMORY_STATUS

Way = Literal[CgroupVersion, "rlimit", "none"]

RECORD = "memory-group"
"""The file of the state folder that says where the groups are, so that a later start, or `down`, can remove what a kill has left."""

NODE_OVERHEAD_MB = 96
"""What Node maps before any action: its stacks and its code. A limit of mapped memory has to leave room for it."""

ABORTED = (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, -signal.SIGSEGV)
"""How Node ends when it gets no more memory: mostly by the first, and by one of the others where the kernel refuses before V8 does."""

_log = logging.getLogger(__name__)


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


class MemoryLimits:
    """Gives each container its bound. `way` says which it is."""

    def __init__(self, way: Way, groups: Groups | None = None) -> None:
        self.way = way
        self._groups = groups

    def take(self, memory_mb: int, kind: Kind) -> Bound:
        """The bound of a new container. Raises OSError where its group cannot be made."""
        if self._groups is not None:
            return Bound(self._groups.take(memory_mb, spared=kind.forked))
        if self.way == "none":
            return Bound()
        if kind.family == "nodejs":
            return Bound(data_bytes=(memory_mb + NODE_OVERHEAD_MB) * MIB, old_space_mb=memory_mb)
        return Bound(data_bytes=memory_mb * MIB)

    async def spare(self, count: int) -> Sequence[str | None]:
        """As `Groups.spare`: what so many spares are to join; None where they join nothing."""
        return await self._groups.spare(count) if self._groups is not None else [None] * count

    def stop_sparing(self) -> None:
        """As `Groups.stop_sparing`."""
        if self._groups is not None:
            self._groups.stop_sparing()

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
