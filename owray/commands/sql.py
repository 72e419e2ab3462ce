"""`owray sql`: ask the rows anything."""

from __future__ import annotations

from typing import Annotated

import typer

from owray.commands.reading import Format, FormatOption, OutputOption, RunOption, RunsDirOption, plain_errors, session_over, show


def mount(app: typer.Typer) -> None:
    app.command("sql")(sql)


def sql(
    query: Annotated[str, typer.Argument(help="SQL in DuckDB's dialect over the tables calls, runs, hosts and plan.", metavar="SQL")],
    run: RunOption = "latest",
    runs_dir: RunsDirOption = None,
    style: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Ask a run's rows a question in SQL.

    owray sql "select outcome, count(*), quantile_cont(response_us, 0.99) from calls group by 1"

    owray sql "describe calls" shows what there is to ask for.
    """
    with plain_errors(), session_over(run, runs_dir) as session:
        show(session.table(query), style, output)
