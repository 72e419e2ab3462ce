"""`owray storm`: play a planned storm of calls, and say what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from owray.commands.slo import JunitOption, SloOption, claim_report, leave_report
from owray.commands.targeting import ApiHost, AuthFile, Insecure, Lab

if TYPE_CHECKING:
    from rich.console import Console

    from owray.openwhisk.choice import Asked
    from owray.storm.ground import Ground
    from owray.storm.request import StormRequest

LendGround = Callable[["Asked", "Console"], AbstractContextManager["Ground"]]
"""Gives a ground to play on, for as long as it lasts: the target that is asked for, and a lab's Ray, borrowed where no lab is up."""


def mount(app: typer.Typer, lend_ground: LendGround) -> None:
    @app.command(
        "storm",
        epilog="Exit codes: 0 believed and ok, 1 could not begin, 2 an objective was not met, 3 the run is INVALID, 4 ended early.",
    )
    def storm(
        rps: Annotated[float, typer.Option(help="Calls a second.")] = 10.0,
        duration: Annotated[str, typer.Option(help="How long calls are due: 500ms, 30s, 5m, 1h. Default 10s, or until --calls.")] = "",
        calls: Annotated[int | None, typer.Option(help="End after this many calls.")] = None,
        workload: Annotated[str | None, typer.Option(help="Play all actions of a workload, by weight.")] = None,
        action: Annotated[str | None, typer.Option(help="Play one action.")] = None,
        size: Annotated[str | None, typer.Option(help="small, medium or large; each action's default otherwise.")] = None,
        arrivals: Annotated[Literal["constant", "poisson"], typer.Option(help="How calls are spaced.")] = "constant",
        seed: Annotated[int, typer.Option(help="The same seed plans the same calls, on any number of invokers.")] = 1,
        warmup: Annotated[str, typer.Option(help="Calls due before this are flagged, and left out of the summary.")] = "0s",
        timeout: Annotated[str, typer.Option(help="Give up on a call after this. OpenWhisk may rightly answer after 75 s.")] = "90s",
        max_in_flight: Annotated[
            int | None, typer.Option(help="At most so many calls under way; others are held, and rows say so.")
        ] = None,
        invokers: Annotated[int, typer.Option(help="Processes that share the plan.")] = 1,
        slo: SloOption = None,
        junit: JunitOption = None,
        preflight: Annotated[bool, typer.Option(help="A few calls beforehand, and whether the storm fits the platform.")] = True,
        force: Annotated[bool, typer.Option("--force", help="Play what the preflight would refuse.")] = False,
        prewarm: Annotated[int, typer.Option(help="Have so many containers of each action warm when the storm begins.")] = 0,
        lab: Lab = None,
        api_host: ApiHost = None,
        auth_file: AuthFile = None,
        insecure: Insecure = False,
        runs_dir: Annotated[Path | None, typer.Option(help="Where runs are kept. Default: $OWRAY_HOME/runs, ~/.owray/runs.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON (docs/json.md).")] = False,
    ) -> None:
        """Play a storm: each call at its time, a row for each, a verdict.

        Open loop: a slow platform does not slow the calls down, and its delays show in the response times.
        """
        from owray.openwhisk.choice import Asked
        from owray.storm.objectives import read_objectives
        from owray.storm.request import BadRequest, StormRequest, seconds

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
                preflight=preflight,
                force=force,
                prewarm=prewarm,
                objectives=read_objectives(slo or []),
            )
        except BadRequest as problem:
            raise typer.TyperException(str(problem)) from None
        asked = Asked(lab, api_host, auth_file, insecure)
        raise typer.Exit(_play(request, asked, lend_ground, as_json=as_json, junit=junit))


def _play(request: StormRequest, asked: Asked, lend_ground: LendGround, *, as_json: bool, junit: Path | None) -> int:
    from rich.console import Console

    from owray.fleet.cluster import FleetLost, NoCluster, StartFailed
    from owray.openwhisk.catalogue import ManifestError, UnknownNameError
    from owray.openwhisk.client import OpenWhiskError
    from owray.openwhisk.target import TargetError
    from owray.storm.choose import entries, manifests
    from owray.storm.live import error_stream
    from owray.storm.objectives import check_actions
    from owray.storm.play import place_for_runs, play
    from owray.storm.report import EXIT_ABORTED, as_json_text, exit_code, findings, render
    from owray.storm.request import BadRequest

    errors = error_stream()
    progress = Console(file=errors, force_interactive=None if errors.isatty() else False)  # FORCE_COLOR makes no terminal of a file
    try:
        # What can be known to fail is said before a lab is brought up for it.
        check_actions(request.objectives, entries(manifests(request), request.size))
        place_for_runs(request)
        claim_report(junit)
        with lend_ground(asked, progress) as ground:
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
    written = leave_report(junit, findings(played))
    return exit_code(played) if written else EXIT_ABORTED
