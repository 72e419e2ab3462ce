"""The parameters of a storm's calls: of the command line, of a file, of the manifest; and what is checked of the answers.

    --params FILE    .json      an object, for all calls; or a list of objects, of which each call takes one, by the storm's seed
                     .jsonl     an object a line
                     .parquet   a row is an object, a column a key
                     .csv       likewise; the first line has the keys, a value is JSON where it is JSON, else text
    --param K=V      for all calls; V is JSON where it is JSON, else text

`--param` stands over `--params`, and that over what a manifest gives for the size. The checksum that a manifest expects belongs to its own
parameters: with others it is not looked at. The rows of a file are laid over the manifest's first seed.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from owray.openwhisk.catalogue import Manifest
from owray.openwhisk.properties import read_text
from owray.plan.mix import MOST_VARIANTS, Check, Variant
from owray.storm.bad_request import BadRequest
from owray.storm.request import CallRequest
from owray.wire.checks import CheckError, complaint_of

Row = Mapping[str, Any]
_Placed = Generator[tuple[str, Any], None, None]
"""What a file holds, each with its place: "line 3"."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What calls carry: `rows` of which each takes one, with `over` laid over it; and how answers are checked."""

    rows: tuple[Row, ...] = ()
    over: Mapping[str, Any] | None = None
    check: Check | None = None

    @property
    def is_own(self) -> bool:
        """Whether parameters other than a manifest's are used."""
        return bool(self.rows or self.over)

    def names(self) -> tuple[str, ...]:
        """The names of those other parameters, each once."""
        return tuple(dict.fromkeys(itertools.chain(self.over or (), *self.rows)))

    def variants(self, manifest: Manifest | None = None, size: str | None = None) -> tuple[Variant, ...]:
        """What a call may carry. Raises UnknownNameError where the manifest has no such size."""
        known = [Variant()] if manifest is None else [Variant(*variant) for variant in manifest.variants(size)]
        if not self.is_own:
            return tuple(known)
        over = self.over or {}
        if not self.rows:
            return tuple(Variant({**variant.parameters, **over}) for variant in known)
        return tuple(Variant({**known[0].parameters, **row, **over}) for row in self.rows)


def payload_of(request: CallRequest) -> Payload:
    """The parameters and the check that were asked for. Raises BadRequest, which names the option, or the file and the place in it."""
    return Payload(
        rows=() if request.params is None else read_parameters(request.params),
        over=_parameters(request.param),
        check=_check(request),
    )


def _parameters(texts: Iterable[str]) -> Row:
    found: dict[str, Any] = {}
    for key, value in map(_parameter, texts):
        if key in found:
            raise BadRequest(f"--param {key} is given twice, and a call has it once")
        found[key] = value
    return found


def _parameter(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BadRequest(f"--param is to be KEY=VALUE, not {text!r}")
    if not _is_unicode(text):
        raise BadRequest(f"--param {text!r} is no UTF-8")
    return key, _value(value)


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- the file


def read_parameters(path: Path) -> tuple[Row, ...]:
    """The objects of a file, at least one. Raises BadRequest."""
    read = _FORMATS.get(path.suffix.lower())
    if read is None:
        raise BadRequest(f"--params {path}: a file of parameters ends in {', '.join(_FORMATS)}")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe gives nothing twice, a device may never end
            raise BadRequest(f"--params {path}: it is a pipe or a device; parameters are read from a file")
        with closing(read(path)) as placed:
            rows = tuple(_objects(path, itertools.islice(placed, MOST_VARIANTS + 1)))
    except OSError as problem:
        raise BadRequest(f"--params {path}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError:
        raise BadRequest(f"--params {path}: it is no UTF-8") from None
    if not rows:
        raise BadRequest(f"--params {path}: it is empty; a call needs an object, {{}} if nothing else")
    if len(rows) > MOST_VARIANTS:
        raise BadRequest(f"--params {path}: it has more than the {MOST_VARIANTS:,} sets of parameters that one action can be called with")
    return rows


def _objects(path: Path, placed: Iterable[tuple[str, Any]]) -> Iterator[Row]:
    for place, value in placed:
        where = f"--params {path}{', ' if place else ''}{place}"
        if isinstance(value, msgspec.DecodeError | RecursionError):
            raise BadRequest(f"{where}: it is no JSON ({value})")
        if not isinstance(value, dict):
            raise BadRequest(f"{where}: parameters are an object, not {_kind(value)}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as problem:
            raise BadRequest(f"{where}: it cannot be told in JSON ({problem})") from None
        yield value


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return "a text" if isinstance(value, str) else json.dumps(value)


def _decoded(text: bytes) -> Any:
    """The JSON, or why it is none: that is said with its place."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return error


def _read_json(path: Path) -> _Placed:
    found = _decoded(path.read_bytes())
    if isinstance(found, list):
        for number, value in enumerate(found, 1):
            yield f"object {number}", value
    else:
        yield "", found


def _read_lines(path: Path) -> _Placed:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"line {number}", _decoded(line)


def _read_csv(path: Path) -> _Placed:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for row in rows:
                if None in row or None in row.values():
                    raise BadRequest(f"--params {path}, line {rows.line_num}: it has not as many values as the first line has keys")
                yield f"line {rows.line_num}", {key: _value(value) for key, value in row.items()}
        except csv.Error as problem:
            raise BadRequest(f"--params {path}, line {rows.reader.line_num}: {problem}") from None


def _read_parquet(path: Path) -> _Placed:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            rows: Iterable[Row] = itertools.chain.from_iterable(batch.to_pylist() for batch in file.iter_batches(1024))
            for number, row in enumerate(rows, 1):
                yield f"row {number}", row
    except pa.ArrowException as problem:
        raise BadRequest(f"--params {path}: it is no Parquet that can be read ({' '.join(str(problem).split())})") from None


_FORMATS: Mapping[str, Callable[[Path], _Placed]] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".parquet": _read_parquet,
    ".csv": _read_csv,
}


# --- the check


def _check(request: CallRequest) -> Check | None:
    check = Check(request.expect, None if request.expect_schema is None else _schema(request.expect_schema))
    if check == Check():
        return None
    try:
        complaint_of(Check(expect=check.expect))
    except CheckError as problem:
        raise BadRequest(f"--expect {request.expect!r}: {problem}") from None
    try:
        complaint_of(Check(schema=check.schema))
    except CheckError as problem:
        raise BadRequest(f"--expect-schema {request.expect_schema}: {problem}") from None
    return check


def _schema(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as problem:
        raise BadRequest(f"--expect-schema {path}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError:
        raise BadRequest(f"--expect-schema {path}: it is no UTF-8") from None
