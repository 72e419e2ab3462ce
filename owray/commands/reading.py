"""What the commands that read runs share: choosing the run, opening a session, printing an answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.problems import Problem, tell

if TYPE_CHECKING:
    import pyarrow as pa

    from owray.ask.queries import Query
    from owray.ask.session import Session
    from owray.record.run import RunFolder


class Format(StrEnum):
    """How an answer is printed. A table is for the eye and ends after some hundred rows; the others have all."""

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
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def refuse_to_replace(output: Path | None, *, force: bool) -> None:
    """Raises Problem where the file to be written is there already, and nobody said that it may go."""
    if output is not None and output.exists() and not (force and output.is_file()):
        cure = "--force replaces it" if output.is_file() else "it is no plain file; name one"
        raise Problem(f"{output} is there already.  ({cure})")


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """Where to write what is to be in `output`, which gets it as a whole or stays as it was. Raises Problem, which names the file that the
    user knows."""
    from owray.record.durable import replacing

    unfinished = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with replacing(output, unfinished):
            unfinished.touch()
            yield unfinished
    except OSError as problem:
        raise Problem(f"cannot write {output}: {problem.strerror or problem}.  (--output names another place)") from problem


@contextmanager
def session_over(run: str, runs_dir: Path | None) -> Iterator[Session]:
    """A session over the runs called `run` (see `find_runs`). Raises RunNotFound, ManifestError and BrokenFile."""
    from owray.ask.session import Session
    from owray.record.run import ALL, find_runs, runs_folder

    found = find_runs(runs_folder(runs_dir), run)
    with _session_over_readable(found) if run == ALL else Session(found) as session:
        yield session


def _session_over_readable(found: list[RunFolder]) -> Session:
    """A session over all that can be read of these runs; what is left out is said. Raises as `Session` does where none can be."""
    from owray.ask.session import BrokenFile, Session
    from owray.record.run import ManifestError

    def can_be_read(run: RunFolder) -> bool:
        try:
            Session([run]).close()
        except (BrokenFile, ManifestError):
            return False
        return True

    try:
        return Session(found)
    except (BrokenFile, ManifestError) as problem:
        readable = [run for run in found if can_be_read(run)]
        if not readable:
            raise
        tell(f"{len(found) - len(readable)} of {len(found)} runs left out: {problem}")
        return Session(readable)


def show(answer: pa.Table, style: Format, output: Path | None = None) -> None:
    """Print an answer, or write it to a file. Raises OSError, and Problem for Parquet on a terminal."""
    from owray.commands import tables

    if output is not None:
        with written_whole(output) as place:
            place.write_bytes(_content(answer, style))
    elif style is Format.TABLE:
        tables.show(answer)
    elif style is Format.PARQUET and sys.stdout.isatty():
        raise Problem("Parquet is not for a terminal. Name a file: --output calls.parquet")
    else:
        typer.echo(_content(answer, style), nl=False)


def show_named(session: Session, asked: Query, values: Mapping[str, Any], style: Format, output: Path | None = None) -> None:
    """Print the answer to a question that has a name. A table for the eye does not repeat the name of the only run on every line; the
    other forms always have the same columns. Raises QueryError and OSError."""
    answer = session.table(asked.sql, values)
    if style is Format.TABLE and len(session.manifests) == 1 and answer.num_columns > 1:
        answer = answer.drop_columns(["run"])
    show(answer, style, output)


def _content(answer: pa.Table, style: Format) -> bytes:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from owray.commands.tables import plain

    if style is Format.TABLE:
        return plain(answer).encode()
    if style is Format.JSON:
        return (json.dumps([_json_row(row) for row in answer.to_pylist()], indent=2) + "\n").encode()
    sink = pa.BufferOutputStream()
    if style is Format.CSV:
        pyarrow.csv.write_csv(_flat(answer), sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    else:
        pyarrow.parquet.write_table(answer, sink, compression="zstd")
    return bytes(sink.getvalue())


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

    from owray.commands.tables import cell

    def flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_interval(kind):
            return pa.chunked_array([pa.array([None if value is None else cell(value) for value in column.to_pylist()], pa.string())])
        return column

    return pa.table([flat(column) for column in answer.columns], names=answer.column_names)
