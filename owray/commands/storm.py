"""`owray storm`: play a planned storm of calls, and say what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from owray.commands.calling import Calling
from owray.commands.elsewhere import Planned, drawn_up
from owray.commands.grouped import grouped
from owray.commands.machine_output import JsonOption
from owray.commands.reading import RunsDirOption
from owray.commands.shaping import Playing, Precautions, Shaping
from owray.commands.slo import JunitOption, SloOption, claim_report, leave_report
from owray.commands.streams import OutputLost
from owray.commands.targeting import Targeting
from owray.problems import tell

if TYPE_CHECKING:
    from rich.console import Console

    from owray.openwhisk.choice import Asked
    from owray.storm.choose import Chosen
    from owray.storm.ground import Ground
    from owray.storm.load import Elsewhere
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
        playing: Playing,
        planned: Planned,
        precautions: Precautions,
        targeting: Targeting,
        slo: SloOption = None,
        junit: JunitOption = None,
        runs_dir: RunsDirOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Play a storm: each call at its time, a row for each, a verdict.

        Open loop: a slow platform does not slow the calls down, and its delays show in the response times. --concurrency plays a closed
        loop instead: it asks less while the platform is slow.
        """
        with drawn_up(planned, calling, shaping, runs_dir) as (elsewhere, listed):
            request = _request(calling, shaping, playing, precautions, slo or [], runs_dir, elsewhere)
            exit_code = _play(request, listed, targeting.asked(), lend_ground, as_json=as_json, junit=junit)
        raise typer.Exit(exit_code)


def _request(
    calling: Calling,
    shaping: Shaping,
    playing: Playing,
    precautions: Precautions,
    slo: list[str],
    runs: Path | None,
    elsewhere: Elsewhere | None,
) -> StormRequest:
    from owray.storm.bad_request import seconds
    from owray.storm.load import drop_after
    from owray.storm.objectives import read_objectives
    from owray.storm.request import StormRequest

    return StormRequest(
        load=shaping.load(elsewhere),
        workload=calling.workload,
        action=calling.action,
        size=calling.size,
        seed=shaping.seed,
        warmup_s=seconds(shaping.warmup, "--warmup"),
        timeout_s=seconds(playing.timeout, "--timeout"),
        max_in_flight=playing.max_in_flight,
        drop_after_s=drop_after(playing.late),
        invokers=playing.invokers,
        runs=runs,
        preflight=precautions.preflight,
        force=precautions.force,
        prewarm=precautions.prewarm,
        objectives=read_objectives(slo),
        call=calling.request(),
        mix=calling.mix,
        several=shaping.several(),
    )


def _play(request: StormRequest, listed: Chosen | None, asked: Asked, lend_ground: LendGround, *, as_json: bool, junit: Path | None) -> int:
    from rich.console import Console

    from owray.storm.choose import choose
    from owray.storm.objectives import check_actions, check_samples
    from owray.storm.play import place_for_runs, play
    from owray.storm.report import EXIT_ABORTED, as_json_text, exit_code, findings, render

    progress = Console(stderr=True, force_interactive=None if sys.stderr.isatty() else False)  # FORCE_COLOR makes no terminal of a file
    # What can be known to fail is said before a lab is brought up for it.
    chosen = listed or choose(request)
    check_actions(request.objectives, chosen.entries(chosen.manifests))
    check_samples(request)
    place_for_runs(request)
    claim_report(junit)
    with lend_ground(asked, progress) as ground:
        played = play(request, chosen, ground, progress, command=("owray", *sys.argv[1:]))
    found = findings(played)
    written = leave_report(junit, found)  # first: nobody may be there any more to read the rest
    try:
        if as_json:
            typer.echo(as_json_text(played))
        else:
            render(played, Console())
    except OutputLost as lost:  # what was found is kept with the run: this changes neither that nor the exit code
        tell(f"cannot print what was found: {lost.cause}.  (owray runs show {played.folder.run})")
    return exit_code(found) if written else EXIT_ABORTED
