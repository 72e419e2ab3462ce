"""A file of calls (Parquet, CSV), read through DuckDB: sorted and counted there, so that it need not fit into memory.

    due_us   when the call is due, in microseconds from the storm's beginning; or t_s (due_s), in seconds
    action   what it goes to, as --action has it; then optional: size, params (a JSON object), stream, workload

Rows need not be in order; of calls due at once the one that stands first comes first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from owray.ask.views import patterns, quoted
from owray.plan.arrivals import Microseconds
from owray.plan.recipe import MOST_CALLS
from owray.plan.thinning import multiplied
from owray.storm.assigning import MOST_KINDS, Kind, KindNumbers
from owray.storm.bad_request import BadRequest

TIMES = {"due_us": 1, "t_s": 1_000_000, "due_s": 1_000_000}
"""Columns that say when a call is due, and how many microseconds are one of it."""

MOST_S = 100 * 86_400.0
BATCH_ROWS = 122_880

_MEMORY = "1GB"
_NAMING = tuple(each.name for each in dataclasses.fields(Kind))


@contextmanager
def database(spill: Path, place: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that takes a gigabyte of memory and puts the rest into `spill`. What it cannot do is a BadRequest that begins with
    `place`."""
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{_MEMORY}'; set temp_directory = {quoted(str(spill))}")
        try:
            yield connection
        except duckdb.Error as problem:
            raise BadRequest(f"{place}: it cannot be read ({str(problem).strip().splitlines()[0]})") from problem


def reader_of(path: Path, place: str) -> str:
    """The table function that reads a file. Raises BadRequest."""
    if path.suffix not in (".parquet", ".csv"):
        raise BadRequest(f"{place}: a file of calls ends in .parquet or .csv")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as problem:
        raise BadRequest(f"{place}: {problem.strerror or problem}") from problem
    if path.suffix == ".parquet":
        return f"read_parquet({patterns([path])})"
    return f"read_csv({patterns([path])}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"


class PlanFile:
    """The calls of a file. Raises BadRequest where it cannot be a plan."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, place: str) -> None:
        self._connection = connection
        self._place = place
        read = reader_of(path, place)
        types = {name.lower(): str(kind) for name, kind, *_ in connection.execute(f"describe from {read}").fetchall()}
        self._time = self._time_of(list(types))
        self._naming = [name for name in _NAMING if name in types]
        named = [_text_of(name, types.get(name)) for name in _NAMING]
        due = f"try_cast({self._time} as double) * {TIMES[self._time]} as due_us, {self._time}::varchar as said"
        connection.execute(f"create view rows as from {read} select row_number() over () as row, {due}, {', '.join(named)}")
        unused = [name for name in types if name not in (self._time, *_NAMING)]
        self.notes: tuple[str, ...] = (f"{place}: not looked at: {', '.join(unused)}",) if unused else ()
        self.count = self._checked()

    @property
    def scale(self) -> float | None:
        """It is to be played as it is."""
        return None

    def kinds(self) -> Sequence[Kind] | None:
        """The kinds of its calls; None where no column says what calls go to."""
        names = ", ".join(_NAMING)
        self._connection.execute(f"create table kinds as from (from rows select distinct {names} order by all limit {MOST_KINDS + 1})")
        kinds = [Kind(*row) for row in self._connection.execute(f"from kinds select {names} order by all").fetchall()]
        if len(kinds) > MOST_KINDS:
            raise BadRequest(f"{self._place}: it has more than {MOST_KINDS:,} kinds of calls: different actions, sizes or params")
        return kinds if self._naming else None

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]:
        """Due times in order, each with its kind, after `kinds`; a call is made `scale` times, by chance where that is no whole number."""
        names = ", ".join(_NAMING)
        kinds = f"from kinds select row_number() over (order by {names}) - 1 as kind, {names}"
        rows = f"from rows join ({kinds}) using ({names}) select round(due_us)::bigint as due_us, kind, row order by due_us, row"
        for batch in self._connection.sql(rows).to_arrow_reader(BATCH_ROWS):
            due_us, numbers, row = (column.to_numpy() for column in batch.columns)
            yield from multiplied(due_us, numbers, row, scale, seed)

    def _time_of(self, names: list[str]) -> str:
        times = [name for name in TIMES if name in names]
        if len(times) != 1:
            had = ", ".join(names)
            raise BadRequest(f"{self._place}: one column is to say when calls are due, due_us or t_s; it has {had}")
        return times[0]

    def _checked(self) -> int:
        """How many calls it has, all of them with a time that can be."""
        wrong = f"due_us is null or not isfinite(due_us) or due_us < 0 or due_us > {MOST_S * 1e6:.0f}"
        first = self._connection.execute(f"from rows select row, said, due_us where {wrong} order by row limit 1").fetchone()
        if first is not None:
            raise BadRequest(f"{self._place}, row {first[0]}: {self._time} {_wrong(first[1], first[2])}")
        ((count,),) = self._connection.execute("from rows select count(*)").fetchall()
        if not count:
            raise BadRequest(f"{self._place}: it is empty; a plan has at least one call")
        if count > MOST_CALLS:
            raise BadRequest(f"{self._place}: a storm of {count:,} calls is more than the {MOST_CALLS:,} that one run may have")
        return int(count)


def _wrong(said: str | None, due_us: float | None) -> str:
    if said is None:
        return "is empty"
    if due_us is None or due_us != due_us:
        return f"is {said!r}, and a time is a number"
    return f"is {said}, before the beginning" if due_us < 0 else f"is {said}, and a plan lasts at most {MOST_S / 86_400:g} days"


def _text_of(name: str, kind: str | None) -> str:
    """A column as text; what is not there is empty."""
    if kind is None:
        return f"'' as {name}"
    text = f"trim({name}::varchar)" if "(" not in kind else f"to_json({name})::varchar"  # STRUCT(...) and MAP(...), but for the text itself
    return f"coalesce({text}, '') as {name}"
