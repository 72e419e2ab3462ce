"""A program on a terminal of its own: typed at, and read like a person would."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x07")


class Terminal:
    """`python -c script arguments` at the other end. What it prints is kept, without the codes that move a cursor."""

    def __init__(self, script: str, *arguments: str, **environment: str) -> None:
        self.seen = ""
        self._read_to = 0
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            self._become(script, arguments, environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self._close()

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def wait_for(self, text: str) -> str:
        """Read on until `text` comes; gives what came before it, since the last wait."""
        until = time.monotonic() + PATIENCE_S
        while (found := self.seen.find(text, self._read_to)) < 0:
            came = time.monotonic() < until and self._read()
            assert came, f"{text!r} did not come after: {self.seen[self._read_to :]!r}"
        before, self._read_to = self.seen[self._read_to : found], found + len(text)
        return before

    def interrupt(self, then: str) -> None:
        """Ctrl-C until `then` comes: Python's readline overlooks one that comes just before it waits for the next key."""
        until = time.monotonic() + PATIENCE_S
        while self.seen.find(then, self._read_to) < 0:
            assert time.monotonic() < until, f"{then!r} did not come after: {self.seen[self._read_to :]!r}"
            self.type("\x03")
            while select.select([self._descriptor], [], [], 1.0)[0] and self._read() and self.seen.find(then, self._read_to) < 0:
                pass
        self.wait_for(then)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self._exit_code()

    def hang_up(self) -> int:
        """Close the terminal; the exit code of what was on it, when it has ended."""
        self._close()
        return self._exit_code()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _exit_code(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE_S)
        assert ready, f"nothing came after: {self.seen[self._read_to :]!r}"
        try:
            some = os.read(self._descriptor, 65_536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.seen += _CONTROLS.sub("", some.decode(errors="replace")).replace("\r\n", "\n")
        return bool(some)

    @staticmethod
    def _become(script: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """The child, which never returns."""
        try:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, "-c", script, *arguments], _environment(environment))  # noqa: S606  no shell is wanted
        finally:
            os._exit(127)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "TERM": "xterm", **more}
