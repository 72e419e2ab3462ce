"""What the shell offers when TAB is pressed: names of runs, workloads, actions, queries and sizes.

An option of one name means the same in every command, so completions are attached by that name to the finished command line, and the
modules of the commands know nothing of them. Each is a function that gives names; it is called when TAB is pressed, and imports what it
needs then. One that fails offers nothing: an error in the midst of typing helps nobody.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer.core

from owray.problems import Problem

if TYPE_CHECKING:
    from owray.openwhisk.catalogue import Manifest

Chosen = Mapping[str, Any]
"""What was typed before, by parameter."""

Names = Callable[[Chosen], Iterable[str]]

_MOST_RUNS = 50


def attach(group: typer.core.TyperGroup, more: Mapping[str, Names]) -> None:
    """Give the parameters of all commands their completions; `more` has those of other rooms, by option."""
    by_option = {**_BY_OPTION, **more}
    for command in group.commands.values():
        if isinstance(command, typer.core.TyperGroup):
            attach(command, more)
            continue
        for parameter in command.params:
            if isinstance(parameter, typer.core.TyperArgument):
                names = _BY_ARGUMENT.get((command.name, parameter.name)) or _BY_ARGUMENT.get((None, parameter.name))
            else:
                names = next((by_option[option] for option in parameter.opts if option in by_option), None)
            if names is not None:
                _complete(parameter, names)


def refuse_unknown_shells(group: typer.core.TyperGroup) -> None:
    """Have --install-completion and --show-completion refuse a shell that they do not know as everything else is refused."""
    for option in group.params:
        if option.name in ("install_completion", "show_completion") and option.callback is not None:
            option.callback = functools.partial(_or_refuse, option.callback)


def _or_refuse(callback: Callable[[Any, Any, Any], Any], context: Any, parameter: Any, value: Any) -> Any:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return callback(context, parameter, value)
    except SystemExit:  # how typer ends when it has done it
        typer.echo(said.getvalue(), nl=False)
        raise
    except typer.Exit:
        raise typer.BadParameter(f"{said.getvalue().strip().rstrip('.')}; run it in bash, zsh or fish") from None


def _complete(parameter: Any, names: Names) -> None:
    """As if the parameter had been declared with `autocompletion`: an option that was asks in its place."""

    def offered(context: Any, arguments: list[str], incomplete: str) -> list[str]:
        try:
            return list(names(context.params))
        except (LookupError, OSError, Problem, ValueError):
            return []

    asked = typer.core.TyperOption(param_decls=["--asked"], type_descriptor=parameter.type_descriptor, autocompletion=offered)
    parameter.shell_complete = asked.shell_complete


def _runs(chosen: Chosen) -> Iterator[str]:
    """The newest runs, newest first."""
    from owray.record.run import LATEST, list_runs, runs_folder

    yield LATEST
    yield from (run.run for run in list_runs(runs_folder(chosen.get("runs_dir")))[: -_MOST_RUNS - 1 : -1])


def _runs_or_all(chosen: Chosen) -> Iterator[str]:
    yield from _runs(chosen)
    yield "all"


def _workloads(chosen: Chosen) -> Iterable[str]:
    from owray.openwhisk.catalogue import workloads

    return workloads()


def _actions(chosen: Chosen) -> Iterable[str]:
    from owray.openwhisk.catalogue import catalogue

    return catalogue()


def _sizes(chosen: Chosen) -> Iterable[str]:
    """Sizes of the action or workload that was chosen, or of all actions."""
    return dict.fromkeys(size for action in _chosen_actions(chosen) for size in action.sizes)


def _chosen_actions(chosen: Chosen) -> Iterable[Manifest]:
    from owray.openwhisk.catalogue import catalogue, find, workload

    if chosen.get("action"):
        return [find(chosen["action"])]
    if chosen.get("workload"):
        return workload(chosen["workload"]).actions
    return catalogue().values()


def _queries(chosen: Chosen) -> Iterable[str]:
    from owray.ask.queries import queries

    return queries()


_BY_OPTION: Mapping[str, Names] = {
    "--run": _runs,
    "--workload": _workloads,
    "--action": _actions,
    "--size": _sizes,
}

_BY_ARGUMENT: Mapping[tuple[str | None, str | None], Names] = {
    ("query", "name"): _queries,
    ("recover", "run"): _runs_or_all,
    (None, "run"): _runs,
}
"""By command (None: any) and argument."""
