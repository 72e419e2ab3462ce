"""The standard streams of a command, and what holds for all commands when nobody takes what is printed.

- A reader who has gone away (`owray runs | head -1`) has had enough: the rest is dropped, nothing is said, and the command does the rest of
  its work and ends with its own exit code. One that removes or recovers runs is not to stop half-way because of what is printed.
- An output that fails (a full disk, a closed terminal) has lost what was asked for: `OutputLost`.
- An error stream that fails has nobody who could be told so.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal, TextIO

from owray.problems import Problem

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputLost(Problem):
    """The output stream takes no more; `cause` is the system's reason."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(f"cannot write the output: {cause}.  (make room where it goes, or send it elsewhere)")


class _Lossy(io.FileIO):
    """A stream that drops what nobody takes; where losses `matter`, one that no reader's going away accounts for is raised, once."""

    def __init__(self, descriptor: int, *, matter: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.matter = matter

    def write(self, data: Buffer) -> int:
        try:
            return super().write(data)
        except OSError as problem:
            if self.matter and problem.errno != errno.EPIPE:
                self.matter = False  # or what is left in buffers would be lost a second time
                raise OutputLost(problem.strerror or str(problem)) from problem
            return memoryview(data).nbytes


@contextmanager
def standard_streams() -> Iterator[None]:
    """While it lasts sys.stdout, sys.stderr and sys.stdin are there, and the first two keep the rules above. Raises OutputLost.

    Python has None for a stream that was closed before it began (`2>&-`): there is nobody to tell, but no reason to fail. What is no file
    (a test's memory) stays as it is.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as opened:

        def there(stream: TextIO | None, mode: Literal["r", "w"]) -> TextIO:
            return stream or opened.enter_context(open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123 - a Path's has no such type

        sys.stdin = there(sys.stdin, "r")
        sys.stdout, output = _lossy(there(sys.stdout, "w"), matter=True)
        sys.stderr, _ = _lossy(there(sys.stderr, "w"), matter=False)
        try:
            yield
        finally:
            if output is not None:
                output.matter = False  # what is left now is left by an error that is told
            sys.stdout.flush()
            sys.stdin, sys.stdout, sys.stderr = before


def _lossy(stream: TextIO, *, matter: bool) -> tuple[TextIO, _Lossy | None]:
    try:
        raw = _Lossy(stream.fileno(), matter=matter)
    except io.UnsupportedOperation:
        return stream, None
    stream.flush()
    buffered = io.BufferedWriter(raw)
    lines = not matter or stream.isatty()
    return io.TextIOWrapper(buffered, encoding=stream.encoding, errors=stream.errors, line_buffering=lines), raw
