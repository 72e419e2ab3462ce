"""Traces of real platforms as plans: which functions were called when, brought to a rate that a platform under test can be given.

    azure2019   calls per minute, and durations        owray.storm.azure
    azure2021   a line a call                          owray.storm.azure
    synthetic   made from a seed with their statistics owray.plan.synthetic

Each function is mapped to the action of the catalogue that takes about as long (`owray.storm.durations`), unless the options name what all
calls go to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from owray.ask.views import patterns
from owray.plan import synthetic
from owray.plan.arrivals import Microseconds
from owray.plan.recipe import MOST_CALLS
from owray.plan.thinning import multiplied
from owray.storm.assigning import Kind, KindNumbers
from owray.storm.azure import Azure2019, Azure2021, Window, header_of
from owray.storm.bad_request import BadRequest, seconds
from owray.storm.durations import map_functions, references
from owray.storm.load import DEFAULT_RPS, MOST_RPS
from owray.storm.plan_file import BATCH_ROWS
from owray.storm.request import CallRequest

Format = Literal["azure2019", "azure2021"]

SYNTHETIC = "synthetic"
SYNTHETIC_FUNCTIONS = 200
DEFAULT_WINDOW_S = (0.0, 600.0)

_DURATIONS = "percentile_Average_50"
_BOTH = {"HashOwner", "HashApp", "HashFunction"}
_LOOKS: dict[Format, set[str]] = {"azure2019": _BOTH | {"1", "1440"}, "azure2021": {"app", "func", "end_timestamp", "duration"}}


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """Which trace: files, or `synthetic` alone; `format` where it is not to be seen from their headers; the piece of it to be played, in
    seconds of its own; the mean rate that it is brought to (None: as it is)."""

    names: tuple[str, ...]
    format: Format | None = None
    window_s: Window = DEFAULT_WINDOW_S
    rps: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.window_s[0] < self.window_s[1]:
            raise BadRequest(f"--trace-window: it begins at {self.window_s[0]:g} s and ends at {self.window_s[1]:g} s: nothing is between")
        if self.rps is not None and not 0 < self.rps <= MOST_RPS:
            raise BadRequest(f"--rps is to be above zero and at most {MOST_RPS:,.0f}, not {self.rps:g}")
        if SYNTHETIC in self.names and (len(self.names) > 1 or self.format is not None):
            raise BadRequest("--trace synthetic: it is made, not read; no file and no --trace-format goes with it")


def window_of(text: str) -> Window:
    """ "10m..70m", as given to --trace-window. Raises BadRequest."""
    begin, dots, end = text.partition("..")
    if not dots:
        raise BadRequest(f"--trace-window {text!r}: one looks like 10m..70m, an hour of the trace from its eleventh minute on")
    return seconds(begin, "--trace-window"), seconds(end, "--trace-window")


@dataclass(frozen=True, slots=True)
class Making:
    """How a plan is made of a trace: the seed, how many times as fast it is played, and a folder for what does not fit into memory."""

    seed: int
    speed: float
    spill: Path


class _Reader(Protocol):
    """What a format gives: functions by number with their mean durations, and the calls of the window, in order."""

    count: int
    length_s: float
    durations_s: NDArray[np.float64]

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]: ...


class Trace:
    """The calls of a trace. Raises BadRequest where it cannot be read, or has none."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        request: TraceRequest,
        place: str,
        making: Making,
        *,
        map_to: CallRequest | None,
    ) -> None:
        """`map_to` says where the actions are that stand for functions; None: nothing is mapped."""
        self._request, self._speed = request, making.speed
        self._reader = _reader(connection, request, place, making)
        self.count, self.length_s = self._reader.count, self._reader.length_s
        begin_s, end_s = request.window_s
        if not self.count:
            raise BadRequest(f"{place}: nothing was called between {begin_s:g} s and {end_s:g} s of it.  (--trace-window chooses another)")
        calls = f"{self.count:,} calls of {len(self._reader.durations_s):,} functions in {self.length_s:g} s, from {begin_s:g} s on"
        self.notes: tuple[str, ...] = (f"{place}: {calls}",)
        self._mapping = None if map_to is None else map_functions(self._reader.durations_s, references(map_to.actions_dir))
        if self._mapping is not None:
            self.notes += self._mapping.notes

    @property
    def scale(self) -> float | None:
        """What brings it to the rate that it is to have, if one was named; a trace that is made has it already."""
        if self._request.rps is None or isinstance(self._reader, _Synthetic):
            return None
        return self._request.rps * self.length_s / self._speed / self.count

    def kinds(self) -> Sequence[Kind] | None:
        return None if self._mapping is None else self._mapping.kinds

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]:
        for due_us, functions in self._reader.calls(scale, seed):
            yield due_us, functions if self._mapping is None else self._mapping.kind_of[functions]


def _reader(connection: duckdb.DuckDBPyConnection, request: TraceRequest, place: str, making: Making) -> _Reader:
    if request.names == (SYNTHETIC,):
        return _Synthetic(connection, request, making)
    paths = [Path(name) for name in request.names]
    headers = {path: set(header_of(path, f"--trace {path}")) for path in paths}
    durations = [path for path in paths if _DURATIONS in headers[path]]
    calls = [path for path in paths if path not in durations]
    if not calls:
        raise BadRequest(f"{place}: durations alone; the file with the calls goes with it")
    kinds = {_format_of(headers[path], request.format, path) for path in calls}
    if len(kinds) > 1:
        raise BadRequest(f"{place}: files of different formats")
    if kinds == {"azure2019"}:
        return Azure2019(connection, calls, durations, request.window_s)
    return Azure2021(connection, calls, request.window_s)


def _format_of(header: set[str], asked: Format | None, path: Path) -> Format:
    fitting = [name for name, columns in _LOOKS.items() if columns <= header and asked in (None, name)]
    if not fitting:
        wanted = "; ".join(f"{name}: {', '.join(sorted(columns))}" for name, columns in _LOOKS.items() if asked in (None, name))
        raise BadRequest(f"--trace {path}: its first line does not have the columns of a trace that is known ({wanted})")
    return fitting[0]


class _Synthetic:
    """Functions one after another, put in order by DuckDB. It is made at the rate that it is to be played at."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, request: TraceRequest, making: Making) -> None:
        self._connection = connection
        self.length_s = request.window_s[1] - request.window_s[0]
        rps = (request.rps or DEFAULT_RPS) / making.speed
        if rps * self.length_s > MOST_CALLS:
            raise BadRequest(f"a storm of {rps * self.length_s:,.0f} calls is more than the {MOST_CALLS:,} that one run may have")
        functions = synthetic.functions(SYNTHETIC_FUNCTIONS, rps, making.seed)
        self.durations_s = np.array([function.duration_s for function in functions])
        self._file = making.spill / "synthetic.parquet"
        self.count = 0
        schema = pa.schema([("due_us", pa.int64()), ("number", pa.int64())])
        with pq.ParquetWriter(self._file, schema, compression="zstd") as writer:
            for function in functions:
                for due_us in synthetic.arrivals_us(function, self.length_s, making.seed):
                    numbers = np.full(len(due_us), function.number, dtype=np.int64)
                    writer.write_batch(pa.RecordBatch.from_arrays([pa.array(due_us), pa.array(numbers)], schema=schema))
                    self.count += len(due_us)

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]:
        rows = f"from read_parquet({patterns([self._file])}) select due_us, number order by due_us, number"
        first = 0
        for batch in self._connection.sql(rows).to_arrow_reader(BATCH_ROWS):
            due_us, numbers = (column.to_numpy() for column in batch.columns)
            yield from multiplied(due_us, numbers, np.arange(first, first + len(due_us), dtype=np.int64), scale, seed)
            first += len(due_us)
