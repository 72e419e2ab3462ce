"""Small runs, made by the real recorder and converter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from owray.plan.mix import Entry
from owray.plan.recipe import Plan, Recipe
from owray.record.journal import Header, Recorder
from owray.record.layout import NO_ID, NULL_8, NULL_16, NULL_32, NULL_64, PACKED_FIELDS, Outcome
from owray.record.parts import convert_closed
from owray.record.run import RunFolder

START = datetime(2026, 11, 23, 11, 12, 3, 655_000, tzinfo=UTC)
T0 = START + timedelta(seconds=2)

_NULLS = {"q": NULL_64, "i": NULL_32, "h": NULL_16, "b": NULL_8, "16s": NO_ID}
_NOTHING = {name: _NULLS[code] for name, code in PACKED_FIELDS}

Row = dict[str, Any]
"""Fields of a packed row by name; those left out are null, and the texts (error, container, extra) are given as texts."""


class ManualClock:
    """Nanoseconds that pass when told to."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def pass_ms(self, milliseconds: float) -> int:
        self.now_ns += round(milliseconds * 1e6)
        return self.now_ns


def recipe(rps: float = 100, duration_s: float = 1.0, **values: Any) -> Recipe:
    entries = (Entry("micro", "noop", "", "noop", weight=3), Entry("genomics", "align", "small", "align"))
    return Recipe.steady(**{"rps": rps, "duration_s": duration_s, "entries": entries, **values})


def ok(seq: int, intended_us: int, entry: int = 0) -> Row:
    """A warm call that went well: 20 us late, 12 ms of service, of which the function ran 9."""
    return {
        "seq": seq,
        "intended_us": intended_us,
        "lag_us": 20,
        "ttfb_us": 11_900,
        "service_us": 12_000,
        "ow_start_ms": 1_795_000_000_000 + intended_us // 1000,
        "activation_id": seq.to_bytes(16, "big"),
        "wait_ms": 2,
        "duration_ms": 9,
        "container": "c0ffee00c0ffee00",
        "container_calls": seq + 1,
        "gen_us": 100,
        "compute_us": 8_000,
        "io_us": 0,
        "conn": 3,
        "bytes_out": 300,
        "bytes_in": 812,
        "http_status": 200,
        "entry": entry,
        "outcome": Outcome.OK,
        "checked": 1,
        "censored": 0,
        "conn_reused": 1,
    }


def add(recorder: Recorder, row: Row) -> None:
    """Add a row, its texts turned into codes."""
    coders = {"error": recorder.error, "container": recorder.container, "extra": recorder.once}
    codes = {name: NULL_32 if row.get(name) is None else coder(row[name]) for name, coder in coders.items()}
    recorder.mark(row["seq"])
    recorder.add(*(_NOTHING | row | codes).values())


def planned_rows(plan: Recipe, change: Callable[[Row], Row] = dict, invoker: int = 0, invokers: int = 1) -> Iterator[Row]:
    """An `ok` row for each planned call of an invoker, as `change` would have it."""
    for window in Plan(plan).share(invoker, invokers):
        for seq, due_us, entry in zip(window.seqs.tolist(), window.due_us.tolist(), window.entries.tolist(), strict=True):
            yield change(ok(seq, due_us, entry))


def new_run(runs: Path, plan: Recipe | None = None, **values: Any) -> RunFolder:
    """A run that has its manifest and nothing else."""
    return RunFolder.create(
        runs, START, plan or recipe(), **{"t0_utc": T0.isoformat(), "target": {"api_host": "http://127.0.0.1:3233"}, **values}
    )


def record(folder: RunFolder, rows: Iterable[Row], invoker: int = 0, invokers: int = 1, node: str = "0") -> Recorder:
    """Give rows to a recorder of the run. It is the caller's to tick and close."""
    recorder = Recorder(folder.journals(node), Header(folder.run, invoker, invokers, node), ManualClock())
    for row in rows:
        add(recorder, row)
    return recorder


def finished_run(runs: Path, plan: Recipe | None = None, change: Callable[[Row], Row] = dict, **values: Any) -> RunFolder:
    """A run that was played to its end: one `ok` row per planned call, as `change` would have it."""
    plan = plan or recipe()
    folder = new_run(runs, plan, status="ended", **values)
    record(folder, planned_rows(plan, change)).close()
    convert_closed(folder.journals("0"), folder.calls("0"), plan)
    folder.remove_journals()
    return folder
