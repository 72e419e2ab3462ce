"""`owray workloads`: what there is to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from owray.commands.calling import ActionsDir
from owray.commands.machine_output import JsonOption, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from owray.openwhisk.catalogue import Manifest, Workload

JSON_VERSION = 1


def mount(app: typer.Typer) -> None:
    app.command("workloads")(workloads)


def workloads(actions_dir: ActionsDir = None, as_json: JsonOption = False) -> None:
    """List the workloads, their actions, and the sizes of each."""
    from owray.openwhisk import catalogue

    known = catalogue.workloads(actions_dir)
    if as_json:
        print_json(JSON_VERSION, {"workloads": [_as_data(workload) for workload in known.values()]})
    else:
        typer.echo("\n".join(_as_lines(known)))


def _as_data(workload: Workload) -> dict[str, Any]:
    return {"workload": workload.name, "actions": [_action_data(action) for action in workload.actions]}


def _action_data(action: Manifest) -> dict[str, Any]:
    return {
        "action": action.name,
        "description": action.description,
        "kind": action.kind,
        "weight": action.weight,
        "memory_mb": action.memory_mb,
        "timeout_ms": action.timeout_ms,
        "default_size": action.default_size,
        "sizes": {size: dict(parameters) for size, parameters in action.sizes.items()},
        "checked_seeds": {size: sorted(seeds) for size, seeds in action.expected.items()},
    }


def _as_lines(known: Mapping[str, Workload]) -> Iterator[str]:
    width = max(len(action.name) for workload in known.values() for action in workload.actions)
    for workload in known.values():
        yield workload.name
        shares = sum(action.weight for action in workload.actions)
        for action in workload.actions:
            share = f", {100 * action.weight / shares:.0f} % of the calls" if len(workload.actions) > 1 else ""
            yield f"  {action.name:<{width}}  {action.description}"
            yield f"  {'':<{width}}  {action.kind}, {action.memory_mb} MB{share}"
            for size, parameters in action.sizes.items():
                values = "  ".join(f"{name} = {value:,}" for name, value in parameters.items())
                yield f"  {'':<{width}}    {size:<8}{values}".rstrip()
    yield ""
    yield "owray storm --workload NAME plays all actions of a workload, --action NAME one; --size chooses (small by default)."
