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
    unfinished = path.with_name(f"{path.name}.tmp")
    with removed_on_failure(unfinished), unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed and removed in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Take away what was written only in part."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
