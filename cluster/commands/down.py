"""owray down: remove a lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands import output
from owray.problems import tell

if TYPE_CHECKING:
    from cluster.lab import Leftovers

REMAINS = 6
"""Exit code when something could not be removed."""

JSON_VERSION = 1


Played = Callable[[Sequence[int]], Sequence[str]]
"""Gives the ids of the runs that are played by these processes."""


def mount(app: typer.Typer, played: Played = lambda pids: ()) -> None:
    """Add `down` to the command line."""

    @app.command()
    def down(
        lab: Annotated[str, typer.Option(help="Name of the lab.")] = "local",
        force: Annotated[bool, typer.Option("--force", help="Even if a storm is being played on it.")] = False,
        json: Annotated[bool, typer.Option("--json", help="Print what was found and what remains as JSON (docs/json.md).")] = False,
    ) -> None:
        """Remove a lab: processes, ports, files, also after a crash."""
        from cluster import lab as labs
        from cluster import state

        home = state.default_home()
        if not force:
            _refuse_if_played(home, lab, played)
        # Labs that a killed storm had borrowed belong to nobody: they go with whatever is removed, when their storm is over.
        abandoned = [name for name in labs.abandoned_labs(home) if force or not played(labs.process_ids(home, name))]
        found = {name: labs.down(home, name, output.progress) for name in dict.fromkeys((lab, *abandoned))}
        if json:
            output.as_json(JSON_VERSION, {"labs": found})
        else:
            for name, leftovers in found.items():
                _tell(name, leftovers, [other for other in state.lab_names(home) if other != name])
        if any(found.values()):
            raise typer.Exit(REMAINS)


def _refuse_if_played(home: Path, lab: str, played: Played) -> None:
    """Raises LabError where a storm is being played on the lab."""
    from cluster import lab as labs
    from cluster.state import LabError

    runs = played(labs.process_ids(home, lab))
    if runs:
        raise LabError(
            f"run {', '.join(runs)} is being played on lab '{lab}'.  "
            "(wait for its end, or stop the storm with Ctrl-C; --force removes the lab under it)"
        )


def _tell(name: str, leftovers: Leftovers, others: list[str]) -> None:
    if not leftovers.was_there:
        hint = f"  (there is {', '.join(others)}: owray down --lab NAME)" if others else ""
        typer.echo(f"no lab '{name}' is up, nothing to remove{hint}")
    elif leftovers:
        remains = "\n  ".join((*(f"process {process}" for process in leftovers.processes), *leftovers.files))
        tell(f"lab '{name}' could not be removed whole; end or delete this, then run owray down again:\n  {remains}")
    else:
        typer.echo(f"lab '{name}' is removed")
