"""`owray sql`: ask the rows anything."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from owray.commands.reading import Format, FormatOption, OutputOption, RunOption, RunsDirOption, session_over, show


def mount(app: typer.Typer) -> None:
    app.command("sql")(sql)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="SQL in DuckDB's dialect over the tables calls, runs, hosts, seconds and plan.", metavar="[SQL]"),
    ] = None,
    run: RunOption = "latest",
    runs_dir: RunsDirOption = None,
    style: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Ask a run's rows a question in SQL. Without one, ask at a prompt, or what comes from a pipe.

    owray sql "select outcome, count(*), quantile_cont(response_us, 0.99) from calls group by 1"

    owray sql "describe calls" shows what there is to ask for.
    """
    if query is not None:
        with session_over(run, runs_dir) as session:
            show(session.table(query), style, output)
        return
    if output is not None:
        raise typer.BadParameter("a file takes the answer to one question: give it on the command line, as in owray sql SQL --output FILE")
    from owray.commands.prompt import HISTORY_FILE, Prompt, converse, play
    from owray.record.run import home_folder

    with Prompt(run, runs_dir, style) as prompt:
        if sys.stdin.isatty():
            converse(prompt, home_folder() / HISTORY_FILE)
        else:
            play(prompt, sys.stdin.read())
