"""`owray recover`: account for every planned call of a run that did not end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from owray.commands.reading import RunsDirOption, plain_errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from owray.judge.verdict import Verdict
    from owray.record.run import Manifest, RunFolder

ALL = "all"


def mount(app: typer.Typer) -> None:
    app.command("recover")(recover)


def recover(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, 'latest', or 'all'.")] = "latest",
    runs_dir: RunsDirOption = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the run seems to be played still.")] = False,
) -> None:
    """Give each planned call of a run that broke off its row: what is in journals, else lost or unsent."""
    from owray.record.recover import NothingToRecover
    from owray.record.run import find_run, list_runs, runs_folder

    with plain_errors():
        folder = runs_folder(runs_dir)
        if run == ALL:
            _recover_all(list_runs(folder), force)
            return
        try:
            _report(find_run(folder, run), force)
        except NothingToRecover as nothing:
            typer.echo(str(nothing))


def _recover_all(runs: list[RunFolder], force: bool) -> None:
    """One that is still being played does not keep the others from being recovered."""
    from owray.record.recover import NothingToRecover, StillPlaying

    recovered = 0
    for run in runs:
        try:
            _report(run, force)
            recovered += 1
        except NothingToRecover:
            continue
        except StillPlaying as playing:
            typer.echo(f"owray: {playing}", err=True)
    if not recovered:
        typer.echo("there was nothing to recover")


def _report(run: RunFolder, force: bool) -> None:
    from owray.record.recover import recovering

    with recovering(run, force=force) as manifest:
        verdict = _judge_ended(run, manifest) if manifest.status != "running" else _recover(run, manifest)
    typer.echo(f"  verdict {verdict.level:>12}")
    for reason in verdict.reasons:
        typer.echo(f"    {reason}")


def _recover(run: RunFolder, manifest: Manifest) -> Verdict:
    """Account for every call of a run that broke off."""
    from owray.record.recover import complete, seal

    recovery = complete(run, manifest)
    verdict = _weigh(run, lost=recovery.incomplete_invokers)
    seal(run, recovery, verdict.to_json(), datetime.now(UTC))
    left_over = f", which held {recovery.left_over_bytes:,} bytes of torn or damaged blocks" if recovery.left_over_bytes else ""
    typer.echo(f"run {run.run}: recovered from {recovery.journals} {'journal' if recovery.journals == 1 else 'journals'}{left_over}")
    for place in recovery.set_aside:
        typer.echo(f"  set aside {place}: it cannot be read; its calls count as lost", err=True)
    typer.echo(f"  planned {recovery.planned:>12,}")
    typer.echo(f"  found   {recovery.found:>12,}   calls that had their row")
    typer.echo(f"  lost    {recovery.lost:>12,}   attempted, end unknown")
    typer.echo(f"  unsent  {recovery.unsent:>12,}   never attempted")
    return verdict


def _judge_ended(run: RunFolder, manifest: Manifest) -> Verdict:
    """Judge a run that was sealed when nobody was there any more: its rows are complete, and the fleet has said who was lost or late."""
    reported = {report["invoker"]: report for report in manifest.fleet}
    lost = [invoker for invoker in range(manifest.invokers) if invoker not in reported]
    late = [invoker for invoker, report in reported.items() if report.get("started_late_us", 0) > 0]
    verdict = _weigh(run, lost=lost, late=late)
    run.update(verdict=verdict.to_json())
    typer.echo(f"run {run.run}: it had {manifest.status} with nobody there to judge it")
    return verdict


def _weigh(run: RunFolder, *, lost: Collection[int], late: Collection[int] = ()) -> Verdict:
    from owray.ask.evidence import facts_of
    from owray.ask.session import Session
    from owray.judge.verdict import judge

    with Session([run]) as session:
        return judge(facts_of(session, lost=lost, late=late))
