"""Where owray keeps things: is there a home, can runs be written and how quickly, and are there runs that want something done?"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from owray.health.finding import Finding, Level, Machine, better_if
from owray.texts import milliseconds, size

if TYPE_CHECKING:
    from owray.record.run import RunFolder

_LEAST_FREE_BYTES = 100_000_000
_GOOD_FREE_BYTES = 2_000_000_000
_BYTES_A_CALL = 150
"""About what a row takes, in its journal and as a part, while both are there."""

_SYNCS = 5
_SLOW_SYNC_MS = 100.0
_MORE_THAN_SHOWN = 3


def home(machine: Machine) -> Iterator[Finding]:
    """Where labs and runs go, and who says so."""
    chosen = machine.environment.get("OWRAY_HOME")
    if chosen:
        yield Finding("home", Level.FINE, f"{chosen}, by OWRAY_HOME", "Labs and runs are kept there.")
        return
    if machine.environment.get("HOME"):
        place = Path(machine.environment["HOME"]) / ".owray"
        yield Finding("home", Level.FINE, f"{place}, by HOME", "Labs and runs are kept there.")
        return
    try:
        where, level = f"it is {Path.home() / '.owray'} by the user database", Level.BETTER
    except RuntimeError:
        where, level = "and the user database does not know this user", Level.WRONG
    yield Finding(
        "home",
        level,
        f"neither OWRAY_HOME nor HOME is set; {where}",
        "Labs and runs are kept there, and every command looks for them there.",
        "export OWRAY_HOME=/var/lib/owray, or any folder that is yours",
    )


def disk(runs: Path) -> Iterator[Finding]:
    """Whether runs can be written, how much room there is for them, and how long the disk takes to keep something.

    Leaves nothing behind; where the folder is missing, the one that it would be made in is looked at.
    """
    there = next(folder for folder in (runs, *runs.absolute().parents) if os.path.exists(folder))  # noqa: PTH110 - Path raises
    try:
        free_bytes = shutil.disk_usage(there).free
        sync_ms = _sync_ms(there)
    except OSError as problem:
        yield Finding(
            "disk",
            Level.WRONG,
            f"cannot write to {runs}: {problem.strerror or problem}",
            "A storm without evidence is of no use, so none begins.",
            "export OWRAY_HOME=FOLDER names another place (--runs-dir FOLDER does for runs alone); or make room, or mend the rights",
        )
        return
    level = Level.WRONG if free_bytes < _LEAST_FREE_BYTES else better_if(free_bytes < _GOOD_FREE_BYTES)
    yield Finding(
        "disk",
        level,
        f"{size(free_bytes)} free in {runs}, room for about {free_bytes // _BYTES_A_CALL / 1e6:,.0f} million calls",
        "A disk that is full in the midst of a storm ends it.",
        "make room (owray runs sizes shows what is there), or export OWRAY_HOME=FOLDER on a larger disk" if level is not Level.FINE else "",
        {"free_bytes": free_bytes},
    )
    slow = sync_ms > _SLOW_SYNC_MS
    yield Finding(
        "disk speed",
        better_if(slow),
        f"4 kB are safe after {milliseconds(sync_ms * 1000)} (median of {_SYNCS})",
        "Rows are written beside the calls, not between them; a slow disk only makes a crash lose more, and a storm's end take longer.",
        "export OWRAY_HOME=FOLDER on a local disk" if slow else "",
        {"fsync_ms": round(sync_ms, 3)},
    )


def runs_left(runs: Path) -> Iterator[Finding]:
    """Runs that broke off, and runs that cannot be read."""
    from owray.record.run import ManifestError, list_runs

    broken: list[str] = []
    unreadable: list[str] = []
    known = list_runs(runs)
    for run in known:
        try:
            if _broke_off(run):
                broken.append(run.run)
        except (ManifestError, OSError):
            unreadable.append(run.run)
    figures = {"runs": len(known), "broken_off": len(broken), "unreadable": len(unreadable)}
    if broken:
        what = f"{len(broken)} of {len(known)} broke off: {_some(broken)}"
        yield Finding("runs", Level.BETTER, what, "Some of their calls have no row yet, so sums are short.", "owray recover all", figures)
    if unreadable:
        what = f"{len(unreadable)} of {len(known)} cannot be read: {_some(unreadable)}"
        cure = "read them with the version of owray that wrote them, or delete their folders"
        yield Finding("runs", Level.BETTER, what, "Questions leave them out.", cure, figures)
    if not broken and not unreadable:
        yield Finding("runs", Level.FINE, f"{len(known):,}, all of them ended or at work", "Each has a row for every call.", "", figures)


def _broke_off(run: RunFolder) -> bool:
    """Whether there is something to recover. Raises ManifestError and OSError."""
    manifest = run.load()
    if manifest.status != "running" and manifest.verdict is not None:
        return False
    from owray.record.recover import NothingToRecover, StillPlaying, recovering

    try:
        with recovering(run):
            return True
    except (NothingToRecover, StillPlaying):
        return False


def _sync_ms(folder: Path) -> float:
    """Median milliseconds of writing 4 kB and seeing them safe. Raises OSError."""
    took_ms = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            if file.write(bytes(4096)) != 4096:
                raise OSError("No space left on device")
            os.fsync(file.fileno())
            took_ms.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took_ms)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MORE_THAN_SHOWN]) + (", ..." if len(names) > _MORE_THAN_SHOWN else "")
