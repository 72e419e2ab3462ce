"""`owray storm`: play a planned storm of calls, and say what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from owray.commands.calling import Action, ActionsDir, Expect, ExpectSchema, HowCalled, Param, Params, Size, Trigger, Web, Workload

if TYPE_CHECKING:
    from rich.console import Console

    from owray.storm.ground import Ground
    from owray.storm.request import StormRequest

LendGround = Callable[[str | None, "Console"], AbstractContextManager["Ground"]]
"""Gives a ground to play on, for as long as it lasts: the lab of this name, or one of its own where none is up."""


def mount(app: typer.Typer, lend_ground: LendGround) -> None:
    @app.command(
        "storm",
        epilog="Exit codes: 0 believed and ok, 1 could not begin, 3 the run is INVALID, 4 ended early.",
    )
    def storm(
        rps: Annotated[float, typer.Option(help="Calls a second.")] = 10.0,
        duration: Annotated[str, typer.Option(help="How long calls are due: 500ms, 30s, 5m, 1h. Default 10s, or until --calls.")] = "",
        calls: Annotated[int | None, typer.Option(help="End after this many calls.")] = None,
        workload: Workload = None,
        action: Action = None,
        web: Web = None,
        trigger: Trigger = None,
        size: Size = None,
        param: Param = None,
        params: Params = None,
        method: HowCalled = None,
        expect: Expect = None,
        expect_schema: ExpectSchema = None,
        actions_dir: ActionsDir = None,
        arrivals: Annotated[Literal["constant", "poisson"], typer.Option(help="How calls are spaced.")] = "constant",
        seed: Annotated[int, typer.Option(help="The same seed plans the same calls, on any number of invokers.")] = 1,
        warmup: Annotated[str, typer.Option(help="Calls due before this are flagged, and left out of the summary.")] = "0s",
        timeout: Annotated[str, typer.Option(help="Give up on a call after this. OpenWhisk may rightly answer after 75 s.")] = "90s",
        max_in_flight: Annotated[
            int | None, typer.Option(help="At most so many calls under way; others are held, and rows say so.")
        ] = None,
        invokers: Annotated[int, typer.Option(help="Processes that share the plan.")] = 1,
        lab: Annotated[str | None, typer.Option(help="The lab to play on; one is borrowed where none is up.")] = None,
        runs_dir: Annotated[Path | None, typer.Option(help="Where runs are kept. Default: $OWRAY_HOME/runs, ~/.owray/runs.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        """Play a storm: every call at its planned time, one row per call, a verdict on the run.

        Open loop: a slow platform does not slow the calls down, and its delays show in the response times.
        """
        from owray.storm.request import BadRequest, CallRequest, StormRequest, seconds

        try:
            request = StormRequest(
                rps=rps,
                duration_s=seconds(duration) if duration else None,
                calls=calls,
                workload=workload,
                action=action,
                size=size,
                arrivals="poisson" if arrivals == "poisson" else "constant",
                seed=seed,
                warmup_s=seconds(warmup),
                timeout_s=seconds(timeout),
                max_in_flight=max_in_flight,
                invokers=invokers,
                runs=runs_dir,
                call=CallRequest(web, method, trigger, actions_dir, tuple(param or ()), params, expect, expect_schema),
            )
        except BadRequest as problem:
            raise typer.TyperException(str(problem)) from None
        raise typer.Exit(_play(request, lab, lend_ground, as_json=as_json))


def _play(request: StormRequest, lab: str | None, lend_ground: LendGround, *, as_json: bool) -> int:
    from rich.console import Console

    from owray.fleet.cluster import FleetLost, NoCluster, StartFailed
    from owray.openwhisk.catalogue import ManifestError, UnknownNameError
    from owray.openwhisk.client import OpenWhiskError
    from owray.openwhisk.target import TargetError
    from owray.storm.choose import choose
    from owray.storm.live import error_stream
    from owray.storm.play import place_for_runs, play
    from owray.storm.report import EXIT_ABORTED, as_json_text, exit_code, render
    from owray.storm.request import BadRequest

    progress = Console(file=error_stream())
    try:
        choose(request)  # what can be known to fail is said before a lab is brought up for it
        place_for_runs(request)
        with lend_ground(lab, progress) as ground:
            played = play(request, ground, progress, command=("owray", *sys.argv[1:]))
    except (BadRequest, ManifestError, NoCluster, OpenWhiskError, StartFailed, TargetError, UnknownNameError) as problem:
        raise typer.TyperException(str(problem)) from problem
    except FleetLost as problem:
        typer.echo(f"owray: {problem}", err=True)
        return EXIT_ABORTED
    if as_json:
        typer.echo(as_json_text(played))
    else:
        render(played, Console())
    return exit_code(played)
