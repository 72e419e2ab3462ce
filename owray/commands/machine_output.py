"""How commands speak to programs: one JSON document on the output stream, with a version (docs/json.md has them all)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON (docs/json.md).")]


def print_json(version: int, data: Mapping[str, Any]) -> None:
    """Print a document. The version is raised when a key goes away or means something else, not when one is added."""
    typer.echo(json.dumps({"version": version, **data}, indent=2, allow_nan=False))
