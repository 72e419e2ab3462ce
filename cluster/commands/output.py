"""How the commands of this folder speak: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

USAGE_OR_ENVIRONMENT = 1


def progress(line: str) -> None:
    """A line about what goes on; not part of the result."""
    typer.echo(line, err=True)


def as_json(value: Any) -> None:
    """Print dataclasses, and containers of them, as JSON."""
    typer.echo(json.dumps(_plain(value), indent=2))


@contextmanager
def errors() -> Iterator[None]:
    """Turn what the user can mend into one line and exit code 1."""
    from cluster.state import LabError

    try:
        yield
    except LabError as error:
        typer.echo(f"owray: {error}", err=True)
        raise typer.Exit(USAGE_OR_ENVIRONMENT) from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
