"""What a check says, and what it looks at.

A check is a function that gives findings. What the kernel shows as files it reads through a `Machine`, so that it can be shown another
tree; what only a call tells (limits, affinity) it asks for this very process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from owray.problems import Problem

Figure = int | float | str | bool | None


class Level(StrEnum):
    """How bad it is. Only what is wrong keeps owray from working."""

    FINE = "fine"
    BETTER = "could be better"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: what is there, what it means for a measurement, and how to change it.

    `figures` are what was found as numbers; their names end in the unit. A fine thing needs no cure.
    """

    check: str
    level: Level
    found: str
    meaning: str
    cure: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)


REINSTALL = "pip install --upgrade owray, into an environment of its own; in a checkout: make venv"

Check = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where /proc, /sys and /run are found, and the variables of the environment."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def read(self, path: str) -> str | None:
        """A file's text without the white space around it; None where it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace").strip()
        except OSError:
            return None

    def numbers(self, path: str) -> list[int]:
        """The whole numbers of a file, up to the first word that is none; empty where it cannot be read."""
        found: list[int] = []
        for word in (self.read(path) or "").split():
            if not word.lstrip("-").isdecimal():
                break
            found.append(int(word))
        return found


def examine(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """What all checks say, in order. A check that breaks off is a finding, not the end of the others."""
    for name, check in checks.items():
        try:
            yield from list(check())
        except ImportError as missing:
            yield Finding(name, Level.WRONG, f"could not be looked at: {missing}", "owray itself needs this.", REINSTALL)
        except (LookupError, OSError, Problem, RuntimeError, ValueError) as problem:
            yield Finding(name, Level.BETTER, f"could not be looked at: {problem}", "Whether it is in order is not known.")


def better_if(condition: bool) -> Level:
    """BETTER where the condition holds, else FINE."""
    return Level.BETTER if condition else Level.FINE
