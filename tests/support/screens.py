"""Commands as they look on a terminal, and what they send to it besides text."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLI = (str(ROOT / "cli.py"),)
UNPLAYED = ("-m", "support.unplayed")
"""The same, but no fleet plays its storms."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|.)")
_COLOUR = re.compile(r"\x1b\[(?:[0-9]*;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")
_DECIDES = ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR", "CLICOLOR_FORCE")


def on_terminal(*arguments: object, variables: Mapping[str, str], program: Sequence[str] = CLI) -> str:
    """Everything that `owray` with these arguments sends to a terminal of 256 colours, both streams."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(variables)
    )
    os.close(theirs)
    sent = b""
    with suppress(OSError):  # how a terminal ends whose last user has gone
        while chunk := os.read(ours, 65536):
            sent += chunk
    os.close(ours)
    process.wait()
    return sent.decode()


def into_pipes(*arguments: object, variables: Mapping[str, str], program: Sequence[str] = CLI) -> subprocess.CompletedProcess[str]:
    """The same command where there is no terminal."""
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, env=environment(variables), capture_output=True, text=True, check=False, timeout=120
    )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that decides on colours, and then these variables."""
    kept = {name: value for name, value in os.environ.items() if name not in _DECIDES}
    return kept | {"TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))} | variables


def escapes(text: str) -> list[str]:
    """Every escape sequence."""
    return _ESCAPE.findall(text)


def colours(text: str) -> list[str]:
    """Escape sequences that choose a colour."""
    return _COLOUR.findall(text)


def movements(text: str) -> list[str]:
    """Escape sequences that are no styles: they move the cursor or clear something."""
    return [each for each in escapes(text) if not each.endswith("m")]
