"""`owray recover`: account for every planned call of a run that did not end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from owray.commands.reading import RunsDirOption, plain_errors

if TYPE_CHECKING:
    from owray.judge.verdict import Verdict
    from owray.record.recover import Recovery
    from owray.record.run import RunFolder

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
    recovery, verdict = _recover(run, force)
    left_over = f", which held {recovery.left_over_bytes:,} bytes of unfinished blocks" if recovery.left_over_bytes else ""
    typer.echo(f"run {run.run}: recovered from {recovery.journals} {'journal' if recovery.journals == 1 else 'journals'}{left_over}")
    typer.echo(f"  planned {recovery.planned:>12,}")
    typer.echo(f"  found   {recovery.found:>12,}   calls that had their row")
    typer.echo(f"  lost    {recovery.lost:>12,}   attempted, end unknown")
    typer.echo(f"  unsent  {recovery.unsent:>12,}   never attempted")
    typer.echo(f"  verdict {verdict.level:>12}")
    for reason in verdict.reasons:
        typer.echo(f"    {reason}")


def _recover(run: RunFolder, force: bool) -> tuple[Recovery, Verdict]:
    from owray.ask.evidence import facts_of
    from owray.ask.session import Session
    from owray.judge.verdict import judge
    from owray.record.recover import complete, recovering, seal

    with recovering(run, force=force) as manifest:
        recovery = complete(run, manifest)
        with Session([run]) as session:
            verdict = judge(facts_of(session, lost=recovery.incomplete_invokers))
        seal(run, manifest, recovery, verdict.to_json(), datetime.now(UTC))
    return recovery, verdict
