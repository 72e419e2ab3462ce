"""Parts: journals turned into Parquet, where DuckDB reads them.

The packed rows are one numpy array; each column of the part is a field of it, taken as it is, with nulls by the schema's rule (the
least value of the type) and names as dictionaries. A part holds every row of its journal, sorted by intended time, and bears the
journal's name: converting again after a crash replaces the part instead of doubling the rows.

Encodings matter more than compression: integers as differences (DELTA_BINARY_PACKED), dictionaries only where values repeat, zstd at
level 1 (Arrow's default), statistics only where queries filter by range. Parquet's defaults are larger and slower.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from owray.plan.recipe import Recipe
from owray.record.durable import replacing
from owray.record.journal import CLOSED_SUFFIX, OPEN_SUFFIX, OTHER_ERROR, Journal, JournalError
from owray.record.layout import ARROW_SCHEMA, NO_ID, NULL_32, PACKED_FIELDS, Outcome

Codes = NDArray[np.integer[Any]]
Array = NDArray[Any]

ROW_GROUP_ROWS = 122_880
"""DuckDB reads Parquet a row group a thread, in vectors of 2048 rows; this is its own default."""

PHASES = ("warmup", "measure")

_NUMPY_TYPES = {"q": "<i8", "i": "<i4", "h": "<i2", "b": "i1", "16s": "V16"}
PACKED_DTYPE = np.dtype([(name, _NUMPY_TYPES[code]) for name, code in PACKED_FIELDS])

_NAME_COLUMNS = [field.name for field in ARROW_SCHEMA if pa.types.is_dictionary(field.type)]
_FILTERED = ["seq", "intended_us"]
_COMPRESSION = {name: "none" if name == "activation_id" else "zstd" for name in ARROW_SCHEMA.names}
"""Activation ids are random: nothing to compress."""
_ENCODINGS = {field.name: "DELTA_BINARY_PACKED" for field in ARROW_SCHEMA if pa.types.is_integer(field.type)}


@dataclass(frozen=True, slots=True)
class Part:
    """What became of a journal: its part (None where it held no whole block), its rows, and the bytes that were in no whole block."""

    path: Path | None
    rows: int
    left_over_bytes: int


class Naming:
    """The columns that come from the plan: what an entry of the recipe is called, and in which phase a call is due."""

    def __init__(self, recipe: Recipe) -> None:
        self._warmup_us = round(recipe.warmup_s * 1e6)
        self._columns = {
            "stream": _Names([entry.stream for entry in recipe.entries]),
            "workload": _Names([entry.workload for entry in recipe.entries]),
            "action": _Names([entry.action for entry in recipe.entries]),
            "size": _Names([entry.size for entry in recipe.entries]),
        }

    def columns(self, entries: Codes, intended_us: Codes) -> dict[str, pa.Array]:
        phases = (intended_us >= self._warmup_us).astype(np.int32)
        named = {name: names.of(entries) for name, names in self._columns.items()}
        return {**named, "phase": pa.DictionaryArray.from_arrays(pa.array(phases), pa.array(PHASES))}


class _Names:
    """Names of entries as a dictionary column in which each name comes once, however many entries share it."""

    def __init__(self, names: Sequence[str]) -> None:
        distinct = list(dict.fromkeys(names))
        self._dictionary = pa.array(distinct, pa.string())
        self._codes = np.array([distinct.index(name) for name in names], dtype=np.int32)

    def of(self, entries: Codes) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(self._codes[entries]), self._dictionary)


class BeingConverted(OSError):
    """Another process is at this journal."""


def convert(journal: Path, folder: Path, recipe: Recipe) -> Part:
    """Turn a journal into a part in `folder`, then delete the journal. Every row of a whole block is kept.

    Where another process has just done so nothing is left to do. Memory is bounded by the journal's own bound: about 140 bytes a row, and
    one row group of columns. Raises BeingConverted, JournalError and OSError; then the journal is still there.
    """
    with _held(journal) as is_there:
        if not is_there:
            return Part(None, 0, 0)
        contents = Journal(journal)
        rows, texts = _read(contents, journal.stat().st_size)
        path = folder / f"part-{_stem(journal)}.parquet" if len(rows) and contents.header else None
        if path and contents.header:
            _write(path, rows, texts, contents.header.invoker, Naming(recipe))
        journal.unlink()
    return Part(path, len(rows), contents.left_over_bytes)


def convert_closed(journals: Path, folder: Path, recipe: Recipe) -> list[Part]:
    """Convert all closed journals of a folder: what the converter of a node does over and over.

    One that cannot be read keeps no other from being converted. Raises JournalError for it afterwards, and OSError.
    """
    converted: list[Part] = []
    unreadable: JournalError | None = None
    for journal in sorted(journals.glob(f"*{CLOSED_SUFFIX}")):
        try:
            converted.append(convert(journal, folder, recipe))
        except JournalError as problem:
            unreadable = problem
    if unreadable is not None:
        raise unreadable
    return converted


@contextmanager
def _held(journal: Path) -> Iterator[bool]:
    """Keep others from converting this journal meanwhile: a scribe and a recovery would write into the same unfinished part.

    Gives False where it is gone. The lock is the kernel's, on the journal itself: it ends with its holder, also by kill -9.
    """
    try:
        descriptor = os.open(journal, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise BeingConverted(f"{journal} is being turned into a part by another process") from held
        yield os.fstat(descriptor).st_nlink > 0  # else it was converted between the opening and the locking
    finally:
        os.close(descriptor)


@contextmanager
def part_writer(path: Path) -> Iterator[Callable[[Mapping[str, pa.Array], int], None]]:
    """A function that appends columns (those left out are null) of so many rows as a row group.

    The part bears its name only when it is whole and on disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file, _parquet_writer(file) as writer:
        yield lambda columns, rows: writer.write_batch(_batch(columns, rows), row_group_size=ROW_GROUP_ROWS)


def _parquet_writer(file: Any) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        file,
        ARROW_SCHEMA,
        compression=_COMPRESSION,
        use_dictionary=_NAME_COLUMNS,
        column_encoding=_ENCODINGS,
        write_statistics=_FILTERED,
        sorting_columns=pq.SortingColumn.from_ordering(ARROW_SCHEMA, [("intended_us", "ascending")]),
    )


def _batch(columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    arrays = [columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type) for field in ARROW_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=ARROW_SCHEMA)


def _stem(journal: Path) -> str:
    return journal.name.removesuffix(OPEN_SUFFIX).removesuffix(CLOSED_SUFFIX)


def _read(journal: Journal, size: int) -> tuple[Array, pa.Array]:
    """All packed rows as one array, and all texts. The file's size bounds the rows, so nothing is copied twice."""
    rows = np.empty(size // PACKED_DTYPE.itemsize, PACKED_DTYPE)
    texts: list[str | None] = []
    count = 0
    for block in journal.blocks():
        found = np.frombuffer(block.rows, PACKED_DTYPE)
        rows[count : count + len(found)] = found
        count += len(found)
        texts.extend([None] * (block.texts_before - len(texts)))  # they went with a damaged block
        texts.extend(block.texts)
    _forget_lost_texts(rows[:count], texts)
    return rows[:count], pa.array(texts, pa.string())


def _forget_lost_texts(rows: Array, texts: list[str | None]) -> None:
    """Let no row name a text that is lost: its error is some other one, its container and its extra are unknown."""
    is_lost = np.array([text is None for text in texts], bool)
    if not is_lost.any():
        return
    if OTHER_ERROR not in texts:
        texts.append(OTHER_ERROR)
    for name, instead in (("error", texts.index(OTHER_ERROR)), ("container", NULL_32), ("extra", NULL_32)):
        codes = rows[name]
        named = np.flatnonzero(codes != NULL_32)
        codes[named[is_lost[codes[named]]]] = instead


def _write(path: Path, rows: Array, texts: pa.Array, invoker: int, naming: Naming) -> None:
    order = np.lexsort((rows["seq"], rows["intended_us"]))
    with part_writer(path) as append:
        for start in range(0, len(order), ROW_GROUP_ROWS):
            # `take` moves whole rows; indexing by an array would go field by field, six times slower.
            some = rows.take(order[start : start + ROW_GROUP_ROWS])
            append(_columns(some, texts, invoker, naming), len(some))


_NOT_COLUMNS = {"entry", "outcome", "error", "container", "extra", "activation_id", "checked", "censored", "conn_reused"}
_OUTCOMES = pa.array([outcome.label for outcome in Outcome], pa.string())


def _columns(rows: Array, texts: pa.Array, invoker: int, naming: Naming) -> dict[str, pa.Array]:
    numbers = {name: _numbers(rows[name]) for name, _ in PACKED_FIELDS if name not in _NOT_COLUMNS}
    return {
        **numbers,
        **naming.columns(rows["entry"], rows["intended_us"]),
        "invoker": pa.array(np.full(len(rows), invoker, np.int16)),
        "outcome": pa.DictionaryArray.from_arrays(pa.array(rows["outcome"].astype(np.int32)), _OUTCOMES),
        "error": _names(rows["error"], texts),
        "container": _names(rows["container"], texts),
        "extra": texts.take(_numbers(rows["extra"])),
        "activation_id": _ids(rows["activation_id"]),
        "checked": _flags(rows["checked"]),
        "censored": _flags(rows["censored"]),
        "conn_reused": _flags(rows["conn_reused"]),
    }


def _numbers(values: Codes) -> pa.Array:
    """Numbers as they are, null where they are the least of their type."""
    values = np.ascontiguousarray(values)
    missing = values == np.iinfo(values.dtype).min
    return pa.array(values, mask=missing) if missing.any() else pa.array(values)


def _flags(values: Codes) -> pa.Array:
    return pa.array(values == 1, mask=values == np.iinfo(values.dtype).min)


def _names(codes: Codes, texts: pa.Array) -> pa.Array:
    """Codes as a dictionary column that holds only the texts in use: the table also has those of other columns."""
    present = codes != NULL_32
    used, positions = np.unique(codes[present], return_inverse=True)
    indices = np.zeros(len(codes), np.int32)
    indices[present] = positions
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=~present), texts.take(pa.array(used)))


def _ids(ids: Array) -> pa.Array:
    ids = np.ascontiguousarray(ids)
    present = ids != np.void(NO_ID)
    bitmap = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.binary(16), len(ids), [bitmap, pa.py_buffer(ids.tobytes())])
