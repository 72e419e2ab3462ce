"""`owray doctor`: what of this machine is fine, what could be better, and what keeps owray from working."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.commands.machine_output import JsonOption, print_json
from owray.commands.reading import RunsDirOption

if TYPE_CHECKING:
    from rich.console import Console

    from owray.health.finding import Check, Finding, Level

    ClusterChecks = Callable[[], Mapping[str, Check]]

JSON_VERSION = 1
SOMETHING_IS_WRONG = 1

_INDENT = " " * 8


def mount(app: typer.Typer, cluster_checks: ClusterChecks) -> None:
    """Add `doctor` to the command line; `cluster_checks` gives those of labs and what they stand on, by name."""

    @app.command("doctor", epilog="Exit codes: 0 nothing is wrong, 1 something keeps owray from working.")
    def doctor(
        in_flight: Annotated[
            int | None,
            typer.Option(min=1, metavar="N", help="Calls in flight that limits have to be enough for. Without it, 1,000 would be good."),
        ] = None,
        runs_dir: RunsDirOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say whether this machine is fit for storms, and what to change.

        Looks at versions, limits, ports, clocks, timers, cores, memory, disk, Ray, Node, labs and runs. Takes a second or two.
        """
        from owray.health.finding import Level, examine

        findings = list(examine({**_checks(in_flight, runs_dir), **_or_missing(cluster_checks)}))
        if as_json:
            print_json(JSON_VERSION, _as_data(findings))
        else:
            from rich.console import Console

            _show(findings, Console())
        if any(finding.level is Level.WRONG for finding in findings):
            raise typer.Exit(SOMETHING_IS_WRONG)


def _checks(in_flight: int | None, runs_dir: Path | None) -> dict[str, Check]:
    """The checks of this side, in the order in which they are shown."""
    from owray.health import clock, cores, limits, places, software
    from owray.health.finding import Machine

    machine = Machine()

    def runs() -> Path:
        from owray.record.run import runs_folder  # here, so that a package that is missing is a finding of two checks only

        return runs_folder(runs_dir)

    return {
        "versions": software.versions,
        "descriptors": lambda: limits.descriptors(in_flight),
        "processes": limits.processes,
        "ports": lambda: limits.ports(machine, in_flight),
        "loopback": limits.loopback,
        "clock": lambda: clock.wall_clock(machine, clock.kernel_clock()),
        "clock source": lambda: clock.clock_source(machine),
        "timer": clock.timer,
        "cores": lambda: cores.count(machine),
        "CPU quota": lambda: cores.quota(machine),
        "busy": lambda: cores.load(machine),
        "governor": lambda: cores.governor(machine),
        "priority": cores.priority,
        "home": lambda: places.home(machine),
        "disk": lambda: places.disk(runs()),
        "runs": lambda: places.runs_left(runs()),
    }


def _or_missing(cluster_checks: ClusterChecks) -> Mapping[str, Check]:
    """The checks of the other side, or one that says which package keeps them from being made."""
    try:
        return cluster_checks()
    except ImportError as missing:
        why = missing

        def broken() -> Iterable[Finding]:
            raise why

        return {"labs": broken}


def _as_data(findings: list[Finding]) -> dict[str, Any]:
    counts = {level.name.lower(): number for level, number in _counts(findings).items()}
    return {
        "counts": counts,
        "findings": [
            {
                "check": finding.check,
                "level": finding.level.name.lower(),
                "found": finding.found,
                "meaning": finding.meaning,
                "cure": finding.cure or None,
                "figures": dict(finding.figures),
            }
            for finding in findings
        ],
    }


def _show(findings: list[Finding], console: Console) -> None:
    """One line for what is fine; for the rest also what it means, and how to change it."""
    from rich.text import Text

    from owray.health.finding import Level

    marks = {Level.FINE: ("fine", "green"), Level.BETTER: ("better", "yellow"), Level.WRONG: ("WRONG", "bold red")}
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark, style = marks[finding.level]
        line = Text.assemble((f"{mark:<8}", style), f"{finding.check:<{width}}  {finding.found}")
        console.print(line, soft_wrap=True)
        if finding.level is not Level.FINE:
            console.print(Text(f"{_INDENT}{'':<{width}}  {finding.meaning}"), soft_wrap=True)
            if finding.cure:
                console.print(Text(f"{_INDENT}{'':<{width}}  -> {finding.cure}"), soft_wrap=True)
    counts = _counts(findings)
    told = f"{counts[Level.WRONG]} wrong, {counts[Level.BETTER]} could be better, {counts[Level.FINE]} fine"
    console.print(Text(f"\n{told}"), soft_wrap=True)


def _counts(findings: list[Finding]) -> dict[Level, int]:
    from owray.health.finding import Level

    return {level: sum(finding.level is level for finding in findings) for level in (Level.WRONG, Level.BETTER, Level.FINE)}
