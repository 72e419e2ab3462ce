"""`owray judge`: hold a run that was played against objectives, be they its own or others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from owray.commands.machine_output import JsonOption, print_json
from owray.commands.reading import RunsDirOption
from owray.commands.slo import JunitOption, SloOption, claim_report, leave_report

if TYPE_CHECKING:
    from pathlib import Path

    from owray.judge.objectives import Objective
    from owray.judge.verdict import Verdict
    from owray.record.run import Manifest, RunFolder
    from owray.storm.junit import Findings

JSON_VERSION = 1
CANNOT = 1


def mount(app: typer.Typer) -> None:
    app.command(
        "judge",
        epilog="Exit codes: 0 believed and met, 1 could not judge, 2 an objective was not met, 3 the run is INVALID, 4 it ended early.",
    )(judge)


def judge(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, or 'latest'.")] = "latest",
    slo: SloOption = None,
    junit: JunitOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a run by objectives: those given, or those that its storm was given. The run stays as it is."""
    from owray.record.run import find_run, runs_folder
    from owray.storm.report import exit_code

    folder = find_run(runs_folder(runs_dir), run)
    findings = _findings(folder, _manifest(folder), slo or [], junit)
    _print(folder, findings, as_json=as_json)
    written = leave_report(junit, findings)
    raise typer.Exit(exit_code(findings) if written else CANNOT)


def _manifest(folder: RunFolder) -> Manifest:
    from owray.record.run import ManifestError

    try:
        return folder.load()
    except ManifestError as problem:
        raise ManifestError(f"run {folder.run} cannot be judged, while owray judge RUN judges another: {problem}") from problem


def _findings(folder: RunFolder, manifest: Manifest, slo: list[str], junit: Path | None) -> Findings:
    """Read everything, look at the run, and only then judge."""
    from owray.ask.session import Session
    from owray.storm.judging import results_of
    from owray.storm.junit import Findings
    from owray.storm.objectives import check_actions

    objectives = _objectives(manifest, slo)
    check_actions(objectives, manifest.recipe.entries)
    verdict = _verdict(folder, manifest)
    claim_report(junit)
    with Session([folder]) as session:
        results = results_of(session, objectives)
    return Findings(manifest, verdict, results, _aborted(manifest))


def _aborted(manifest: Manifest) -> str | None:
    """Why the storm was ended early; run.json of older versions does not say."""
    if manifest.status != "aborted":
        return None
    return "the storm was stopped" if manifest.early_end is None else manifest.early_end.text


def _objectives(manifest: Manifest, slo: list[str]) -> tuple[Objective, ...]:
    from owray.storm.bad_request import BadRequest
    from owray.storm.objectives import read_objectives

    own = manifest.options.get("objectives", [])
    if not isinstance(own, list) or not all(isinstance(text, str) for text in own):
        raise BadRequest(f"the objectives that run {manifest.run} was given cannot be read.  (--slo 'p99<500ms' gives it others)")
    objectives = read_objectives(slo or own)
    if not objectives:
        raise BadRequest(f"run {manifest.run} has no objectives of its own.  (--slo 'p99<500ms' gives it some)")
    return objectives


def _verdict(folder: RunFolder, manifest: Manifest) -> Verdict:
    """The verdict that was kept with the run. Raises BadRequest where there is none, ManifestError where it cannot be read."""
    from owray.judge.verdict import Verdict
    from owray.record.run import ManifestError
    from owray.storm.bad_request import BadRequest

    if manifest.verdict is None:
        raise BadRequest(f"run {folder.run} is not over, or broke off: it has no verdict yet.  (owray recover {folder.run} gives it one)")
    try:
        verdict = Verdict.from_json(manifest.verdict)
        return Verdict(verdict.level, tuple(map(str, verdict.reasons)), tuple(map(str, verdict.notes)))
    except (KeyError, TypeError, ValueError) as problem:
        raise ManifestError(f"cannot read the verdict in {folder.path / 'run.json'}: {problem}") from problem


def _print(folder: RunFolder, findings: Findings, *, as_json: bool) -> None:
    from rich.console import Console

    from owray.storm.objectives import lines
    from owray.storm.report import early_end, verdict_lines

    if as_json:
        document = {
            "run": folder.run,
            "path": str(folder.path),
            "verdict": findings.verdict.to_json(),
            "objectives": [result.to_json() for result in findings.objectives],
            "aborted": findings.aborted,
        }
        print_json(JSON_VERSION, document)
        return
    console = Console()
    early = () if findings.aborted is None else (early_end(findings.aborted),)
    for line in (*early, *lines(findings.objectives, findings.verdict.level), *verdict_lines(findings.verdict)):
        console.print(line, highlight=False, soft_wrap=True)
