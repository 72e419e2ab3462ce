"""Options that say what a storm calls, with what, and how answers are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Workload = Annotated[str | None, typer.Option(help="Play all actions of a workload, by weight.")]
Action = Annotated[
    str | None,
    typer.Option(help="Play one action: of the catalogue by its name, one that is there already as /_/NAME or /NS/PACKAGE/NAME."),
]
Web = Annotated[str | None, typer.Option(help="Play a web action of the target by its URL, or by its path from /api/v1/web on.")]
Trigger = Annotated[str | None, typer.Option(help="Fire a trigger that is there already.")]
Size = Annotated[str | None, typer.Option(help="small, medium or large; each action's default otherwise.")]
HowCalled = Annotated[Literal["GET", "POST"] | None, typer.Option("--method", help="How --web is called; POST if it is not said.")]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="A parameter of every call, JSON or text; may be repeated. It is kept in the run: no secrets."),
]
Params = Annotated[
    Path | None,
    typer.Option(
        help="Parameters from a .json, .jsonl, .parquet or .csv file, one object for all calls or one of several for each. Kept in the run."
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="The result has to equal this, or, if this is an object, to contain it; else the call is `wrong`."),
]
ExpectSchema = Annotated[Path | None, typer.Option(help="The result has to fit the JSON Schema in this file; else the call is `wrong`.")]
ActionsDir = Annotated[Path | None, typer.Option(help="Take workloads and actions from this folder of folders with a manifest.toml.")]
