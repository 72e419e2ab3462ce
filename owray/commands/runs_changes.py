"""`owray runs rm`, `tag` and `untag`: what changes runs, or takes them away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.commands.machine_output import JsonOption, print_json
from owray.commands.reading import RUN_HELP, RunsDirOption
from owray.problems import Problem
from owray.texts import size

if TYPE_CHECKING:
    from owray.record.run import RunFolder

JSON_VERSION = 1


def mount(group: typer.Typer) -> None:
    group.command("rm")(rm)
    group.command("tag")(tag)
    group.command("untag")(untag)


def folder_asked(context: typer.Context, runs_dir: Path | None) -> Path:
    """Where runs live: as told behind the subcommand, or before it."""
    from owray.record.run import runs_folder

    return runs_folder(runs_dir or _before(context, "runs_dir"))


def as_json_asked(context: typer.Context, as_json: bool) -> bool:
    return as_json or bool(_before(context, "as_json"))


def rm(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(help=RUN_HELP, metavar="RUN...")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove runs for good, after asking. A run that is being played is refused."""
    from owray.record.run import find_runs
    from owray.record.sizes import remove, sizes_of

    folder = folder_asked(context, runs_dir)
    found = list(dict.fromkeys(run for names in runs for run in find_runs(folder, names)))
    taken = {run: sizes_of(run).total_bytes for run in found}
    if not yes:
        _ask(found, sum(taken.values()))
    for run in found:
        remove(run)
        if not as_json_asked(context, as_json):
            typer.echo(f"removed run {run.run} ({size(taken[run])})")
    _tell(context, as_json, {"removed": [{"run": run.run, "bytes": taken[run]} for run in found]})


def tag(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, a tag of it, or 'latest'.")],
    name: Annotated[str, typer.Argument(help="What to call it: --run NAME finds it from now on.")],
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a run a name."""
    from owray.record.tags import tag as give

    found = give(folder_asked(context, runs_dir), run, name)
    _tell(context, as_json, {"run": found.run, "tags": list(found.tags())}, f"run {found.run} is {', '.join(found.tags())}")


def untag(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name to take away.")],
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a name away from the run that has it."""
    from owray.record.tags import untag as take

    found = take(folder_asked(context, runs_dir), name)
    _tell(context, as_json, {"run": found.run, "tags": list(found.tags())}, f"run {found.run} is no longer {name}")


def _before(context: typer.Context, name: str) -> Any:
    """An option that was given to `owray runs` itself."""
    return context.parent.params.get(name) if context.parent is not None else None


def _ask(found: list[RunFolder], total_bytes: int) -> None:
    """Raises typer.Exit where the answer is no, Problem where nobody can be asked."""
    what = f"run {found[0].run}" if len(found) == 1 else f"{len(found)} runs ({found[0].run} to {found[-1].run})"
    if not sys.stdin.isatty():
        raise Problem(f"nobody can be asked whether to remove {what}.  (--yes removes without asking)")
    if not typer.confirm(f"Remove {what}, {size(total_bytes)}, for good?", err=True):
        typer.echo("nothing was removed", err=True)
        raise typer.Exit(1)


def _tell(context: typer.Context, as_json: bool, told: dict[str, Any], text: str = "") -> None:
    if as_json_asked(context, as_json):
        print_json(JSON_VERSION, told)
    elif text:
        typer.echo(text)
