"""Labs: what is up, how to use it, how to take it down again.

    up_local   makes a lab on this machine, or mends it
    find       a lab that can be used now
    lend       a lab for the time of one storm: the one that is up, or one of its own, removed afterwards
    status     what lives and what has died
    down       removes everything: processes, ports, files

`down` trusts no record. It looks for whatever bears the lab's id, so it also removes what is left after parts were killed, after a crash
half-way through `up`, and after the state file was lost.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cluster import local, processes, ray
from cluster.cores import Cores
from cluster.interruptions import TOLD_TO_END, WITH_CTRL_C, first_unwinds, held_back
from cluster.local import LocalOptions
from cluster.starting import Say
from cluster.state import Journal, LabError, LabFolder, LabState, OpenWhiskKind, Service, kept_in, lab_names, lock_names, locked, read_state

__all__ = [
    "Lab",
    "LabStatus",
    "Leftovers",
    "LocalOptions",
    "PartStatus",
    "abandoned_labs",
    "down",
    "find",
    "lend",
    "process_ids",
    "status",
    "up_local",
]

DEFAULT_NAME = "local"
_BORROWED = "borrowed-"
_GRACE_S = 6.0
"""For the platform to remove its containers and for the raylet to end its workers (it takes 2 s); what is then left is killed."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up, as others need it. `api_host` is a URL, `ray_address` host:port, `made_at` UTC in ISO 8601.

    Where `openwhisk` is "none" there is only a Ray: `api_host` and `profile` are empty, and there is no `wskprops` file.
    """

    name: str
    home: Path
    api_host: str
    profile: str
    wskprops: Path
    ray_address: str
    ray_token_file: Path
    ray_temp_dir: Path
    cores: Cores
    platform_pids: tuple[int, ...]
    ray_pids: tuple[int, ...]
    logs: Path
    made_at: str
    openwhisk: OpenWhiskKind = "embedded"

    @property
    def invoker_cores(self) -> tuple[int, ...]:
        """Cores that only invokers use; none where there are too few to set any aside."""
        shared = {*self.cores.front, *self.cores.containers, *self.cores.ray}
        return () if shared & {*self.cores.invokers} else self.cores.invokers

    @property
    def ray_environment(self) -> dict[str, str]:
        """What a driver sets before `import ray` (all other RAY_* variables have to go)."""
        return ray.driver_environment(self.ray_token_file)


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A service as it is now. `trouble` says what keeps it from answering as it should, `memory_mb` is that of all its processes,
    containers and workers included."""

    address: str
    alive: bool
    answering: bool
    trouble: str
    pids: tuple[int, ...]
    processes: int
    memory_mb: float


@dataclass(frozen=True, slots=True)
class LabStatus:
    """`problems` says what is wrong, one line each, and is empty when the lab is up. `borrowed_by` is a pid, 0 when not borrowed.

    `incidents` says what the platform has outlived since its start. `overrides` are knobs that differ from the profile's. What is not
    known, as nothing is of a lab whose state file is gone, is None or empty.
    """

    name: str
    condition: Literal["absent", "changing", "up", "damaged"]
    problems: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    profile: str = ""
    overrides: Mapping[str, Any] | None = None
    public_keys: bool | None = None
    made_at: str = ""
    platform: PartStatus | None = None
    ray: PartStatus | None = None
    cores: Cores | None = None
    wskprops: str = ""
    logs: tuple[str, ...] = ()
    borrowed_by: int = 0
    openwhisk: OpenWhiskKind | None = None


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What `down` found, and what it could not remove, by name."""

    was_there: bool
    processes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.processes or self.files)


def up_local(home: Path, name: str, options: LocalOptions, say: Say) -> Lab:
    """Make a lab on this machine, or start what it lacks. Raises LabError when it cannot, or when another command is at it.

    Whatever ends it early, also a signal of `WITH_CTRL_C`, what it has brought up is taken down again: of a new lab nothing is left, one
    that was there is as it was found. Only for the main thread: others cannot take signals.
    """
    folder = LabFolder(home, name)
    with first_unwinds(WITH_CTRL_C), locked(folder), kept_in(home):
        was_there, found = _is_there(folder), read_state(folder)
        try:
            return _lab(folder, local.bring_up(folder, options, say))
        except BaseException:
            with held_back():
                if not was_there:
                    _tell_what_is_left(folder, _remove(folder, say), say)
                elif found is not None:
                    with suppress(OSError):  # the cache keeps what was asked of it; nothing runs by it
                        Journal(folder.state, found).record()
            raise


def find(home: Path, name: str) -> Lab | None:
    """The lab if it is up, None if there is none. Raises LabError when it is damaged: using half of it would only mislead."""
    now = status(home, name)
    if now.condition == "absent":
        return None
    if now.condition == "changing":
        raise LabError(f"lab '{name}' is being brought up or down at this moment; wait for it")
    folder = LabFolder(home, name)
    state = read_state(folder)
    if now.problems or state is None:
        raise LabError(f"lab '{name}' is damaged: {'; '.join(now.problems)}.  ({_remedy(name)})")
    return _lab(folder, state)


@contextmanager
def lend(home: Path, name: str, options: LocalOptions, say: Say) -> Iterator[Lab]:
    """The lab if it is up, else one under a name of its own that is removed whatever the end: also on a signal of `TOLD_TO_END`.

    Raises LabError as `find` and `up_local` do. Only for the main thread: others cannot take signals.
    """
    there = find(home, name)
    if there is not None:
        yield there
        return
    for abandoned in abandoned_labs(home):
        with suppress(LabError):  # another command is at it already
            down(home, abandoned, say)
    folder = LabFolder(home, f"{_BORROWED}{secrets.token_hex(2)}")
    with first_unwinds(TOLD_TO_END):
        try:
            with locked(folder), kept_in(home):
                lab = _lab(folder, local.bring_up(folder, options, say, borrower=processes.mark(os.getpid(), "borrower")))
            yield lab
        finally:
            _remove_borrowed(folder, say)


def status(home: Path, name: str) -> LabStatus:
    """What of a lab lives now. Raises LabError for a name that none can have."""
    folder = LabFolder(home, name)
    found = processes.of_lab(folder.lab_id)
    state = read_state(folder)
    if _is_locked(folder):
        return LabStatus(name, "changing", ("it is being brought up or down at this moment",))
    if state is None:
        if not found and not folder.path.exists():
            return LabStatus(name, "absent")
        return LabStatus(name, "damaged", (f"its state file is gone; {len(found)} of its processes run",))
    has_platform = state.openwhisk != "none"
    platform = _part_status(state.platform, folder, "platform", local.platform_trouble(folder, state)) if has_platform else None
    node = _part_status(state.ray, folder, "ray", local.ray_trouble(state))
    problems = (*(_problems("the platform", platform) if platform else ()), *_problems("Ray", node))
    return LabStatus(
        name=name,
        condition="damaged" if problems else "up",
        problems=problems,
        incidents=local.incidents(state.platform) if state.platform and platform and platform.answering else (),
        profile=state.profile if has_platform else "",
        overrides=state.overrides,
        public_keys=state.public_keys,
        made_at=state.made_at,
        platform=platform,
        ray=node,
        cores=state.cores,
        wskprops=str(folder.wskprops) if has_platform else "",
        logs=(str(folder.logs), f"{state.temp_dir}/ray/session_latest/logs"),
        borrowed_by=state.borrower.pid if state.borrower else 0,
        openwhisk=state.openwhisk,
    )


def down(home: Path, name: str, say: Say) -> Leftovers:
    """Remove a lab: every process that bears its id, its temp folder, its folder. Raises LabError when another command is at it."""
    folder = LabFolder(home, name)
    there = _is_there(folder)
    if not there and not folder.lock.exists():
        return Leftovers(was_there=False)
    with locked(folder):
        left = _remove(folder, say)
    return replace(left, was_there=there)


def process_ids(home: Path, name: str) -> list[int]:
    """Of everything that runs for a lab, workers included."""
    return [process.pid for process in processes.of_lab(LabFolder(home, name).lab_id)]


def abandoned_labs(home: Path) -> list[str]:
    """Names of borrowed labs whose borrower is gone without having removed them (kill -9), however far they had come."""
    names = sorted({*lab_names(home), *lock_names(home)})
    return [name for name in names if name.startswith(_BORROWED) and _is_abandoned(LabFolder(home, name))]


def _is_abandoned(folder: LabFolder) -> bool:
    state = read_state(folder)
    if state is not None:
        return state.borrower is not None and not processes.alive(state.borrower)
    # Its first state is written before anything is started and before the lock is let go of, so whether that is free has to be seen first.
    # A state that is there and cannot be read is another version's: its borrower may live.
    return not _is_locked(folder) and not folder.state.exists() and not processes.of_lab(folder.lab_id)


def _lab(folder: LabFolder, state: LabState) -> Lab:
    platform, node = state.platform or Service("intended"), state.ray or Service("intended")
    return Lab(
        name=state.name,
        home=folder.home,
        api_host=f"http://{platform.address}" if state.openwhisk != "none" else "",
        profile=state.profile if state.openwhisk != "none" else "",
        wskprops=folder.wskprops,
        ray_address=node.address,
        ray_token_file=folder.ray_token,
        ray_temp_dir=Path(state.temp_dir),
        cores=state.cores,
        platform_pids=tuple(process.pid for process in platform.processes),
        ray_pids=tuple(process.pid for process in node.processes),
        logs=folder.logs,
        made_at=state.made_at,
        openwhisk=state.openwhisk,
    )


def _part_status(service: Service | None, folder: LabFolder, part: str, trouble: str) -> PartStatus:
    found = processes.of_lab(folder.lab_id, part)
    recorded = service.processes if service else ()
    return PartStatus(
        address=service.address if service else "",
        alive=bool(recorded) and all(map(processes.alive, recorded)),
        answering=not trouble,
        trouble=trouble,
        pids=tuple(process.pid for process in recorded),
        processes=len(found),
        memory_mb=round(processes.memory_mb(found), 1),
    )


def _problems(what: str, part: PartStatus) -> tuple[str, ...]:
    if not part.pids or not part.address:
        return (f"{what} was never brought up",)
    if not part.alive:
        return (f"{what} has died",)
    return (f"{what} runs but {part.trouble}",) if part.trouble else ()


def _remedy(name: str) -> str:
    option = "" if name == DEFAULT_NAME else f" --lab {name}"
    return f"owray down{option} removes it, owray up local{option} mends it"


def _is_there(folder: LabFolder) -> bool:
    return folder.path.exists() or bool(processes.of_lab(folder.lab_id)) or bool(ray.temp_dirs(folder.lab_id))


def _is_locked(folder: LabFolder) -> bool:
    if not folder.lock.exists():
        return False
    try:
        with locked(folder):
            return False
    except LabError:
        return True


def _remove(folder: LabFolder, say: Say) -> Leftovers:
    """Remove what there is of a lab; the caller holds its lock."""
    state = read_state(folder)
    stubborn = _end_processes(folder, state, say)
    files = _remove_files(folder, state) if not stubborn else ()
    return Leftovers(True, tuple(map(str, stubborn)), files)


def _end_processes(folder: LabFolder, state: LabState | None, say: Say) -> list[processes.Mark]:
    """Ask those first that clean up after themselves, then kill what is left, until nothing bears the lab's id any more."""
    found = processes.of_lab(folder.lab_id)
    if found:
        say(f"ending {len(found)} processes of lab '{folder.name}'")
    asked = list(state.platform.processes) if state and state.platform else []
    if {process.role for process in found} >= set(ray.MAIN_PROCESSES):
        # The raylet ends its workers, if its head store lives; else it would wait for it. The head store keeps no files and is not asked:
        # asked together with its raylet it sometimes never ends.
        asked += [process for process in found if process.role == "raylet"]
    for process in asked:
        with suppress(PermissionError):
            processes.send(process, signal.SIGTERM)
    processes.wait_for_end(asked, _GRACE_S)
    stubborn = processes.end_all_of(folder.lab_id)
    # One that was on its way out bears no id any more, and may still hold a port: it is waited for, too.
    return stubborn or processes.wait_for_end(found, _GRACE_S)


def _remove_files(folder: LabFolder, state: LabState | None) -> tuple[str, ...]:
    from cluster.openwhisk.embedded.memory import remove_left

    temp_dirs = ray.temp_dirs(folder.lab_id, state.temp_dir if state else "")
    for temp_dir in temp_dirs:
        ray.remove_temp_dir(temp_dir)
    remove_left(folder.platform)
    # The state file goes last of all: while it is there, an interrupted `down` can be run again and knows everything.
    with suppress(OSError):
        for entry in folder.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry != folder.state:
                entry.unlink(missing_ok=True)
    shutil.rmtree(folder.path, ignore_errors=True)
    return tuple(str(path) for path in (*temp_dirs, folder.path) if path.exists())


def _remove_borrowed(folder: LabFolder, say: Say) -> None:
    """Remove it without being interrupted half-way: signals wait until it is done."""
    with held_back():
        _tell_what_is_left(folder, down(folder.home, folder.name, say), say)


def _tell_what_is_left(folder: LabFolder, leftovers: Leftovers, say: Say) -> None:
    if leftovers:
        say(f"could not remove {', '.join((*leftovers.processes, *leftovers.files))}; try owray down --lab {folder.name}")
