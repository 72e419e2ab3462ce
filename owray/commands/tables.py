"""Answers as tables for the eye: as wide as they need to be in a file or a pipe, and no wider than the terminal on one.

What does not fit a terminal has its headings on several lines, broken at the underscores, and its columns closer together. What still does
not fit is turned: a line for each column and a column for each row, as many as fit side by side. So neither a heading nor a figure is ever
cut in two.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from owray.problems import visible

MOST_ROWS = 500
MOST_TURNED_ROWS = 50

_ANY_WIDTH = 10_000
_GAP = 3
_CLOSER = (0, 1, 0, 0)


def show(answer: pa.Table) -> None:
    """Print the first rows of an answer: for a terminal, or as they go into a file or a pipe."""
    if sys.stdout.isatty():
        draw(answer, Console(markup=False, emoji=False))
    else:
        typer.echo(plain(answer), nl=False)


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Texts and numbers as an answer."""
    return pa.table({name: pa.array([row[place] for row in rows]) for place, name in enumerate(columns)})


def plain(answer: pa.Table) -> str:
    """The first rows of an answer as they go into a file or a pipe: as wide as they need to be, without colours."""
    text = io.StringIO()
    console = Console(file=text, width=_ANY_WIDTH, no_color=True, force_terminal=False, markup=False, emoji=False)
    console.print(_table(answer, answer.column_names))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if line) + "\n" + _rest(answer, MOST_ROWS)


def draw(answer: pa.Table, console: Console) -> None:
    """Print the first rows of an answer on a terminal, at its width."""
    broken = [_broken(name, column) for name, column in zip(answer.column_names, _texts(answer), strict=True)]
    for table in (_table(answer, answer.column_names), _table(answer, broken, padding=_CLOSER)):
        if Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).maximum <= console.width:
            console.print(table, _rest(answer, MOST_ROWS), sep="", end="")
            return
    for table in _turned(answer, console.width):
        console.print("", table)
    console.print("", _rest(answer, MOST_TURNED_ROWS), sep="\n", end="")


def cell(value: Any) -> str:
    """A value as a text; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, bytes):
        return value.hex()
    return visible(str(value))


def _table(answer: pa.Table, headings: Sequence[str], padding: tuple[int, int, int, int] = (0, 1, 0, 1)) -> Table:
    """The first rows; numbers to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding)
    for heading, field in zip(headings, answer.schema, strict=True):
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(visible(heading), justify="right" if is_number else "left", overflow="fold")
    for row in zip(*_texts(answer), strict=True):
        table.add_row(*row)
    return table


def _turned(answer: pa.Table, width: int) -> Iterator[Table]:
    """Tables with a line for each column, all of as many rows, one at least: what is too wide even for one is folded."""
    names = [visible(name) for name in answer.column_names]
    rows = list(zip(*_texts(answer, MOST_TURNED_ROWS), strict=True)) or [()]
    widest = max((cell_len(text) for row in rows for text in row), default=0)
    count = max(1, (width - max(map(cell_len, names))) // (widest + _GAP))
    for first in range(0, len(rows), count):
        side_by_side = [row for row in rows[first : first + count] if row]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column(names[0], no_wrap=True)
        for row in side_by_side:
            table.add_column(row[0], justify="right" if count > 1 else "left", overflow="fold")
        for name, *values in zip(names[1:], *(row[1:] for row in side_by_side), strict=True):
            table.add_row(name, *values)
        yield table


def _broken(name: str, column: Sequence[str]) -> str:
    """A heading on as many lines as it takes to be no wider than its column, or than its longest word."""
    words = visible(name).split("_")
    width = max(map(cell_len, [*words, *column]))
    lines = words[:1]
    for word in words[1:]:
        together = f"{lines[-1]}_{word}"
        lines[-1:] = [together] if cell_len(together) <= width else [lines[-1], word]
    return "\n".join(lines)


def _texts(answer: pa.Table, most: int = MOST_ROWS) -> list[list[str]]:
    """The first rows column by column."""
    return [[cell(value) for value in column.to_pylist()] for column in answer.slice(0, most).columns]


def _rest(answer: pa.Table, shown: int) -> str:
    left = answer.num_rows - shown
    return f"... and {left:,} more rows (--format csv has them all)\n" if left > 0 else ""
