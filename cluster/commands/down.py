"""owray down: remove a lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands import output
from owray.problems import tell

if TYPE_CHECKING:
    from cluster.lab import Leftovers

REMAINS = 6
"""Exit code when something could not be removed."""

JSON_VERSION = 1


def mount(app: typer.Typer) -> None:
    """Add `down` to the command line."""

    @app.command()
    def down(
        lab: Annotated[str, typer.Option(help="Name of the lab.")] = "local",
        json: Annotated[bool, typer.Option("--json", help="Print what was found and what remains as JSON (docs/json.md).")] = False,
    ) -> None:
        """Remove a lab: processes, ports, files, also after a crash."""
        from cluster import lab as labs
        from cluster import state

        home = state.default_home()
        # Labs that a killed storm had borrowed belong to nobody: they go with whatever is removed.
        found = {name: labs.down(home, name, output.progress) for name in dict.fromkeys((lab, *labs.abandoned_labs(home)))}
        if json:
            output.as_json(JSON_VERSION, {"labs": found})
        else:
            for name, leftovers in found.items():
                _tell(name, leftovers, [other for other in state.lab_names(home) if other != name])
        if any(found.values()):
            raise typer.Exit(REMAINS)


def _tell(name: str, leftovers: Leftovers, others: list[str]) -> None:
    if not leftovers.was_there:
        hint = f"  (there is {', '.join(others)}: owray down --lab NAME)" if others else ""
        typer.echo(f"no lab '{name}' is up, nothing to remove{hint}")
    elif leftovers:
        remains = "\n  ".join((*(f"process {process}" for process in leftovers.processes), *leftovers.files))
        tell(f"lab '{name}' could not be removed whole; end or delete this, then run owray down again:\n  {remains}")
    else:
        typer.echo(f"lab '{name}' is removed")
