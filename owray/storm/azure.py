"""The traces of Azure Functions that Microsoft published (github.com/Azure/AzurePublicDataset), as DuckDB reads them.

    2019  invocations_per_function_md.anon.dNN.csv: HashOwner, HashApp, HashFunction, Trigger, 1 ... 1440: calls in each minute of a day;
          function_durations_percentiles.anon.dNN.csv: HashOwner, HashApp, HashFunction, Average (ms), Count, ...
    2021  AzureFunctionsInvocationTraceForTwoWeeksJan2021: app, func, end_timestamp, duration (s), a line a call

Several files of calls per minute are days, one after another as they are named; a file of durations may be given with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from owray.ask.views import patterns
from owray.plan.arrivals import Microseconds, fractions
from owray.plan.thinning import copies, multiplied
from owray.storm.assigning import KindNumbers
from owray.storm.bad_request import BadRequest
from owray.storm.plan_file import BATCH_ROWS

MINUTE_S = 60
DAY_MINUTES = 1440

_PLACING = 1
"""The lane of random bits that says where in its minute a call is due."""

_NAME = "HashOwner || '/' || HashApp || '/' || HashFunction"

Window = tuple[float, float]
"""Seconds of the trace's own time, from and to."""


def header_of(path: Path, place: str) -> list[str]:
    """The names of a CSV file's columns. Raises BadRequest."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return [name.strip().strip('"') for name in file.readline(1 << 20).strip().split(",")]
    except OSError as problem:
        raise BadRequest(f"{place}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError:
        raise BadRequest(f"{place}: it is no CSV, but something binary.  (the published archives have to be unpacked)") from None


def csv_of(paths: Sequence[Path]) -> str:
    """The table function that reads these files as texts."""
    return f"read_csv({patterns(paths)}, header = true, all_varchar = true, delim = ',')"


class Azure2019:
    """Calls per minute: each is due somewhere in its minute, by the seed; the counts are those of the files, or thinned exactly so far as
    the seed has it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, days: Sequence[Path], durations: Sequence[Path], window_s: Window) -> None:
        self._connection = connection
        self._first = int(window_s[0] // MINUTE_S)
        end = min(int(-(-window_s[1] // MINUTE_S)), len(days) * DAY_MINUTES)
        self.length_s = float(max(end - self._first, 0) * MINUTE_S)
        connection.execute("create table minutes (name varchar, minute bigint, calls bigint)")
        for day, path in enumerate(days):
            begins = day * DAY_MINUTES
            columns = [f'"{minute - begins + 1}"' for minute in range(max(self._first, begins), min(end, begins + DAY_MINUTES))]
            if columns:
                some = f"from {csv_of([path])} select {_NAME} as name, {', '.join(columns)}"
                long = f"unpivot ({some}) on {', '.join(columns)} into name minute value calls"
                kept = f"from ({long}) select name, minute::bigint - 1 + {begins}, calls::bigint where calls::bigint > 0"
                connection.execute(f"insert into minutes {kept}")
        connection.execute(
            "create table functions as from (from minutes select distinct name) "
            "select name, row_number() over (order by name) - 1 as number"
        )
        ((total,),) = connection.execute("from minutes select coalesce(sum(calls), 0)::bigint").fetchall()
        self.count = int(total)
        self.durations_s = self._durations(durations)

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]:
        first = 0
        for minute, functions, counts in self._minutes():
            rows = np.arange(first, first + int(counts.sum()), dtype=np.int64)
            first += len(rows)
            called = np.repeat(np.repeat(functions, counts), copies(rows, scale, seed))
            places = fractions(seed, _PLACING, minute, len(called), _PLACING) * (MINUTE_S * 1e6)
            due_us = (minute - self._first) * MINUTE_S * 1_000_000 + places.astype(np.int64)
            order = np.argsort(due_us, kind="stable")
            yield due_us[order], called[order]

    def _minutes(self) -> Iterator[tuple[int, KindNumbers, KindNumbers]]:
        """Each minute with its functions and their calls."""
        rows = "from minutes join functions using (name) select minute, number, calls order by minute, number"
        minute = -1
        functions: list[KindNumbers] = []
        counts: list[KindNumbers] = []
        for batch in self._connection.sql(rows).to_arrow_reader(BATCH_ROWS):
            minutes, numbers, calls = (column.to_numpy() for column in batch.columns)
            for now in np.unique(minutes).tolist():
                if now != minute and functions:
                    yield minute, np.concatenate(functions), np.concatenate(counts)
                    functions, counts = [], []
                minute = now
                functions.append(numbers[minutes == now])
                counts.append(calls[minutes == now])
        if functions:
            yield minute, np.concatenate(functions), np.concatenate(counts)

    def _durations(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """Each function's mean in seconds over all files, NaN where they do not have it."""
        ((functions,),) = self._connection.execute("from functions select count(*)").fetchall()
        durations = np.full(functions, np.nan)
        if paths:
            mean = "sum(Average::double * greatest(Count::double, 1)) / sum(greatest(Count::double, 1)) / 1000 as mean_s"
            found = f"from {csv_of(paths)} select {_NAME} as name, {mean} group by 1"
            rows = self._connection.execute(f"from functions join ({found}) using (name) select number, mean_s").fetchnumpy()
            durations[np.asarray(rows["number"])] = np.asarray(rows["mean_s"])
        return durations


class Azure2021:
    """A line a call, which began when it ended less its duration."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], window_s: Window) -> None:
        self._connection = connection
        columns = "app || '/' || func as name, end_timestamp::double - duration::double as start_s, duration::double as took_s"
        read = f"from {csv_of(paths)} select {columns}"
        connection.execute(f"create view all_calls as {read}")
        ((begin, end),) = connection.execute("from all_calls select min(start_s), max(start_s)").fetchall()
        since = f"start_s - {begin or 0.0!r}::double"
        connection.execute(
            f"create view calls as from all_calls select name, {since} - {window_s[0]!r} as due_s, took_s, row_number() over () as row "
            f"where {since} >= {window_s[0]!r} and {since} < {window_s[1]!r}"
        )
        connection.execute(
            "create table functions as from (from calls select name, avg(took_s) as mean_s, count(*) as calls group by 1) "
            "select *, row_number() over (order by name) - 1 as number"
        )
        self.length_s = max(min(window_s[1], (end or 0.0) - (begin or 0.0) + 1e-6) - window_s[0], 0.0)
        means = connection.execute("from functions select mean_s order by number").fetchnumpy()["mean_s"]
        self.durations_s = np.asarray(means, dtype=np.float64)
        ((total,),) = connection.execute("from functions select coalesce(sum(calls), 0)::bigint").fetchall()
        self.count = int(total)

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]:
        rows = "from calls join functions using (name) select round(due_s * 1e6)::bigint as due_us, number, row order by due_us, row"
        for batch in self._connection.sql(rows).to_arrow_reader(BATCH_ROWS):
            due_us, numbers, row = (column.to_numpy() for column in batch.columns)
            yield from multiplied(due_us, numbers, row, scale, seed)
