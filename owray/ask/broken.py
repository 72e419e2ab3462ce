"""Which file of a run is broken or not its own: looked for when DuckDB stumbles, since looking at every file first would cost a session
over many runs seconds, and DuckDB's own reason does not always name the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from owray.record.layout import ARROW_SCHEMA, SCHEMA_VERSION
from owray.record.run import RunFolder
from owray.record.samples import SAMPLE_SCHEMA

_SCHEMA_KEY = b"owray_schema"


def complaint(runs: Sequence[RunFolder], *, to_the_end: bool) -> str | None:
    """What is wrong with the first file that is broken, in one line; None where none is.

    Footers are looked at first; `to_the_end` also reads the rows, of which a damaged page is a part.
    """
    for look in (_footer, _rows)[: 2 if to_the_end else 1]:
        for path, schema in _files(runs):
            reason = look(path, schema)
            if reason:
                return f"cannot read {path}: {reason}"
    return None


def _files(runs: Sequence[RunFolder]) -> Iterator[tuple[Path, pa.Schema]]:
    for run in runs:
        yield from ((path, ARROW_SCHEMA) for path in run.parts())
        yield from ((path, SAMPLE_SCHEMA) for path in run.samples())


def _footer(path: Path, schema: pa.Schema) -> str | None:
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return "it is no whole Parquet file.  (move it away to ask what is left)"
    version = (found.metadata or {}).get(_SCHEMA_KEY, b"").decode(errors="replace")
    if version.isdigit() and int(version) > SCHEMA_VERSION:
        return (
            f"it was written by a newer owray (rows of version {version}, and this one reads {SCHEMA_VERSION}).  (upgrade owray to read it)"
        )
    missing = [field.name for field in schema if not field.nullable and field.name not in found.names]
    return f"it was not written by owray: it has no column {missing[0]!r}.  (move it away)" if missing else None


def _rows(path: Path, _: pa.Schema) -> str | None:
    try:
        for _batch in pq.ParquetFile(path).iter_batches():
            pass
    except (pa.ArrowException, OSError):
        return "a page of it is damaged.  (move it away to ask what is left)"
    return None
