"""What the commands that read runs share: choosing the run, opening a session, printing an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.problems import Problem, visible

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table

    from owray.ask.queries import Query
    from owray.ask.session import Session

MOST_TABLE_ROWS = 500


class Format(StrEnum):
    """How an answer is printed. A table is for the eye and ends after MOST_TABLE_ROWS rows; the others have all."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


RUN_HELP = "A run's id, the beginning of one, its tag, or 'latest'; several with commas between; or 'all'."

RunOption = Annotated[str, typer.Option("--run", help=RUN_HELP, metavar="RUN")]
RunsDirOption = Annotated[
    Path | None, typer.Option("--runs-dir", help="Where runs live (default: $OWRAY_HOME/runs, else ~/.owray/runs).", metavar="FOLDER")
]
FormatOption = Annotated[Format, typer.Option("--format", help="How the answer is printed.")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Write the answer to a file instead.", metavar="FILE")]


@contextmanager
def session_over(run: str, runs_dir: Path | None) -> Iterator[Session]:
    """A session over the runs called `run` (see `find_runs`). Raises RunNotFound, ManifestError and BrokenFile."""
    from owray.ask.session import Session
    from owray.record.run import find_runs, runs_folder

    with Session(find_runs(runs_folder(runs_dir), run)) as session:
        yield session


def show(answer: pa.Table, style: Format, output: Path | None = None) -> None:
    """Print an answer, or write it to a file. Raises OSError, and Problem for Parquet on a terminal."""
    content = _content(answer, style, output)
    if output is not None:
        output.write_bytes(content)
    elif style is Format.PARQUET and sys.stdout.isatty():
        raise Problem("Parquet is not for a terminal. Name a file: --output calls.parquet")
    elif style is not Format.TABLE or not sys.stdout.isatty():
        typer.echo(content, nl=False)
    else:
        from rich.console import Console

        Console(markup=False, emoji=False).print(_table(answer))
        typer.echo(_rest(answer), nl=False)


def show_named(session: Session, asked: Query, values: Mapping[str, Any], style: Format, output: Path | None = None) -> None:
    """Print the answer to a question that has a name. A table for the eye does not repeat the name of the only run on every line; the
    other forms always have the same columns. Raises QueryError and OSError."""
    answer = session.table(asked.sql, values)
    if style is Format.TABLE and len(session.manifests) == 1 and answer.num_columns > 1:
        answer = answer.drop_columns(["run"])
    show(answer, style, output)


def _content(answer: pa.Table, style: Format, output: Path | None) -> bytes:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if style is Format.TABLE:
        return (_plain(_table(answer)) + _rest(answer)).encode()
    if style is Format.JSON:
        return (json.dumps([_json_row(row) for row in answer.to_pylist()], indent=2) + "\n").encode()
    sink = pa.BufferOutputStream()
    if style is Format.CSV:
        pyarrow.csv.write_csv(_flat(answer), sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    else:
        pyarrow.parquet.write_table(answer, sink, compression="zstd")
    return bytes(sink.getvalue())


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A plain or, on a terminal, a drawn table of texts and numbers, ready to be printed."""
    import pyarrow as pa

    answer = pa.table({name: pa.array([row[place] for row in rows]) for place, name in enumerate(columns)})
    return _plain(_table(answer))


def _table(answer: pa.Table) -> Table:
    """The first rows as a table; numbers to the right, nulls empty."""
    import pyarrow as pa
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for field in answer.schema:
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(visible(field.name), justify="right" if is_number else "left", overflow="fold")
    for row in zip(*(column.to_pylist() for column in answer.slice(0, MOST_TABLE_ROWS).columns), strict=True):
        table.add_row(*(_cell(value) for value in row))
    return table


def _plain(table: Table) -> str:
    """The table as it goes into a file or a pipe: as wide as it needs to be, without colours."""
    import io

    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=10_000, no_color=True, force_terminal=False, markup=False, emoji=False).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if line) + "\n"


def _rest(answer: pa.Table) -> str:
    left = answer.num_rows - MOST_TABLE_ROWS
    return f"... and {left:,} more rows (--format csv has them all)\n" if left > 0 else ""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, bytes):
        return value.hex()
    return visible(str(value))


def _json_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:
    """JSON knows neither infinity nor times: they become texts."""
    import math
    from datetime import date, datetime
    from decimal import Decimal

    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return _json_row(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _flat(answer: pa.Table) -> pa.Table:
    """What CSV has no form for becomes text."""
    import pyarrow as pa

    def flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_interval(kind):
            return pa.chunked_array([pa.array([None if value is None else _cell(value) for value in column.to_pylist()], pa.string())])
        return column

    return pa.table([flat(column) for column in answer.columns], names=answer.column_names)
