"""Streams: what a storm plans, each with its own actions, its own shape and its own time.

A storm of options alone is one stream. `--streams FILE` names several, each a table of a TOML file whose keys are named as the options of
`owray storm` are, and hold what these would:

    [[stream]]
    name = "steady"
    workload = "genomics"           # or action, or mix
    rps = 20                        # or ramp, stages, sine, burst with gap
    duration = "10m"

    [[stream]]
    name = "rush"
    action = "sleep"
    size = "large"
    ramp = "0:200:60s"
    start = "5m"                    # from the beginning of the storm on; 0s where it is not said
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from owray.openwhisk.catalogue import UnknownNameError, plain
from owray.openwhisk.properties import read_text
from owray.plan.recipe import MOST_CALLS, MOST_STREAMS, Arrivals, Stream
from owray.storm.bad_request import BadRequest, seconds
from owray.storm.load import LoadRequest
from owray.storm.shares import read_mix

ONLY = "main"
"""The name of a storm's stream where options alone ask for it."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """One stream as asked for. Of `workload`, `action` and `mix` at most one is given."""

    load: LoadRequest
    workload: str | None = None
    action: str | None = None
    mix: str | None = None
    size: str | None = None
    name: str = ONLY
    start_s: float = 0.0

    @property
    def called(self) -> str:
        """What is called, as it was named."""
        return self.action or self.workload or self.mix or ""

    @property
    def planned_end_s(self) -> float:
        return self.start_s + self.load.planned_s

    def stream(self) -> Stream:
        return Stream(self.load.shape(), self.load.arrivals, self.name, self.start_s)


_Text = str | int | float
"""A number is a text that its option would refuse, or take."""


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """A table of the file."""

    name: str
    workload: str | None = None
    action: str | None = None
    mix: str | None = None
    size: str | None = None
    rps: float | None = None
    ramp: _Text | None = None
    stages: _Text | None = None
    sine: _Text | None = None
    burst: _Text | None = None
    gap: _Text | None = None
    duration: _Text | None = None
    arrivals: Arrivals = "constant"
    start: _Text = "0s"


def read_streams(path: Path) -> tuple[StreamRequest, ...]:
    """The streams of a file, at least one. Raises BadRequest, which names the file, the stream and the key."""
    try:
        found = tomllib.loads(read_text(path))
    except OSError as problem:
        raise BadRequest(f"--streams {path}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError:
        raise BadRequest(f"--streams {path}: it is no UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise BadRequest(f"--streams {path}: it is no TOML ({problem})") from None
    tables = found.pop("stream", None)
    if found or not isinstance(tables, list):
        stray = f"{next(iter(found))!r}" if found else "nothing"
        raise BadRequest(f"--streams {path}: it has {stray} where a [[stream]] is to be; each is a table of that name")
    if not 0 < len(tables) <= MOST_STREAMS:
        raise BadRequest(f"--streams {path}: a storm has 1 to {MOST_STREAMS} streams, not {len(tables):,}")
    streams = tuple(_placed(f"--streams {path}, stream {number}", table) for number, table in enumerate(tables, 1))
    _check_together(path, streams)
    return streams


def _check_together(path: Path, streams: Sequence[StreamRequest]) -> None:
    names = [stream.name for stream in streams]
    for name in names:
        if names.count(name) > 1:
            raise BadRequest(f"--streams {path}: {names.count(name)} streams are named {name!r}; rows tell them apart by their names")
    planned = sum(stream.load.planned for stream in streams)
    if planned > MOST_CALLS:
        raise BadRequest(f"--streams {path}: {planned:,.0f} calls are more than the {MOST_CALLS:,} that one run may have")


def _placed(place: str, table: Any) -> StreamRequest:
    """A stream, or what is wrong with it and where: by its name once that is known."""
    if isinstance(table, dict) and isinstance(table.get("name"), str):
        place = f"{place} ({table['name']!r})"
    try:
        return _stream(_read(table))
    except BadRequest as problem:
        raise BadRequest(f"{place}: {str(problem).replace('--', '')}") from None  # keys are options without their dashes


def _read(table: Any) -> _Table:
    keys = _Table.__struct_fields__
    for key in table if isinstance(table, dict) else ():
        if key not in keys:
            raise BadRequest(str(UnknownNameError("key", key, keys, hint=f"there are {', '.join(keys)}")))
    try:
        return msgspec.convert(table, _Table)
    except msgspec.ValidationError as problem:
        raise BadRequest(plain(str(problem))) from None


def _stream(table: _Table) -> StreamRequest:
    called = [each for each in (table.workload, table.action, table.mix) if each is not None]
    if len(called) != 1:
        raise BadRequest("name what is to be called: one of workload, action, mix")
    if table.mix is not None:
        read_mix(table.mix)
    if not table.name or not table.name.isprintable() or len(table.name) > 64:
        raise BadRequest("a name has 1 to 64 characters that can be printed")

    def text(key: str) -> str | None:
        value = getattr(table, key)
        return None if value is None else str(value)

    def time_s(key: str) -> float | None:
        value = text(key)
        return None if value is None else seconds(value, key)

    load = LoadRequest(
        rps=table.rps,
        duration_s=time_s("duration"),
        arrivals=table.arrivals,
        ramp=text("ramp"),
        stages=text("stages"),
        sine=text("sine"),
        burst=text("burst"),
        gap_s=time_s("gap"),
    )
    return StreamRequest(load, table.workload, table.action, table.mix, table.size, table.name, time_s("start") or 0.0)
