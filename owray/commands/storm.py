"""`owray storm`: play a planned storm of calls, and say what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from owray.commands.calling import Calling
from owray.commands.elsewhere import Planned, drawn_up
from owray.commands.grouped import grouped
from owray.commands.machine_output import JsonOption
from owray.commands.reading import RunsDirOption
from owray.commands.shaping import Precautions, Shaping
from owray.commands.slo import JunitOption, SloOption, claim_report, leave_report
from owray.commands.targeting import Targeting

if TYPE_CHECKING:
    from rich.console import Console

    from owray.openwhisk.choice import Asked
    from owray.storm.choose import Chosen
    from owray.storm.ground import Ground
    from owray.storm.load import Elsewhere, LoadRequest
    from owray.storm.request import StormRequest

LendGround = Callable[["Asked", "Console"], AbstractContextManager["Ground"]]
"""Gives a ground to play on, for as long as it lasts: the target that is asked for, and a lab's Ray, borrowed where no lab is up."""


def mount(app: typer.Typer, lend_ground: LendGround) -> None:
    @app.command(
        "storm",
        epilog="Exit codes: 0 believed and ok, 1 could not begin, 2 an objective was not met, 3 the run is INVALID, 4 ended early.",
    )
    @grouped
    def storm(
        calling: Calling,
        shaping: Shaping,
        planned: Planned,
        precautions: Precautions,
        targeting: Targeting,
        slo: SloOption = None,
        junit: JunitOption = None,
        runs_dir: RunsDirOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Play a storm: each call at its time, a row for each, a verdict.

        Open loop: a slow platform does not slow the calls down, and its delays show in the response times.
        """
        with drawn_up(planned, calling, shaping, runs_dir) as (elsewhere, listed):
            request = _request(calling, shaping, precautions, slo or [], runs_dir, elsewhere)
            exit_code = _play(request, listed, targeting.asked(), lend_ground, as_json=as_json, junit=junit)
        raise typer.Exit(exit_code)


def _request(
    calling: Calling, shaping: Shaping, precautions: Precautions, slo: list[str], runs: Path | None, elsewhere: Elsewhere | None
) -> StormRequest:
    from owray.storm.bad_request import BadRequest, seconds
    from owray.storm.load import drop_after
    from owray.storm.objectives import read_objectives
    from owray.storm.request import StormRequest

    try:
        return StormRequest(
            load=_load(shaping, elsewhere),
            workload=calling.workload,
            action=calling.action,
            size=calling.size,
            seed=shaping.seed,
            warmup_s=seconds(shaping.warmup, "--warmup"),
            timeout_s=seconds(shaping.timeout, "--timeout"),
            max_in_flight=shaping.max_in_flight,
            drop_after_s=drop_after(shaping.late),
            invokers=shaping.invokers,
            runs=runs,
            preflight=precautions.preflight,
            force=precautions.force,
            prewarm=precautions.prewarm,
            objectives=read_objectives(slo),
            call=calling.request(),
        )
    except BadRequest as problem:
        raise typer.TyperException(str(problem)) from None


def _load(shaping: Shaping, elsewhere: Elsewhere | None) -> LoadRequest:
    from owray.storm.bad_request import seconds
    from owray.storm.load import LoadRequest

    is_listed = elsewhere is not None and elsewhere.is_listed  # then its calls are counted already
    is_trace = elsewhere is not None and elsewhere.option == "--trace"  # then it is brought to its rate already
    return LoadRequest(
        rps=None if is_trace else shaping.rps,
        duration_s=None if shaping.duration is None else seconds(shaping.duration, "--duration"),
        calls=None if is_listed else shaping.calls,
        arrivals=shaping.arrivals,
        ramp=shaping.ramp,
        stages=shaping.stages,
        sine=shaping.sine,
        burst=shaping.burst,
        gap_s=None if shaping.gap is None else seconds(shaping.gap, "--gap"),
        at_once=shaping.at_once,
        elsewhere=elsewhere,
    )


def _play(request: StormRequest, listed: Chosen | None, asked: Asked, lend_ground: LendGround, *, as_json: bool, junit: Path | None) -> int:
    from rich.console import Console

    from owray.fleet.cluster import FleetLost, NoCluster, StartFailed
    from owray.openwhisk.catalogue import ManifestError, UnknownNameError
    from owray.openwhisk.client import OpenWhiskError
    from owray.openwhisk.target import TargetError
    from owray.storm.bad_request import BadRequest
    from owray.storm.choose import choose
    from owray.storm.live import error_stream
    from owray.storm.objectives import check_actions, check_samples
    from owray.storm.play import place_for_runs, play
    from owray.storm.report import EXIT_ABORTED, as_json_text, exit_code, findings, render

    errors = error_stream()
    progress = Console(file=errors, force_interactive=None if errors.isatty() else False)  # FORCE_COLOR makes no terminal of a file
    try:
        # What can be known to fail is said before a lab is brought up for it.
        chosen = listed or choose(request)
        check_actions(request.objectives, chosen.entries(chosen.manifests))
        check_samples(request)
        place_for_runs(request)
        claim_report(junit)
        with lend_ground(asked, progress) as ground:
            played = play(request, chosen, ground, progress, command=("owray", *sys.argv[1:]))
    except (BadRequest, ManifestError, NoCluster, OpenWhiskError, StartFailed, TargetError, UnknownNameError) as problem:
        raise typer.TyperException(str(problem)) from problem
    except FleetLost as problem:
        typer.echo(f"owray: {problem}", err=True)
        return EXIT_ABORTED
    found = findings(played)
    written = leave_report(junit, found)  # first: nobody may be there any more to read the rest
    with _lossy_output(played.folder.run):
        if as_json:
            typer.echo(as_json_text(played))
        else:
            render(played, Console())
        sys.stdout.flush()
    return exit_code(found) if written else EXIT_ABORTED


@contextmanager
def _lossy_output(run: str) -> Iterator[None]:
    """What was found is kept with the run: an output that takes no more of it changes neither that nor the exit code."""
    try:
        yield
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would fail again when it ends
        with suppress(OSError):
            typer.echo(f"owray: cannot print what was found: {problem.strerror}.  (owray runs show {run})", err=True)
