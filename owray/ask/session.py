"""A DuckDB session over one or more runs.

    calls    one row per planned call: the columns of the parts, and what follows from them
    runs     one row per run, from the manifests
    hosts    samples of the machines
    seconds  one row per run and second since t0, by the clock (see `owray.ask.seconds`)
    plan     the planned calls, made again from the recipes; only there when the query names it, since it has to be made

The column `planned` of `runs` has to be made too, and is null until a query names `runs`.

`calls` adds to the columns of a part:

    run, node             which run, and which machine's invoker
    at                    when the call was due: UTC, without a time zone, since DuckDB's zoned type needs further packages
    response_us           lag + held + connect + service; null for a call that was never attempted or whose end is not known
    ow_end_ms             the platform's wall clock at the end of the activation
    cold                  whether the record has an init time; null for a call without a record
    activation_id         as 32 hex digits

`percentile(sample, share)` is a percentile that does not flatter: nearest rank, and null with fewer than ten values beyond it.
What the runs hold is looked up when the session is made: a run under way answers with the parts it has by then.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import duckdb
import pyarrow as pa

from owray.ask import views
from owray.ask.broken import complaint
from owray.ask.seconds import SECONDS
from owray.problems import Problem
from owray.record.run import Manifest, RunFolder

Parameters = Mapping[str, Any]

_ERRNO = re.compile(r'"errno":"(\d+)"')
_PLAN_NAMED = re.compile(r"\bplan\b", re.IGNORECASE)
_RUNS_NAMED = re.compile(r"\bruns\b", re.IGNORECASE)

_QUERY_AT_FAULT = (duckdb.ParserException, duckdb.CatalogException)
_FILES_AT_FAULT = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException, duckdb.InternalException)


class QueryError(Problem):
    """DuckDB refuses the query; the text is its reason, in one line."""


class BrokenFile(QueryError):
    """A file in a run's folder is broken, or was not written by owray; the text names it."""


class Session:
    """To be closed, or used in a `with`. Raises ManifestError and BrokenFile where a run cannot be read."""

    def __init__(self, runs: Sequence[RunFolder]) -> None:
        self._runs = [(run, run.load()) for run in runs]
        self._connection = duckdb.connect()
        self._has_plan = self._has_planned = False
        # A table that is not there is an error, not a search among this program's variables.
        self._connection.execute("set python_enable_replacements = false")
        self._connection.execute(f"set temp_directory = {views.quoted(_spill_folder())}")
        self._connection.execute(views.PERCENTILE)
        try:
            views.calls(self._connection, self._runs)
            views.hosts(self._connection, self._runs)
        except duckdb.Error as error:
            self.close()
            raise self._refusal(error) from error
        self._connection.from_arrow(views.runs_table(self._runs)).create("runs")
        self._connection.execute(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(manifest for _, manifest in self._runs)

    def table(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer of the last statement as an Arrow table. Raises QueryError."""
        with self._told():
            self._make_what_is_named(sql)
            relation = self._connection.sql(sql, params=dict(parameters) if parameters else None)
            return pa.table({}) if relation is None else relation.to_arrow_table()

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """The answer row by row, by column name. Raises QueryError."""
        answer: list[dict[str, Any]] = self.table(sql, parameters).to_pylist()
        return answer

    def one(self, sql: str, parameters: Parameters | None = None) -> dict[str, Any]:
        """The only row of the answer. Raises QueryError."""
        answer = self.rows(sql, parameters)
        if len(answer) != 1:
            raise QueryError(f"one row was expected, and {len(answer)} came")
        return answer[0]

    def copy_calls(self, path: Path, *, as_csv: bool) -> int:
        """Write all of `calls` to a new file, as they are read; how many. `progress` is for another thread meanwhile.

        Raises QueryError, and OSError where the file cannot be written.
        """
        style = "format csv, header" if as_csv else "format parquet, compression zstd"
        with self._told(), _not_written():
            done = self._connection.execute(f"copy calls to {views.quoted(str(path))} ({style})").fetchone()
        return int(done[0]) if done else 0

    def progress(self) -> float:
        """How far the query under way is: a share, below zero where that is not known."""
        return float(self._connection.query_progress()) / 100

    @contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB's errors as ours. Ctrl-C is Ctrl-C, also where DuckDB notices it first and says so in its own ways."""
        try:
            yield
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except duckdb.Error as error:
            raise self._refusal(error) from error
        except RuntimeError as error:
            if "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from error

    def _refusal(self, error: duckdb.Error) -> QueryError:
        if isinstance(error, _QUERY_AT_FAULT):
            return QueryError(_one_line(error))
        in_the_rows = isinstance(error, _FILES_AT_FAULT) or type(error) is duckdb.Error  # a damaged page may be neither
        reason = complaint([run for run, _ in self._runs], to_the_end=in_the_rows)
        return BrokenFile(reason) if reason else QueryError(_one_line(error))

    def _make_what_is_named(self, sql: str) -> None:
        """A word may stand for something else: then it is made for nothing, which costs time only."""
        if not self._has_plan and _PLAN_NAMED.search(sql):
            views.make_plan(self._connection, self._runs)
            self._has_plan = True
        if not self._has_planned and _RUNS_NAMED.search(sql):
            views.count_planned(self._connection, self._runs)
            self._has_planned = True


def _spill_folder() -> str:
    """Where DuckDB puts what does not fit in memory; it makes the folder when needed and removes it. By default it would be here."""
    return str(Path(tempfile.gettempdir()) / f"owray-{os.getpid()}-{uuid4().hex[:8]}")


@contextmanager
def _not_written() -> Iterator[None]:
    """DuckDB tells why a file could not be written in the midst of JSON: the system's own number is in it."""
    try:
        yield
    except duckdb.IOException as error:
        told = _ERRNO.search(str(error))
        if told is None:
            raise
        raise OSError(int(told[1]), os.strerror(int(told[1]))) from error


def _one_line(error: Exception) -> str:
    """DuckDB's first line says what is wrong; the next may say what was meant; then comes a drawing of the query."""
    lines = [line.strip() for line in str(error).partition("\n\nLINE ")[0].splitlines() if line.strip()]
    return " ".join(lines)
