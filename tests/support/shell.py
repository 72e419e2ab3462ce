"""A shell that stays open, and what a page of the docs would have its reader type into it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT_CODE = re.compile(r"# exit code (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """What is typed at once: a command of a shell, or a whole block of another language. `exit_code` is what the page promises."""

    language: str
    text: str
    exit_code: int = 0


@dataclass(frozen=True)
class Done:
    """How a command ended; both its streams, in the order in which they were written."""

    exit_code: int
    said: str


def steps(page: str) -> Iterator[Step]:
    """The fenced blocks in their order, those of the shell command by command."""
    for language, text in _FENCED.findall(page):
        if language != "sh":
            yield Step(language, text)
            continue
        for command in commands(text):
            promised = _EXIT_CODE.search(command)
            yield Step(language, command, int(promised[1]) if promised else 0)


def commands(script: str) -> Iterator[str]:
    """Splits where bash, too, sees the end of a command: not in a here-document, not after a backslash."""
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if gathered.strip() and not gathered.endswith("\\\n") and _is_whole(gathered):
            yield gathered
            gathered = ""
    if gathered.strip():
        raise ValueError(f"no end of a command in: {gathered}")


def _is_whole(script: str) -> bool:
    """An open here-document is but a warning to bash."""
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    return read.returncode == 0 and not read.stderr


class Shell:
    """One bash for all commands: variables and the folder stay from one to the next. Nothing is there to be read by them."""

    def __init__(self, scratch: Path, *, folder: Path, environment: Mapping[str, str]) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._script, self._said = scratch / "command.sh", scratch / "said.txt"
        self._bash = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=dict(environment), bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bash.communicate()

    def run(self, command: str) -> Done:
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._script.write_text(command)
        self._bash.stdin.write(f"source '{self._script}' < /dev/null > '{self._said}' 2>&1; echo $?\n")
        exit_code = int(self._bash.stdout.readline())
        return Done(exit_code, self._said.read_text(errors="replace"))
