"""`owray query`: questions that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from owray.commands.reading import (
    ForceOption,
    Format,
    FormatOption,
    OutputOption,
    RunOption,
    RunsDirOption,
    refuse_to_replace,
    session_over,
    show_named,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def mount(app: typer.Typer) -> None:
    app.command("query")(query)


def query(
    name: Annotated[str | None, typer.Argument(help="Which question; without a name, all are listed.")] = None,
    run: RunOption = "latest",
    runs_dir: RunsDirOption = None,
    parameters: Annotated[list[str] | None, typer.Option("--param", help="Set a parameter of the query.", metavar="NAME=VALUE")] = None,
    style: FormatOption = Format.TABLE,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Ask a run, or several, one of the questions that have a name, or list them."""
    from owray.ask.queries import find_query

    if name is None:
        typer.echo("\n".join(_listing()))
        return
    asked = find_query(name)
    values = asked.values(_pairs(parameters or []))
    refuse_to_replace(output, force=force)
    with session_over(run, runs_dir) as session:
        show_named(session, asked, values, style, output)


def _listing() -> Iterator[str]:
    from owray.ask.queries import queries

    for each in queries().values():
        yield f"{each.name:<14}{each.question}"
        for parameter in each.parameters:
            yield f"{'':<14}  --param {parameter.name}={parameter.default}   {parameter.meaning} ({parameter.allowed})"


def _pairs(parameters: list[str]) -> dict[str, str]:
    pairs = [parameter.partition("=") for parameter in parameters]
    for name, equals, _ in pairs:
        if not equals:
            raise typer.BadParameter(f"a parameter is given as NAME=VALUE, not {name!r}")
    return {name: value for name, _, value in pairs}
