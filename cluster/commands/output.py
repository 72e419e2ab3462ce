"""How the commands of this folder speak: results on stdout, progress on stderr."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer


def progress(line: str) -> None:
    """A line about what goes on; not part of the result."""
    typer.echo(line, err=True)


def as_json(version: int, data: Mapping[str, Any]) -> None:
    """Print one JSON document, of dataclasses and containers of them; docs/json.md has them all.

    The version is raised when a key goes away or means something else, not when one is added.
    """
    typer.echo(json.dumps({"version": version, **_plain(data)}, indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
