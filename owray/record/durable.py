"""Files that are there whole or not at all, also after the machine has stopped.

A rename is on disk only when its folder is: without that a file that was written, synced and renamed can be gone after a power cut, or
the one before it be back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a file at once, and durably."""
    with replacing(path) as unfinished:
        unfinished.write_text(text)


@contextmanager
def replacing(path: Path, unfinished: Path | None = None) -> Iterator[Path]:
    """Where to write what is to bear the name `path`, by default beside it: it does so when it is whole and on disk. What was written only
    in part is taken away, and a file of that name stays as it was."""
    place = unfinished or path.with_name(f"{path.name}.tmp")
    try:
        yield place
        with place.open("rb") as file:
            os.fsync(file.fileno())
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed and removed in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
