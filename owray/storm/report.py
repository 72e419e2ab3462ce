"""What a storm came to, for people and for machines.

The figures of a run come with the verdict on it, and percentiles come twice: of the ok calls, and of all planned calls, where a call that
is not ok counts as one that never ended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from owray.ask.summary import Breakdown, Percentiles, Summary
from owray.fleet.spec import FleetReport
from owray.judge.results import all_met
from owray.judge.verdict import Level, Verdict
from owray.record.run import Manifest
from owray.storm.junit import Findings
from owray.storm.objectives import lines as objective_lines
from owray.storm.play import Played
from owray.texts import rounded

JSON_VERSION = 1

EXIT_OK = 0
EXIT_MISSED = 2
EXIT_INVALID = 3
EXIT_ABORTED = 4

_LEVEL_STYLE = {Level.VALID: "bold green", Level.DEGRADED: "bold yellow", Level.INVALID: "bold red"}


def exit_code(findings: Findings) -> int:
    """4 where the storm ended early, 3 where the run cannot be believed, 2 where an objective was not met, else 0."""
    if findings.aborted is not None:  # also where an invoker was lost
        return EXIT_ABORTED
    if findings.verdict.level is Level.INVALID:
        return EXIT_INVALID
    return EXIT_OK if all_met(findings.objectives) else EXIT_MISSED


def findings(played: Played) -> Findings:
    """What the exit code and a report for a CI server are made of."""
    return Findings(played.manifest, played.judged.verdict, played.judged.objectives, played.fleet.aborted)


def as_json_text(played: Played) -> str:
    """One JSON document. Infinite percentiles (calls that never were ok) are the string "inf": JSON has no number for them."""
    fleet = played.fleet
    data = {
        "version": JSON_VERSION,
        "run": played.folder.run,
        "path": str(played.folder.path),
        "verdict": played.judged.verdict.to_json(),
        "objectives": [result.to_json() for result in played.judged.objectives],
        "aborted": fleet.aborted,
        "summary": asdict(played.judged.summary),
        "invokers": [asdict(report) for report in fleet.reports],
        "lost_invokers": list(fleet.lost),
    }
    return json.dumps(_finite(data), indent=2, allow_nan=False)


def render(played: Played, console: Console) -> None:
    """Print the summary."""
    summary = played.judged.summary
    manifest = played.manifest
    for line in _headline(played, summary, manifest):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_times(summary))
    for line in _details(summary, manifest, played.fleet):
        console.print(line, highlight=False, soft_wrap=True)
    verdict = played.judged.verdict
    for line in (*objective_lines(played.judged.objectives, verdict.level), *verdict_lines(verdict)):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"run        {played.folder.run}  (owray query timeline --run {played.folder.run})", highlight=False, soft_wrap=True)


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """The verdict, its reasons and notes, with rich's markup."""
    yield f"verdict    [{_LEVEL_STYLE[verdict.level]}]{verdict.level.value}[/]"
    for line in (*verdict.reasons, *verdict.notes):
        yield f"           {escape(line)}"


def early_end(reason: str) -> str:
    """That a storm ended early and why, with rich's markup."""
    return f"[bold red]ended early[/]: {escape(reason)}"


def _headline(played: Played, summary: Summary, manifest: Manifest) -> Iterator[str]:
    recipe = manifest.recipe
    actions = ", ".join(dict.fromkeys(f"{entry.action} {entry.size}".rstrip() for entry in recipe.entries))
    phase = f" after {recipe.warmup_s:g} s of warm-up" if recipe.warmup_s else ""
    yield f"\n[bold]{escape(actions)}[/] at {recipe.told()}, {recipe.arrivals}, for {summary.measure_s:g} s{phase}"
    if played.fleet.aborted is not None:
        yield early_end(played.fleet.aborted)
    checked = f" ({summary.checked:,} with their result checked)" if summary.checked else ""
    outcomes = ", ".join(f"{count:,} {name}{checked if name == 'ok' else ''}" for name, count in summary.outcomes) or "none"
    yield f"calls      {summary.planned:,} planned, {summary.attempted:,} attempted: {outcomes}"
    rates = summary.rates
    planned = f"{rates.offered:,.1f} a second planned, " if summary.loop == "open" else "a second, as the users found time: "
    yield f"rate       {planned}{rates.sent:,.1f} sent, {rates.done:,.1f} answered"


def _times(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("ms")
    for heading in ("p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right")
    table.add_row("response, ok calls", *_cells(summary.response_ok))
    table.add_row("response, all planned", *_cells(summary.response_all))
    table.add_row("service, ok calls", *_cells(summary.service_ok))
    table.add_row("lag", *_cells(summary.lag))
    if summary.held.count:
        table.add_row("held", *_cells(summary.held))
    return table


def _details(summary: Summary, manifest: Manifest, fleet: FleetReport) -> Iterator[str]:
    parts = summary.breakdown
    if parts is not None:
        yield f"time went  {', '.join(_went(parts, is_told=summary.started > 0))}  (ms, mean of ok calls)"
    if summary.held.count:
        cap = manifest.options.get("max_in_flight")
        yield f"held       {summary.held.count:,} calls waited at your cap of {cap} in flight  (--max-in-flight)"
    if summary.cold_share is not None:
        yield f"cold       {summary.cold:,} of {summary.started:,} starts ({summary.cold_share:.1%})"
    attempted = sum(report.counters.attempted for report in fleet.reports)
    if attempted:
        cpu_us = sum(report.cpu_us for report in fleet.reports)
        cores = cpu_us / max(report.wall_us for report in fleet.reports)
        share = f"{cpu_us / attempted:,.0f} us of CPU a call"
        yield f"generator  {cores:.2f} cores, {share}, {len(fleet.reports)} of {manifest.invokers} invokers"


def _went(parts: Breakdown, *, is_told: bool) -> Iterator[str]:
    """Each part of the time that counts; `is_told` where there were activation records, else nothing is known of what the platform did.

    A platform tells its times in whole milliseconds, and where calls come as a clock ticks the rest that it cuts off is always the same: so
    what is left may seem to lie below zero, by less than one.
    """
    for name, time_us in asdict(parts).items():
        part = "service" if name == "overhead_us" and not is_told else name.removesuffix("_us")
        if part == "overhead" and -1000 < time_us < 0:
            yield "overhead under 1"
        elif abs(time_us) >= 5:
            yield f"{part} {rounded(time_us / 1000)}"


def _cells(percentiles: Percentiles) -> list[str]:
    return [_ms(getattr(percentiles, name)) for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]


def _ms(value_us: float | None) -> str:
    if value_us is None:
        return "-"
    if math.isinf(value_us):
        return "never"
    return rounded(value_us / 1000)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
