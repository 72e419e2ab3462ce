"""A listed plan as a run keeps it: plan.parquet, the calls themselves in order of seq.

    seq      int64   0, 1, 2, ...
    due_us   int64   microseconds from t0, never less than the one before
    entry    int16   index into the recipe's entries
    variant  int16   index into the entry's variants

It is written before the storm and never changed: the recipe holds its SHA-256 (`owray.plan.shapes.Listed`), so that every invoker, a
recovery, and the balance of a run's rows mean the same calls. It is read a piece at a time: memory does not grow with the plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from owray.plan.arrivals import WINDOW_CALLS, Microseconds
from owray.plan.mix import Choices
from owray.plan.recipe import Plan, Recipe
from owray.plan.shapes import Listed
from owray.record.durable import replacing
from owray.record.run import ManifestError, RunFolder

ROW_GROUP_ROWS = 122_880
"""Memory of one reader: some 2.5 MB."""

_SCHEMA = pa.schema([("seq", pa.int64()), ("due_us", pa.int64()), ("entry", pa.int16()), ("variant", pa.int16())])
_READ = ["due_us", "entry", "variant"]
_SECOND_US = 1_000_000

Calls = tuple[Microseconds, Choices, Choices]
"""Due times, entries, variants of consecutive calls."""


class PlanError(ManifestError):
    """A run's plan.parquet that is not what its run.json says."""


@dataclass(frozen=True, slots=True)
class Written:
    """A plan that was written, and how many of its calls go to each entry."""

    listed: Listed
    per_entry: NDArray[np.int64]


def write_plan(path: Path, calls: Iterable[Calls], entries: int) -> Written:
    """Write the calls, which come in order of due times, to a file. Raises OSError, and ValueError where there are none."""
    seconds = _Seconds()
    per_entry = np.zeros(entries, dtype=np.int64)
    seq = last_us = 0
    with replacing(path) as unfinished, pq.ParquetWriter(unfinished, _SCHEMA, compression="zstd", **_ENCODING) as writer:
        for due_us, numbers, variants in calls:
            if not len(due_us):
                continue
            seqs = np.arange(seq, seq + len(due_us), dtype=np.int64)
            arrays = [pa.array(seqs), pa.array(due_us), pa.array(numbers), pa.array(variants)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA), row_group_size=ROW_GROUP_ROWS)
            per_entry += np.bincount(numbers, minlength=entries)
            seconds.count(due_us)
            seq += len(due_us)
            last_us = int(due_us[-1])
    if seq == 0:
        path.unlink()
        raise ValueError("it plans no call")
    return Written(Listed(seq, max(last_us / 1e6, 1.0), float(seconds.most), _sha256(path)), per_entry)


def plan_of(folder: RunFolder, recipe: Recipe) -> Plan:
    """The plan of a run, ready to be played. Raises PlanError where its list is gone or is another."""
    listed = recipe.listed
    if listed is None:
        return Plan(recipe)
    path = folder.plan
    try:
        found = _sha256(path)
    except OSError as problem:
        raise PlanError(f"cannot read {path}, the calls that the run planned: {problem.strerror}") from problem
    if found != listed.sha256:
        raise PlanError(f"{path} is not the plan that the run played: its SHA-256 is not that of run.json")
    return Plan(recipe, lambda: _read(path))


_ENCODING = {"use_dictionary": ["entry", "variant"], "column_encoding": {"seq": "DELTA_BINARY_PACKED", "due_us": "DELTA_BINARY_PACKED"}}


class _Seconds:
    """The most calls that are due in one second, of due times that come in order."""

    def __init__(self) -> None:
        self.most = 0
        self._second = self._in_it = 0

    def count(self, due_us: Microseconds) -> None:
        seconds, counts = np.unique(due_us // _SECOND_US, return_counts=True)
        if seconds[0] == self._second:
            counts[0] += self._in_it
        self._second, self._in_it = int(seconds[-1]), int(counts[-1])
        self.most = max(self.most, int(counts.max()))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Iterator[Calls]:
    """In windows as small as those of plans that are made: what an invoker has ready is bounded by them."""
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        for batch in file.iter_batches(WINDOW_CALLS, columns=_READ):
            due_us, entries, variants = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            yield due_us, entries, variants
