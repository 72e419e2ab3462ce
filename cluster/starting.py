"""Starting the services of a lab, together: all of them come up, or none stays.

Each takes a while for itself, so all are launched and then watched by one loop, without threads: what Ctrl-C interrupts is always the
waiting.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cluster.interruptions import held_back
from cluster.processes import Mark
from cluster.state import Journal, LabError, Service

Say = Callable[[str], None]

FAILED_START = "failed-start"
"""The folder of the home with the logs of the last start that failed."""

_POLL_S = 0.02


class Start(Protocol):
    """The start of one service: `part` is its name on record, `called` the one for people."""

    part: str
    called: str
    timeout_s: float

    @property
    def logs(self) -> tuple[Path, ...]:
        """The files, and folders of files, that tell why it failed."""

    def begin(self) -> Service:
        """Launch it."""

    def poll(self) -> Service | None:
        """The service once it is ready, None before. Raises LabError when it will not be."""

    def close(self) -> None:
        """Free what was only held for the start."""

    def undo(self) -> list[Mark]:
        """Take down what `begin` has launched, however far it has come, and what it left outside the lab's folder. Who would not end."""

    def described(self, service: Service) -> str:
        """What to tell the user of it."""


def start_all(starts: Sequence[Start], journal: Journal, home: Path, say: Say) -> None:
    """Start services, and put each step on record before it is taken.

    Raises LabError. Whatever ends it early, what was started is taken down again; the logs that tell why it failed are kept in the home.
    """
    try:
        _launch(starts, journal, say)
    except LabError as problem:
        with held_back():
            kept = _keep_logs(home, starts)
            undone = _undo(starts)
        raise LabError(f"{problem}; {undone}{f'.  (the logs are kept in {kept})' if kept else ''}") from None
    except BaseException:
        with held_back():
            undone = _undo(starts)
            say(undone)
        raise
    finally:
        for start in starts:
            start.close()


def _launch(starts: Sequence[Start], journal: Journal, say: Say) -> None:
    began_s = time.monotonic()
    for start in starts:
        journal.record(**{start.part: Service("intended")})
        journal.record(**{start.part: _begun(start)})
    waiting = list(starts)
    while waiting:
        for start in list(waiting):
            elapsed_s = time.monotonic() - began_s
            service = start.poll()
            if service is not None:
                journal.record(**{start.part: service})
                waiting.remove(start)
                say(f"{start.described(service):<60}{elapsed_s:5.1f} s")
            elif elapsed_s > start.timeout_s:
                raise LabError(f"{start.called} was not ready after {start.timeout_s:.0f} s")
        time.sleep(_POLL_S)


def _begun(start: Start) -> Service:
    try:
        return start.begin()
    except OSError as problem:
        if problem.errno not in (errno.EAGAIN, errno.ENOMEM):
            raise
        raise LabError(f"{start.called} cannot be started: {problem.strerror}") from None


def _undo(starts: Iterable[Start]) -> str:
    """Take down again what was started; what to tell of it."""
    stubborn = [process for start in starts for process in start.undo()]
    return f"could not end {', '.join(map(str, stubborn))}" if stubborn else "what had come up is taken down again"


def _keep_logs(home: Path, starts: Iterable[Start]) -> Path | None:
    """Copy the logs to where they outlive the lab, in place of those of the last start that failed. None where they cannot be kept."""
    kept = home / FAILED_START
    shutil.rmtree(kept, ignore_errors=True)
    try:
        kept.mkdir(mode=0o700)
        for log in (log for start in starts for log in start.logs if log.exists()):
            with suppress(shutil.Error):  # some of its files
                if log.is_dir():
                    shutil.copytree(log, kept / log.name)
                else:
                    shutil.copy2(log, kept)
    except OSError:
        return None
    return kept
