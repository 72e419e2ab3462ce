"""`owray sql`: ask the rows anything."""

from __future__ import annotations

import sys
from typing import Annotated

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
    show,
)


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
    force: ForceOption = False,
) -> None:
    """Ask a run's rows a question in SQL. Without one, ask at a prompt, or what comes from a pipe.

    owray sql "select outcome, count(*), quantile_cont(response_us, 0.99) from calls group by 1"

    owray sql "describe calls" shows what there is to ask for.
    """
    if query is not None:
        refuse_to_replace(output, force=force)
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
            play(prompt, _script())


def _script() -> str:
    """What comes from the pipe, as a whole. Raises QueryError where it is no text."""
    from owray.ask.session import QueryError

    content = sys.stdin.buffer.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise QueryError(f"the script is no UTF-8, line {line}.  (iconv -t UTF-8 makes it so)") from None
