"""Who plays a run, as far as can be seen from this machine: processes by their ids, invokers by the locks on their marks."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from owray.record.journal import MARK_SUFFIX, mark_is_held
from owray.record.run import Manifest, RunFolder

_SAME_PROCESS_S = 2.0


def this_process() -> dict[str, Any]:
    """A process as a manifest names it: `owner` plays the run, `asked_by` is its command."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "created": psutil.Process().create_time()}


def player_of(folder: RunFolder, manifest: Manifest) -> str | None:
    """Who still plays the run. Raises OSError where its marks cannot be looked at."""
    owner = _pid(manifest.owner)
    if owner is not None:
        return f"process {owner}"
    held = [mark for mark in folder.marks() if mark_is_held(mark)]
    return f"invoker {invoker_of(held[0])}" if held else None


def has_broken_off(folder: RunFolder, manifest: Manifest) -> bool:
    """Whether nobody plays a run that was never ended. Of one that was played on another machine, or is not ours, nothing can be said."""
    elsewhere = manifest.owner is not None and manifest.owner.get("host") != socket.gethostname()
    if manifest.status != "running" or elsewhere:
        return False
    try:
        return player_of(folder, manifest) is None and folder.load().status == "running"  # or it has just ended
    except OSError:
        return False


def way_out(manifest: Manifest) -> str:
    """How to end the storm of a run that is being played."""
    command, owner = _pid(manifest.asked_by), _pid(manifest.owner)
    if command is not None:
        return f"Ctrl-C in its terminal or kill {command} ends it"
    return "wait for its end" if owner is None else f"its command is gone: wait for its end, or kill -9 {owner} breaks it off"


def invoker_of(mark: Path) -> int:
    return int(mark.name.removesuffix(MARK_SUFFIX).rpartition("-")[2])


def _pid(process: Mapping[str, Any] | None) -> int | None:
    """The id of a process that lives on this machine."""
    if process is None or process.get("host") != socket.gethostname():
        return None
    with suppress(psutil.Error, KeyError, TypeError, ValueError):
        found = psutil.Process(process["pid"])
        same = abs(found.create_time() - process["created"]) < _SAME_PROCESS_S
        return found.pid if same and found.status() != psutil.STATUS_ZOMBIE else None
    return None
