"""The order in which `owray --help` shows the commands: that in which somebody who is new to them needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import typer.core

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Set up": ("doctor", "up", "status", "target"),
    "Storm": ("workloads", "storm"),
    "Answers": ("runs", "query", "sql", "judge", "export"),
    "Upkeep": ("recover", "down"),
}

_MARGINS = 6
"""Columns before, between and after the two of a list."""


class InOrder(typer.core.TyperGroup):
    """A group of commands whose help has sections."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in in_sections(self.commands).values() for name in names]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title, names in in_sections(self.commands).items():
            rows = [(f"{name:<{width}}", self.commands[name].get_short_help_str(formatter.width - _MARGINS - width)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)


def in_sections(commands: Iterable[str]) -> dict[str, list[str]]:
    """The commands that there are, by section: empty sections are left out, and commands that have none come last."""
    return {title: names for title, names in _sections(list(commands)) if names}


def _sections(commands: list[str]) -> Iterator[tuple[str, list[str]]]:
    for title, names in SECTIONS.items():
        yield title, [name for name in names if name in commands]
    placed = {name for names in SECTIONS.values() for name in names}
    yield "More", [name for name in commands if name not in placed]
