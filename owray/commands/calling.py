"""Options that say what a storm calls, with what, and how answers are checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from owray.storm.request import CallRequest

ActionsDir = Annotated[Path | None, typer.Option(help="Take workloads and actions from this folder of folders with a manifest.toml.")]

_ACTION_HELP = "Play one action: of the catalogue by its name, one that is there already as /_/NAME or /NS/PACKAGE/NAME."
_MIX_HELP = "Play several workloads or actions of the catalogue by weight: genomics=3,noop=1."
_PARAM_HELP = "A parameter of every call, JSON or text; may be repeated. It is kept in the run: no secrets."
_PARAMS_HELP = (
    "Parameters from a .json, .jsonl, .parquet or .csv file: an object for all calls, or several to choose from. Kept in the run."
)
_EXPECT_HELP = "The result has to equal this, or, if this is an object, to contain it; else the call is `wrong`."


@dataclass(frozen=True, slots=True)
class Calling:
    """What is called."""

    workload: Annotated[str | None, typer.Option(help="Play all actions of a workload, by weight.")] = None
    action: Annotated[str | None, typer.Option(help=_ACTION_HELP)] = None
    mix: Annotated[str | None, typer.Option(help=_MIX_HELP, metavar="NAME=WEIGHT,...")] = None
    web: Annotated[str | None, typer.Option(help="Play a web action of the target by its URL, or by its path from /api/v1/web on.")] = None
    trigger: Annotated[str | None, typer.Option(help="Fire a trigger that is there already.")] = None
    size: Annotated[str | None, typer.Option(help="small, medium or large; each action's default otherwise.")] = None
    param: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help=_PARAM_HELP)] = None
    params: Annotated[Path | None, typer.Option(help=_PARAMS_HELP)] = None
    method: Annotated[Literal["GET", "POST"] | None, typer.Option(help="How --web is called; POST if it is not said.")] = None
    expect: Annotated[str | None, typer.Option(metavar="JSON", help=_EXPECT_HELP)] = None
    expect_schema: Annotated[
        Path | None, typer.Option(help="The result has to fit the JSON Schema in this file; else the call is `wrong`.")
    ] = None
    actions_dir: ActionsDir = None

    def request(self) -> CallRequest:
        """All but what is of a catalogue: workload, action, mix and size."""
        from owray.storm.request import CallRequest

        return CallRequest(
            web=self.web,
            method=self.method,
            trigger=self.trigger,
            actions_dir=self.actions_dir,
            param=tuple(self.param or ()),
            params=self.params,
            expect=self.expect,
            expect_schema=self.expect_schema,
        )
