"""`owray runs`: what has been measured so far. What changes runs is in `owray.commands.runs_changes`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owray.commands import runs_changes
from owray.commands.machine_output import JsonOption, print_json
from owray.commands.reading import RUN_HELP, RunsDirOption
from owray.commands.runs_changes import JSON_VERSION, as_json_asked, folder_asked
from owray.texts import size

if TYPE_CHECKING:
    from owray.record.run import Manifest, RunFolder
    from owray.record.sizes import Sizes

BROKEN = "broken"


def mount(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help="List the runs, or look at them, name them, remove them.")
    group.callback()(runs)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("sizes")(sizes)
    runs_changes.mount(group)
    app.add_typer(group, name="runs")


def runs(context: typer.Context, runs_dir: RunsDirOption = None, as_json: JsonOption = False) -> None:
    """List the runs, oldest first, or look at them, name them, remove them."""
    if context.invoked_subcommand is None:
        list_(context, runs_dir, as_json)


def list_(context: typer.Context, runs_dir: RunsDirOption = None, as_json: JsonOption = False) -> None:
    """List the runs, oldest first."""
    from owray.commands.tables import show as show_table
    from owray.commands.tables import table_of
    from owray.record.run import list_runs

    folder = folder_asked(context, runs_dir)
    lines = [_line(run) for run in list_runs(folder)]
    if as_json_asked(context, as_json):
        print_json(JSON_VERSION, {"runs": lines})
    elif lines:
        shown = list(lines[0]) if any(line["tags"] for line in lines) else [name for name in lines[0] if name != "tags"]
        show_table(table_of(shown, [[line[name] for name in shown] for line in lines]))
        if any(line["status"] == BROKEN for line in lines):
            typer.echo("broken: nobody plays it any more  (owray recover accounts for every call)")
    else:
        typer.echo(f"There are no runs in {folder} yet.  (owray storm makes one)")


def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, its tag, or 'latest'.")] = "latest",
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run: what was asked, of whom, what came of it, and what it takes on disk."""
    from owray.record.run import find_run
    from owray.record.sizes import sizes_of

    found = find_run(folder_asked(context, runs_dir), run)
    manifest, taken = found.load(), sizes_of(found)
    status = _status(found, manifest)
    written = json.loads((found.path / "run.json").read_text(), parse_constant=str)
    if as_json_asked(context, as_json):
        print_json(JSON_VERSION, {"path": str(found.path), "status": status, "manifest": written, "sizes": asdict(taken)})
        return
    for name, text in _facts(found, manifest, status, written.get("objectives") or (), taken):
        typer.echo(f"{name:<11}{text}")


def sizes(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=RUN_HELP)] = "all",
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """What runs take on disk, in bytes, and how many rows they have."""
    from owray.commands.tables import show as show_table
    from owray.commands.tables import table_of
    from owray.record.run import find_runs
    from owray.record.sizes import sizes_of

    lines = [{"run": each.run, **asdict(sizes_of(each))} for each in find_runs(folder_asked(context, runs_dir), run)]
    total = sum(line["total_bytes"] for line in lines)
    if as_json_asked(context, as_json):
        print_json(JSON_VERSION, {"runs": lines, "total_bytes": total})
        return
    show_table(table_of(list(lines[0]), [list(line.values()) for line in lines]))
    typer.echo(f"{size(total)} in {len(lines)} {'run' if len(lines) == 1 else 'runs'}")


def _line(run: RunFolder) -> dict[str, Any]:
    """A run in a line; one whose manifest cannot be read is there nevertheless."""
    from owray.record.run import ManifestError

    try:
        manifest = run.load()
    except ManifestError:
        return dict.fromkeys(_COLUMNS) | {"run": run.run, "tags": [], "status": "unreadable"}
    values = (
        run.run,
        list(manifest.tags),
        _status(run, manifest),
        (manifest.verdict or {}).get("level"),
        _rate(manifest),
        _length(manifest),
        ", ".join(_calls(manifest)),
        manifest.target_url,
    )
    return dict(zip(_COLUMNS, values, strict=True))


_COLUMNS = ("run", "tags", "status", "verdict", "rps", "length", "calls", "target")


def _status(run: RunFolder, manifest: Manifest) -> str:
    """As the manifest says, but for a run whose processes are gone: none of them could say so."""
    from owray.record.players import has_broken_off

    return BROKEN if has_broken_off(run, manifest) else manifest.status


def _facts(
    run: RunFolder, manifest: Manifest, status: str, objectives: Sequence[Mapping[str, Any]], taken: Sizes
) -> Iterator[tuple[str, str]]:
    """Name and text of each line; what a run does not have is left out."""
    recipe, verdict = manifest.recipe, manifest.verdict or {}
    yield "run", run.run
    yield from _if_any("tags", ", ".join(manifest.tags))
    yield "status", f"{status}, started {manifest.started_at}" + (f", ended {manifest.ended_at}" if manifest.ended_at else "")
    if status == BROKEN:
        yield "", f"nobody plays it any more  (owray recover {run.run} accounts for every call)"
    yield from _if_any("early end", manifest.early_end.text if manifest.early_end else "")
    yield from _if_any("command", " ".join(manifest.command))
    yield (
        "asked",
        f"{recipe.told()}, {recipe.arrivals}, {_length(manifest)}, warm-up {recipe.warmup_s:g} s, seed {recipe.seed}",
    )
    yield "calls", ", ".join(_calls(manifest))
    yield from _if_any("options", _pairs(manifest.options))
    yield from _if_any("target", _pairs(manifest.target))
    yield from _if_any("versions", _pairs(manifest.versions))
    yield "invokers", f"{manifest.invokers}"
    yield from _if_any("verdict", verdict.get("level", ""))
    yield from (("", line) for line in (*verdict.get("reasons", ()), *verdict.get("notes", ())))
    yield from (("objective", f"{each.get('state')}: {each.get('sentence')}") for each in objectives)
    rows = "unreadable" if taken.rows is None else f"{taken.rows:,}"
    yield "rows", f"{rows} in {size(taken.calls_bytes)}"
    yield from _if_any(
        "journals", f"{size(taken.journal_bytes)} that are no rows yet  (owray recover {run.run})" if taken.journal_bytes else ""
    )
    yield "on disk", f"{size(taken.total_bytes)} in {run.path}"


def _if_any(name: str, text: str) -> Iterator[tuple[str, str]]:
    if text:
        yield name, text


def _pairs(values: Any) -> str:
    """Options and the like on one line; those that were not given are left out."""
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items() if value not in (None, [], {}, "", False))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _rate(manifest: Manifest) -> str:
    """What was asked for: of a closed loop its users, since its rate is found."""
    closed = manifest.recipe.closed
    return f"{manifest.recipe.mean_rps:g}" if closed is None else f"closed: {closed.users}"


def _length(manifest: Manifest) -> str:
    recipe = manifest.recipe
    return f"{recipe.duration_s:g} s" if recipe.calls is None else f"{recipe.calls:,} calls"


def _calls(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(f"{entry.action}/{entry.size}" if entry.size else entry.action for entry in manifest.recipe.entries))
