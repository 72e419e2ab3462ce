"""owray up: bring up a lab, or mend one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from cluster.commands import output
from cluster.commands.knobs import taking_knobs

JSON_VERSION = 1


class Provider(StrEnum):
    """Where a lab's hosts come from."""

    LOCAL = "local"


class Profile(StrEnum):
    """How the embedded platform behaves."""

    BENCH = "bench"
    STANDALONE = "standalone"
    HELM = "helm"


class OpenWhiskKind(StrEnum):
    """Which platform a lab on this machine has."""

    EMBEDDED = "embedded"
    NONE = "none"


def mount(app: typer.Typer) -> None:
    """Add `up` to the command line."""

    @app.command()
    @taking_knobs
    def up(
        provider: Annotated[Provider, typer.Argument(help="Where the lab is: `local` is this machine.")],
        overrides: dict[str, Any],
        lab: Annotated[str, typer.Option(help="Name of the lab; labs of different names do not meet.")] = "local",
        profile: Annotated[
            Profile | None,
            typer.Option(help="Limits out of the way (bench, the default), or as OpenWhisk's standalone server or helm chart has them."),
        ] = None,
        port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the platform; without it, a free one.")] = None,
        openwhisk: Annotated[
            OpenWhiskKind | None,
            typer.Option(help="`none` brings up Ray alone, for storms on an OpenWhisk elsewhere; embedded is the default."),
        ] = None,
        public_keys: Annotated[
            bool, typer.Option("--public-keys", help="The keys that every OpenWhisk ships and everybody knows, not a fresh one.")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help="Print the lab as JSON (docs/json.md).")] = False,
    ) -> None:
        """Bring up an OpenWhisk and a Ray as background services. Run again, it starts what is missing.

        What is not asked for is as the profile has it; docs/embedded-openwhisk.md has the values.
        """
        from cluster import lab as labs
        from cluster import state

        options = labs.LocalOptions(
            profile=profile.value if profile else None,
            overrides=overrides,
            port=port,
            public_keys=public_keys or None,
            openwhisk=openwhisk.value if openwhisk else None,
        )
        steps: list[str] = []

        def say(line: str) -> None:
            steps.append(line)
            output.progress(line)

        made = labs.up_local(state.default_home(), lab, options, say)
        if json:
            output.as_json(JSON_VERSION, {"lab": made})
            return
        what = f"Ray alone, at {made.ray_address}" if made.openwhisk == "none" else f"{made.api_host}, key in {made.wskprops}"
        typer.echo(f"lab '{made.name}' {'is up' if steps else 'was up already'}: {what}")
