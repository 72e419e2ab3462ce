"""The `owray` command in this very process: with its own output, error and input streams, and to its exit code."""

from __future__ import annotations

import typer
from typer.testing import CliRunner, Result

import cli


def owray(*words: object, answer: str | None = None) -> Result:
    """Run a command line; `answer` is what its standard input gives."""
    app = typer.Typer()

    @app.command()
    def run() -> None:
        raise typer.Exit(cli.main([str(word) for word in words]))

    return CliRunner().invoke(app, [], input=answer, catch_exceptions=False)
