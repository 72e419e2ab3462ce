"""`owray runs`: what has been measured so far."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.commands.reading import RunsDirOption, plain_errors, table_of

if TYPE_CHECKING:
    from owray.record.run import RunFolder


def mount(app: typer.Typer) -> None:
    app.command("runs")(runs)


def runs(
    runs_dir: RunsDirOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the runs, oldest first."""
    from owray.record.run import list_runs, runs_folder

    with plain_errors():
        folder = runs_folder(runs_dir)
        lines = [_line(run) for run in list_runs(folder)]
        if as_json:
            typer.echo(json.dumps(lines, indent=2))
        elif lines:
            typer.echo(table_of(list(lines[0]), [list(line.values()) for line in lines]), nl=False)
        else:
            typer.echo(f"There are no runs in {folder} yet.  (owray storm makes one)")


def _line(run: RunFolder) -> dict[str, Any]:
    """A run in a line; one whose manifest cannot be read is there nevertheless."""
    from owray.record.run import ManifestError

    try:
        manifest = run.load()
    except ManifestError:
        return dict.fromkeys(_COLUMNS) | {"run": run.run, "status": "unreadable"}
    recipe = manifest.recipe
    calls = [f"{entry.action}/{entry.size}" if entry.size else entry.action for entry in recipe.entries]
    values = (
        run.run,
        manifest.status,
        (manifest.verdict or {}).get("level"),
        f"{recipe.rps:g}",
        f"{recipe.duration_s:g} s" if recipe.calls is None else f"{recipe.calls:,} calls",
        ", ".join(calls),
        manifest.target.get("source") or manifest.target.get("api_host"),
    )
    return dict(zip(_COLUMNS, values, strict=True))


_COLUMNS = ("run", "status", "verdict", "rps", "length", "calls", "target")
