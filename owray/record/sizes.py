"""What runs take on disk, and taking them away."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from owray.record.recover import at_rest
from owray.record.run import ManifestError, RunFolder


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one run. `rows` is None where a part cannot be read; journals are what is not turned into rows yet."""

    rows: int | None
    calls_bytes: int
    journal_bytes: int
    hosts_bytes: int
    total_bytes: int


def sizes_of(run: RunFolder) -> Sizes:
    """As it is now: a run under way grows."""
    return Sizes(
        rows=_rows(run),
        calls_bytes=_bytes(run.path / "calls"),
        journal_bytes=_bytes(run.path / "journal"),
        hosts_bytes=_bytes(run.hosts),
        total_bytes=_bytes(run.path),
    )


def remove(run: RunFolder) -> None:
    """Take a run away for good. It leaves the list at once, whatever becomes of its files.

    Raises StillPlaying while it is being played or recovered, and OSError.
    """
    try:
        with at_rest(run):
            away = _put_aside(run)
    except ManifestError:  # nobody plays a run without a manifest that can be read
        away = _put_aside(run)
    shutil.rmtree(away)


def _put_aside(run: RunFolder) -> Path:
    return run.path.rename(run.path.with_name(f".removed-{run.run}"))


def _bytes(folder: Path) -> int:
    """A file that goes while it is counted counts as nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _rows(run: RunFolder) -> int | None:
    try:
        return sum(int(pq.read_metadata(part).num_rows) for part in run.parts())
    except (OSError, pa.ArrowException):
        return None
