"""Which processes are a lab's, and how they are started and ended.

A service is started so that it can be found again with nothing but the lab's id: its environment carries `OWRAY_LAB=<lab id>`, children
inherit it, and /proc/PID/environ shows it. So `down` needs no list of pids to be complete, and a crash between starting a process and
writing its pid down loses nothing. Ray's Python processes write their title over that memory unless `SPT_NOENV` is set, so it is.

A pid alone is never trusted, since the kernel uses it again. A `Mark` is a pid with the start time of its process, which together name
one process since boot; a signal goes through a pidfd that was opened before the mark was checked, so it cannot reach a successor.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LAB_VARIABLE = "OWRAY_LAB"
PART_VARIABLE = "OWRAY_PART"

_PROC = Path("/proc")
_POLL_S = 0.02
_DEFAULTED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
"""Signals a service starts with unignored, whatever the command that started it (or its shell's `&`) had ignored."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One process since boot: its pid and its start time in clock ticks (field 22 of proc(5) stat). `role` is for people."""

    pid: int
    started_ticks: int
    role: str

    def __str__(self) -> str:
        return f"{self.role} ({self.pid})"


@dataclass(frozen=True, slots=True)
class _Stat:
    name: str
    state: str
    parent: int
    threads: int
    started_ticks: int

    @property
    def has_ended(self) -> bool:
        """A zombie has, unless it is only the first thread that has: the others still hold files and ports."""
        return self.state in "ZX" and self.threads <= 1


def mark(pid: int, role: str) -> Mark | None:
    """The mark of a process that runs now, or None."""
    stat = _stat(pid)
    return None if stat is None or stat.has_ended else Mark(pid, stat.started_ticks, role)


def alive(process: Mark) -> bool:
    """Whether this very process still runs. A zombie does not: it only waits to be counted."""
    now = mark(process.pid, process.role)
    return now is not None and now.started_ticks == process.started_ticks


def of_lab(lab_id: str, part: str | None = None) -> list[Mark]:
    """All processes that bear the lab's id (of one part only, if it is named), and their descendants, in order of pid.

    Processes of other users cannot be read and are never ours. The calling process and its ancestors are left out.
    """
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid)) is not None and not stat.has_ended}
    found = {pid for pid in stats if _bears(pid, lab_id, part)}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    own = os.getpid()
    while own in stats:
        found.discard(own)
        own = stats[own].parent
    return [Mark(pid, stats[pid].started_ticks, stats[pid].name) for pid in sorted(found)]


def named(names: Collection[str]) -> list[int]:
    """Pids of all processes of this machine that bear one of these names, in order."""
    stats = {pid: stat for pid in sorted(_pids()) if (stat := _stat(pid)) is not None and not stat.has_ended}
    return [pid for pid, stat in stats.items() if stat.name in names]


def lab_of(pid: int) -> str | None:
    """The id of the lab whose process this is; empty where it is none's, None where its environment cannot be read (another user's)."""
    variables = _variables(pid)
    if variables is None:
        return None
    prefix = f"{LAB_VARIABLE}=".encode()
    return next((each.removeprefix(prefix).decode(errors="replace") for each in variables if each.startswith(prefix)), "")


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a service in a session of its own, away from the terminal, both outputs appended to `log` (0600). Returns its pid.

    The service runs in `/` so that it holds no folder of the user's. Raises OSError when the kernel refuses; a command that does not
    exist shows as an early end with a line in the log.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # The shell only changes folder and becomes the command: same pid, and `ps` shows the command.
        return os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", 'cd / && exec "$@"', "sh", *command],
            environment,
            setsid=True,
            setsigdef=_DEFAULTED,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
        )
    finally:
        os.close(output)


def last_line(log: Path) -> str:
    """What a service that has ended said last."""
    try:
        lines = log.read_text(errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def exit_code(pid: int) -> int | None:
    """How a child of this process ended (as a shell says it: 128 + signal), or None while it runs. Reaps it.

    A child that was counted already, or is none of ours, gives -1.
    """
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return -1
    if ended == 0:
        return None
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def send(process: Mark, number: signal.Signals) -> None:
    """Send a signal to this very process; nothing happens if it is gone, or if its pid belongs to another one now.

    Raises PermissionError when the process has become another user's.
    """
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            if alive(process):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def wait_for_end(processes: Iterable[Mark], timeout_s: float) -> list[Mark]:
    """Wait until all have ended; returns those that have not within the time."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = [process for process in processes if not _ended(process)]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(_POLL_S)


def end_all_of(lab_id: str, part: str | None = None, timeout_s: float = 5.0) -> list[Mark]:
    """Kill every process of a lab (or of one part of it) until none is found any more; returns those that would not go.

    Looks again after each round, because a process may have started another one between the look and the signal. One that is ending is
    waited for, though it is not found any more: its environment goes before its files and ports.
    """
    deadline = time.monotonic() + timeout_s
    left: list[Mark] = []
    while left := [*left, *(process for process in of_lab(lab_id, part) if process not in left)]:
        for process in left:
            with suppress(PermissionError):
                send(process, signal.SIGKILL)
        left = wait_for_end(left, min(1.0, timeout_s))
        if left and time.monotonic() >= deadline:
            return left
    return []


def memory_mb(processes: Iterable[Mark]) -> float:
    """Memory of some processes in MB, each shared page counted once (proportional set size)."""
    return sum(_proportional_kb(process.pid) for process in processes) / 1024


def confine(process: Mark, cores: Iterable[int], nice: int = 0) -> None:
    """Keep all threads of a running process on some cores, at a lowered priority; threads and children made later inherit both.

    Threads are gone through twice, because one may be made meanwhile by a thread that had not had its turn.
    """
    for _ in range(2):
        with suppress(OSError):
            for thread in sorted(int(entry.name) for entry in (_PROC / str(process.pid) / "task").iterdir()):
                os.sched_setaffinity(thread, cores)
                os.setpriority(os.PRIO_PROCESS, thread, nice)


def _ended(process: Mark) -> bool:
    exit_code(process.pid)  # a child of ours would stay a zombie otherwise
    return not alive(process)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses; after the last one come fields 3, 4, ...
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return _Stat(head.partition("(")[2], fields[0], int(fields[1]), int(fields[17]), int(fields[19]))


def _variables(pid: int) -> list[bytes] | None:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None


def _bears(pid: int, lab_id: str, part: str | None) -> bool:
    variables = _variables(pid) or []
    if f"{LAB_VARIABLE}={lab_id}".encode() not in variables:
        return False
    return part is None or f"{PART_VARIABLE}={part}".encode() in variables


def _proportional_kb(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
