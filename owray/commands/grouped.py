"""Options in groups: a command takes a dataclass where typer wants a parameter for each.

    @dataclass(frozen=True)
    class Targeting:
        lab: Annotated[str | None, typer.Option(help="...")] = None

    @grouped
    def storm(targeting: Targeting, as_json: JsonOption = False) -> None: ...

The command line has `--lab` and `--json`. Several commands can have the same group, and a group can say what it means for the rest of the
program.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of its groups as parameters of its own, in their order."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Any]] = {
        name: each.annotation
        for name, each in signature.parameters.items()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }
    flat: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        flat += _parameters_of(groups[name]) if name in groups else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]

    def taken(**given: Any) -> None:
        made = {name: group(**{each.name: given.pop(each.name) for each in fields(group)}) for name, group in groups.items()}
        command(**made, **given)

    taken.__doc__ = command.__doc__
    taken.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]  # where inspect.signature looks
    return taken


def _parameters_of(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(group)
    ]
