"""owray status: what is up, and what of it has died."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands import output
from cluster.commands.knobs import shown

if TYPE_CHECKING:
    from cluster.cores import Cores
    from cluster.lab import LabStatus, PartStatus

DAMAGED = 1
"""Exit code when a lab is there that cannot be used."""

JSON_VERSION = 1


def mount(app: typer.Typer) -> None:
    """Add `status` to the command line."""

    @app.command()
    def status(
        lab: Annotated[str | None, typer.Option(help="Name of the lab; without it, all labs.")] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the labs as JSON (docs/json.md).")] = False,
    ) -> None:
        """Show labs: platform, Ray, cores, logs, and what has died."""
        from cluster import lab as labs
        from cluster import state

        home = state.default_home()
        names = [lab] if lab is not None else list(dict.fromkeys((labs.DEFAULT_NAME, *state.lab_names(home))))
        found = [labs.status(home, name) for name in names]
        there = [one for one in found if one.condition != "absent"]
        if json:
            output.as_json(JSON_VERSION, {"labs": there})
        elif not there:
            typer.echo("no lab is up  (owray up local makes one)" if lab is None else _absent(lab, state.meant(home, lab)))
        else:
            typer.echo("\n\n".join(_text(one) for one in there))
        if any(one.condition == "damaged" for one in there):
            raise typer.Exit(DAMAGED)


def _absent(name: str, meant: str) -> str:
    return f"no lab {name!r} is up{f'.{meant}' if meant else ''}  (owray up local --lab {name} makes it)"


def _text(lab: LabStatus) -> str:
    state = {"up": "is up", "damaged": "is damaged", "changing": "changes"}.get(lab.condition, lab.condition)
    lines = [": ".join(filter(None, (f"lab '{lab.name}' {state}", "; ".join(lab.problems))))]
    if lab.made_at:
        lines.append(_row("since", f"{lab.made_at}{f', borrowed by process {lab.borrowed_by}' if lab.borrowed_by else ''}"))
    if lab.platform is not None:
        keys = ", the public keys" if lab.public_keys else ""
        lines.append(_row("platform", f"{_part(lab.platform, 'http://')}, {lab.profile} profile{keys}"))
    elif lab.openwhisk == "none" and lab.ray is not None:
        lines.append(_row("platform", "none: for an OpenWhisk elsewhere"))
    if lab.overrides:
        lines.append(_row("knobs", shown(lab.overrides)))
    lines.extend(_row("incident", each) for each in lab.incidents)
    if lab.ray is not None:
        lines.append(_row("Ray", _part(lab.ray, "")))
    if lab.cores is not None:
        lines.append(_row("cores", _cores(lab.cores)))
    if lab.wskprops:
        lines.append(_row("key", lab.wskprops))
    lines.extend(_row("logs", path) for path in lab.logs)
    if lab.condition == "damaged":
        option = f" --lab {lab.name}"
        lines.append(f"  owray down{option} removes it, owray up local{option} mends it")
    return "\n".join(lines)


def _row(name: str, value: str) -> str:
    return f"  {name:<10}{value}"


def _part(part: PartStatus, scheme: str) -> str:
    if not part.alive:
        return f"dead ({part.processes} processes left)" if part.pids else "never started"
    pids = ", ".join(map(str, part.pids))
    return f"{scheme}{part.address} {part.trouble or 'answers'}; pid {pids}; {part.processes} processes, {part.memory_mb:.0f} MB"


def _cores(cores: Cores) -> str:
    groups = (("invokers", cores.invokers), ("front", cores.front), ("containers", cores.containers), ("Ray", cores.ray))
    return ", ".join(f"{name} {' '.join(map(str, numbers))}" for name, numbers in groups if numbers)
