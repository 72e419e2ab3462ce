"""owray up: bring up a lab, or mend one."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

from cluster.commands import output

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([mgt])(?:i?b)?", re.IGNORECASE)
_MB = {"m": 1, "g": 1024, "t": 1024 * 1024}


class Provider(StrEnum):
    """Where a lab's hosts come from."""

    LOCAL = "local"


class Profile(StrEnum):
    """How the embedded platform behaves."""

    BENCH = "bench"
    STANDALONE = "standalone"


def memory_mb(text: str) -> int:
    """Megabytes (2^20 bytes) of a size such as 512m, 4g or 1.5GB. Raises typer.BadParameter for anything else."""
    size = _SIZE.fullmatch(text.strip())
    if size is None:
        raise typer.BadParameter(f"{text!r} is no size; sizes look like 512m or 4g")
    return round(float(size[1]) * _MB[size[2].lower()])


def mount(app: typer.Typer) -> None:
    """Add `up` to the command line."""

    @app.command()
    def up(
        provider: Annotated[Provider, typer.Argument(help="Where the lab is: `local` is this machine.")],
        lab: Annotated[str, typer.Option(help="Name of the lab; labs of different names do not meet.")] = "local",
        profile: Annotated[
            Profile | None,
            typer.Option(help="Limits out of the way (bench, the default), or as standalone OpenWhisk has them."),
        ] = None,
        user_memory: Annotated[
            str | None, typer.Option(metavar="SIZE", help="Memory for containers, such as 4g. Default: what the profile has.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the lab as JSON.")] = False,
    ) -> None:
        """Bring up an OpenWhisk and a Ray as background services. Run again, it starts what is missing."""
        from cluster import lab as labs
        from cluster import state

        options = labs.LocalOptions(
            profile=profile.value if profile else None, user_memory_mb=memory_mb(user_memory) if user_memory is not None else None
        )
        with output.errors():
            steps: list[str] = []

            def say(line: str) -> None:
                steps.append(line)
                output.progress(line)

            made = labs.up_local(state.default_home(), lab, options, say)
        if json:
            output.as_json(made)
            return
        typer.echo(f"lab '{made.name}' {'is up' if steps else 'was up already'}: {made.api_host}, key in {made.wskprops}")
