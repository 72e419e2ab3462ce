"""A session's views over the files of runs, none of which is read before a query asks for it, but for the footers that name columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from owray.plan.recipe import Plan, Window
from owray.record.layout import ARROW_SCHEMA
from owray.record.listed import plan_of
from owray.record.run import Manifest, ManifestError, RunFolder
from owray.record.samples import SAMPLE_SCHEMA

Runs = Sequence[tuple[RunFolder, Manifest]]

PERCENTILE = """
create macro percentile(sample, share) as
    case when count(sample) - ceil(count(sample) * share - 1e-9) >= 10 then quantile_disc(sample, share) end
"""
"""The same rule as owray.judge.statistics."""

_RESPONSE = """
case when lag_us is not null and outcome <> 'unsent'
     then lag_us + coalesce(held_us, 0) + coalesce(connect_us, 0) + coalesce(service_us, 0) end as response_us
"""
_OW_END = "ow_start_ms + duration_ms as ow_end_ms"
_COLD = "case when duration_ms is not null then init_ms is not null end as cold"
_COLUMNS = ["lower(hex(activation_id)) as activation_id" if name == "activation_id" else name for name in ARROW_SCHEMA.names]

_ENTRY_NAMES = ("stream", "workload", "action", "size")
_ENTRY_SCHEMA = pa.schema([("entry", pa.int16()), *((name, pa.string()) for name in _ENTRY_NAMES)])
_NO_PLAN = pa.schema(
    [("run", pa.string()), ("seq", pa.int64()), ("intended_us", pa.int64()), *((name, pa.string()) for name in _ENTRY_NAMES)]
)
_PLAN_SCHEMA = pa.schema([("seq", pa.int64()), ("intended_us", pa.int64()), ("entry", pa.int16())])
_RUNS_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("status", pa.string()),
        ("started_at", pa.string()),
        ("t0_utc", pa.string()),
        ("ended_at", pa.string()),
        ("early_end", pa.string()),
        ("workloads", pa.list_(pa.string())),
        ("actions", pa.list_(pa.string())),
        ("arrivals", pa.string()),
        ("rps", pa.float64()),
        ("duration_s", pa.float64()),
        ("warmup_s", pa.float64()),
        ("planned", pa.int64()),
        ("seed", pa.int64()),
        ("invokers", pa.int32()),
        ("target", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("tags", pa.list_(pa.string())),
        ("in_flight_us", pa.int64()),
        ("path", pa.string()),
    ]
)


def calls(connection: DuckDBPyConnection, runs: Runs) -> None:
    """Make the view of all rows. Each node of a run is read by itself, so that its name is a constant and a query for one node reads no
    other."""
    empty = connection.from_arrow(_plain(ARROW_SCHEMA).empty_table())
    empty.create("no_calls")
    some = [
        _calls_of(f"read_parquet({patterns(parts)})", folder.run, node.name.removeprefix("node="), manifest.t0_us)
        for folder, manifest in runs
        for node, parts in groupby(folder.parts(), key=lambda part: part.parent)
    ]
    _create_view(connection, "calls", some or [_calls_of("no_calls", "", "", None)])


def hosts(connection: DuckDBPyConnection, runs: Runs) -> None:
    """Make the view of all samples of the machines. What a run's samples do not have yet, or have no more, is null."""
    connection.from_arrow(SAMPLE_SCHEMA.empty_table()).create("no_samples")
    some = [_hosts_of(connection, folder.run, samples) for folder, _ in runs if (samples := folder.samples())]
    _create_view(connection, "hosts", some or ["select '' as run, * from no_samples"])


def _hosts_of(connection: DuckDBPyConnection, run: str, samples: Sequence[Path]) -> str:
    """Those columns of a run's samples that this version knows."""
    read = f"read_parquet({patterns(samples)}, union_by_name = true)"
    found = connection.sql(f"from {read}").columns
    known = ", ".join(field.name for field in SAMPLE_SCHEMA if field.name in found or not field.nullable)
    return f"from (from no_samples union all by name from {read} select {known}) select {quoted(run)} as run, *"


def _create_view(connection: DuckDBPyConnection, name: str, parts: Sequence[str]) -> None:
    """As one text: relations put together one by one would be bound anew at each step."""
    connection.execute(f"create view {name} as {' union all '.join(parts)}")


def runs_table(runs: Runs) -> pa.Table:
    """What the manifests say; `planned` is null until it is counted. Raises ManifestError for one that says what cannot be."""
    return pa.concat_tables([_RUNS_SCHEMA.empty_table(), *(_run_table(folder, manifest) for folder, manifest in runs)])


def count_planned(connection: DuckDBPyConnection, runs: Runs) -> None:
    """Fill in how many calls each run planned: its plan is made for it, which takes a second for some 50 million calls. It stays null of
    a closed loop whose end is not known yet."""
    for folder, manifest in runs:
        if manifest.recipe.is_open_ended:
            continue
        connection.execute("update runs set planned = ? where run = ?", [Plan(manifest.recipe).count(), folder.run])


def make_plan(connection: DuckDBPyConnection, runs: Runs) -> None:
    """Make the view of all planned calls. They are made again from the recipes and kept in the session: 18 bytes a call, with names in
    a table of their own. The calls of a closed loop have no due time. Raises PlanError where a listed plan is gone."""
    connection.from_arrow(_NO_PLAN.empty_table()).create("no_plan")
    some = []
    for index, (folder, manifest) in enumerate(runs):
        connection.from_arrow(_plan_reader(plan_of(folder, manifest.recipe))).create(f"plan_calls_{index}")
        connection.from_arrow(_plan_entries(manifest)).create(f"plan_entries_{index}")
        columns = f"{quoted(folder.run)} as run, seq, intended_us, {', '.join(_ENTRY_NAMES)}"
        some.append(f"from plan_calls_{index} join plan_entries_{index} using (entry) select {columns}")
    _create_view(connection, "plan", some or ["from no_plan"])


def in_flight_us(manifest: Manifest) -> int | None:
    """The integral of calls in flight over time as the invokers counted it while they fired, in call-microseconds; None where one did
    not tell."""
    areas: list[int | None] = [each.get("counters", {}).get("area_call_us") for each in manifest.fleet]
    told = [area for area in areas if area is not None]
    return sum(told) if len(told) == manifest.invokers else None


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _calls_of(rows: str, run: str, node: str, t0_us: int | None) -> str:
    at = "null::timestamp as at" if t0_us is None else f"make_timestamp({t0_us} + intended_us) as at"
    columns = [f"{quoted(run)} as run", f"{quoted(node)} as node", *_COLUMNS, at, _RESPONSE, _OW_END, _COLD]
    return f"from {rows} select {', '.join(columns)}"


def _plain(schema: pa.Schema) -> pa.Schema:
    """Names as strings: DuckDB would make an enumeration of each dictionary."""
    return pa.schema([pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in schema])


def patterns(paths: Iterator[Path] | Sequence[Path]) -> str:
    """Paths as an SQL list. DuckDB takes each for a pattern: what a pattern could mean is put in brackets."""
    return "[" + ", ".join(quoted(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in paths) + "]"


def _plan_entries(manifest: Manifest) -> pa.Table:
    rows = [
        {"entry": number, "stream": entry.stream, "workload": entry.workload, "action": entry.action, "size": entry.size}
        for number, entry in enumerate(manifest.recipe.entries)
    ]
    return pa.Table.from_pylist(rows, _ENTRY_SCHEMA)


def _plan_reader(plan: Plan) -> pa.RecordBatchReader:
    def batch(window: Window) -> pa.RecordBatch:
        due_us = pa.array(window.due_us) if plan.recipe.closed is None else pa.nulls(len(window), pa.int64())
        arrays = [pa.array(window.seqs), due_us, pa.array(window.entries)]
        return pa.RecordBatch.from_arrays(arrays, schema=_PLAN_SCHEMA)

    return pa.RecordBatchReader.from_batches(_PLAN_SCHEMA, (batch(window) for window in plan.windows()))


def _run_table(folder: RunFolder, manifest: Manifest) -> pa.Table:
    try:
        return pa.Table.from_pylist([_run_row(folder, manifest)], _RUNS_SCHEMA)
    except (pa.ArrowException, OverflowError, TypeError) as problem:
        raise ManifestError(f"cannot read {folder.path / 'run.json'}: {' '.join(str(problem).split())}") from problem


def _run_row(folder: RunFolder, manifest: Manifest) -> dict[str, Any]:
    recipe = manifest.recipe
    verdict = manifest.verdict or {}
    return {
        "run": folder.run,
        "status": manifest.status,
        "started_at": manifest.started_at,
        "t0_utc": manifest.t0_utc,
        "ended_at": manifest.ended_at,
        "early_end": None if manifest.early_end is None else manifest.early_end.text,
        "workloads": list(dict.fromkeys(entry.workload for entry in recipe.entries)),
        "actions": list(dict.fromkeys(entry.action for entry in recipe.entries)),
        "arrivals": recipe.arrivals,
        "rps": recipe.mean_rps if recipe.closed is None else None,
        "duration_s": recipe.duration_s if recipe.closed is None or recipe.calls is None else None,
        "warmup_s": recipe.warmup_s,
        "planned": None,
        "seed": recipe.seed,
        "invokers": manifest.invokers,
        "target": manifest.target_url,
        "verdict": verdict.get("level"),
        "reasons": list(verdict.get("reasons", ())),
        "tags": list(manifest.tags),
        "in_flight_us": in_flight_us(manifest),
        "path": str(folder.path),
    }
