"""`owray recover`: account for every planned call of a run that did not end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.commands.machine_output import JsonOption, print_json
from owray.commands.reading import RunsDirOption
from owray.problems import Problem, cause, tell
from owray.texts import size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from owray.judge.verdict import Verdict
    from owray.record.recover import Recovery
    from owray.record.run import Manifest, RunFolder

ALL = "all"
CANNOT = 1
JSON_VERSION = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run; `recovery` is None where only its verdict was missing."""

    run: str
    status: str
    verdict: Verdict
    recovery: Recovery | None


def mount(app: typer.Typer) -> None:
    app.command("recover")(recover)


def recover(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, or 'latest'; without one, all that broke off.")] = ALL,
    runs_dir: RunsDirOption = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the run, which is to be named, seems to be played still.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give every call of runs that broke off its row. It is what journals have, else lost or unsent."""
    from owray.record.recover import NothingToRecover
    from owray.record.run import find_run, list_runs, runs_folder

    if force and run == ALL:
        raise typer.BadParameter("--force is for one run: name it, as in owray recover RUN --force")
    done: list[Report] = []

    def show(report: Report) -> None:
        done.append(report)
        if not as_json:
            typer.echo("\n".join(_lines(report)))

    nothing, all_is_well = "there was nothing to recover", True
    folder = runs_folder(runs_dir)
    if run == ALL:
        all_is_well = _recover_all(list_runs(folder), show)
    else:
        try:
            show(_report(find_run(folder, run), force))
        except NothingToRecover as why:
            nothing = str(why)
    if as_json:
        print_json(JSON_VERSION, {"runs": [_as_data(report) for report in done]})
    elif not done and all_is_well:
        typer.echo(nothing)
    if not all_is_well:
        raise typer.Exit(CANNOT)


def _recover_all(runs: list[RunFolder], show: Callable[[Report], None]) -> bool:
    """Recover all that broke off. What cannot be recovered is told of and keeps no other from it: a run that is played, one of another
    version, one that cannot be read. Whether nothing failed, and not everything had to be left."""
    from owray.record.journal import OtherVersion
    from owray.record.recover import NothingToRecover, StillPlaying
    from owray.record.run import ManifestError

    done = left = failed = 0
    for run in runs:
        try:
            report = _report(run, force=False)
        except NothingToRecover:
            continue
        except (ManifestError, OtherVersion, StillPlaying) as why:
            tell(why)
            left += 1
        except (Problem, OSError) as problem:
            tell(f"run {run.run} could not be recovered: {cause(problem)}")
            failed += 1
        else:
            show(report)
            done += 1
    return not failed and (done > 0 or not left)


def _report(run: RunFolder, force: bool) -> Report:
    from owray.record.recover import recovering

    with recovering(run, force=force) as manifest:
        return _judge_ended(run, manifest) if manifest.status != "running" else _recover(run, manifest)


def _recover(run: RunFolder, manifest: Manifest) -> Report:
    """Account for every call of a run that broke off."""
    from owray.record.recover import complete, seal

    recovery = complete(run, manifest)
    verdict = _weigh(run, lost=recovery.incomplete_invokers)
    seal(run, recovery, verdict.to_json(), datetime.now(UTC))
    return Report(run.run, "recovered", verdict, recovery)


def _judge_ended(run: RunFolder, manifest: Manifest) -> Report:
    """Judge a run that was sealed when nobody was there any more: its rows are complete, and the fleet has said who was lost or late."""
    reported = {report["invoker"]: report for report in manifest.fleet}
    lost = [invoker for invoker in range(manifest.invokers) if invoker not in reported]
    late = [invoker for invoker, report in reported.items() if report.get("started_late_us", 0) > 0]
    verdict = _weigh(run, lost=lost, late=late)
    run.update(verdict=verdict.to_json())
    return Report(run.run, manifest.status, verdict, None)


def _lines(report: Report) -> Iterator[str]:
    recovery = report.recovery
    if recovery is None:
        yield f"run {report.run}: it had {report.status} with nobody there to judge it"
    else:
        left_over = f", which held {size(recovery.left_over_bytes)} of torn or damaged blocks" if recovery.left_over_bytes else ""
        yield f"run {report.run}: recovered from {recovery.journals} {'journal' if recovery.journals == 1 else 'journals'}{left_over}"
        for place in recovery.set_aside:
            yield f"  set aside {place}: it cannot be read; its calls count as lost"
        yield f"  planned {recovery.planned:>12,}"
        yield f"  found   {recovery.found:>12,}   calls that had their row"
        yield f"  lost    {recovery.lost:>12,}   attempted, end unknown"
        yield f"  unsent  {recovery.unsent:>12,}   never attempted"
    yield f"  verdict {report.verdict.level:>12}"
    for line in (*report.verdict.reasons, *report.verdict.notes):
        yield f"    {line}"


def _as_data(report: Report) -> dict[str, Any]:
    recovery = None if report.recovery is None else asdict(report.recovery)
    return {"run": report.run, "status": report.status, "recovery": recovery, "verdict": report.verdict.to_json()}


def _weigh(run: RunFolder, *, lost: Collection[int], late: Collection[int] = ()) -> Verdict:
    from owray.ask.evidence import facts_of
    from owray.ask.session import Session
    from owray.judge.verdict import judge

    with Session([run]) as session:
        return judge(facts_of(session, lost=lost, late=late))
