"""Runs a command and answers for every process that comes of it.

A daemon leaves its process group, its session and its parent, and may overwrite its own environment: none of them finds it again. But
a process whose parent dies is handed to the nearest ancestor that has declared itself a subreaper (prctl(2), Linux 3.4), so whatever
the command started and did not end is our descendant in the end, and is found by walking down from ourselves.

    event                             effect                                           exit
    the command ends                  what is left of it is named and killed           its own, or 1 if something was left
    the time is over                  everything is killed                             124, like timeout(1)
    SIGTERM, SIGINT, SIGHUP, SIGQUIT  everything is killed                             128 + signal

The command has these signals as they are by default, also where whoever calls has switched them off (a shell does so in the background).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

TIMED_OUT = 124


class Stopped(Exception):
    """A signal asks us to end: our own alarm (the time is over) or somebody else's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = TIMED_OUT if number == signal.SIGALRM else 128 + number


def main() -> int:
    options = _options()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.setitimer(signal.ITIMER_REAL, options.minutes * 60)
    try:
        exit_code = _run(options.command)
        left = _left_behind(options.grace)
    except Stopped as stopped:
        exit_code, left = stopped.exit_code, []
        print("contain: the time is over" if exit_code == TIMED_OUT else "contain: stopped", file=sys.stderr)
    if left:
        print("contain: left behind, and killed now:", *left, sep="\n  ", file=sys.stderr)
        exit_code = exit_code or 1
    _kill_all()
    return exit_code


def descendants(ancestor: int) -> Iterator[int]:
    """All living processes below `ancestor`, parents first. Zombies are reaped where they are ours and never counted."""
    _reap()
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold anything, so fields are counted from its end: state, parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            children.setdefault(int(parent), []).append(int(folder.name))
    generation = children.get(ancestor, [])
    while generation:
        yield from generation
        generation = [child for process in generation for child in children.get(process, [])]


def _run(command: list[str]) -> int:
    """The exit code of `command`. Others that end meanwhile and were handed to us are reaped, or they would look alive to its tests."""
    started = os.posix_spawnp(command[0], command, os.environ)
    while True:
        process, status = os.waitpid(-1, 0)
        if process == started:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _left_behind(grace_s: float) -> list[str]:
    """Command lines of what is still there after the grace: what is on its way out when the command ends may finish."""
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(descendants(os.getpid())):
        time.sleep(0.1)
    return [f"{process} {_command_line(process)}" for process in descendants(os.getpid())]


def _kill_all() -> None:
    """Until none is left: a process may start another between our look and our kill."""
    while found := list(descendants(os.getpid())):
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _reap() -> None:
    """Take note of ended children, so that they leave the process table."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "(gone)"


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a command; end and report whatever it leaves behind.")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long the command may take")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds that what it started may stay after its end")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("no command")
    return options


if __name__ == "__main__":
    sys.exit(main())
