"""The `owray` command: the composition root.

Mounts the commands of both sides, finds the ground that a storm is played on, and hands it over: `owray` and `cluster` do not know each
other. Imports of anything heavy wait until a command needs them, so that `owray --help` is quick.

Exit codes: 0 ok; 1 usage or environment, before any load; 2 an objective was missed; 3 the run is INVALID; 4 ended early; 5 a cloud
refused; 6 something remains that `down` could not remove.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
import typer.core

import cluster.commands.completion
import cluster.commands.down
import cluster.commands.status
import cluster.commands.up
import owray
import owray.commands.completion
import owray.commands.doctor
import owray.commands.export
import owray.commands.judge
import owray.commands.query
import owray.commands.recover
import owray.commands.runs
import owray.commands.sql
import owray.commands.storm
import owray.commands.target
import owray.commands.workloads
from owray.commands.groups import InOrder

if TYPE_CHECKING:
    from rich.console import Console

    from owray.health.finding import Check
    from owray.openwhisk.choice import Asked, Choice
    from owray.storm.ground import Ground

_EPILOG = """Exit codes: 0 ok; 1 usage or environment; 2 an objective was missed; 3 the run is INVALID; 4 ended early; 5 a cloud refused;
6 something remains that down could not remove."""

USAGE = 1
INTERRUPTED = 4
_CTRL_C_IN_TYPER = 130
_PYDANTIC = "Value error, "
"""What typer's reader of values puts before its own words."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. click would exit with 2 on bad usage, which here means a missed objective."""
    _have_streams()
    try:
        command = _command_line()
        code = command.main(args=None if arguments is None else list(arguments), prog_name="owray", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"  ({context.command_path} --help)" if context is not None else ""
        print(f"owray: {error.format_message().replace(_PYDANTIC, '')}{hint}", file=sys.stderr)
        return USAGE
    except typer.Abort:
        print("owray: stopped", file=sys.stderr)
        return INTERRUPTED
    if code == _CTRL_C_IN_TYPER:
        print("owray: stopped", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _have_streams() -> None:
    """Python has None for a standard stream that was closed before it began (`2>&-`); there is nobody to tell, but no reason to fail."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for as long as the process lives


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        help="Shows what an Apache OpenWhisk deployment can carry: planned storms of calls, one row per call, answers in SQL.",
        epilog=_EPILOG,
        cls=InOrder,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_common)
    owray.commands.doctor.mount(app, _cluster_checks)
    cluster.commands.up.mount(app)
    cluster.commands.status.mount(app)
    cluster.commands.down.mount(app, _played)
    owray.commands.workloads.mount(app)
    owray.commands.storm.mount(app, _lend_ground)
    owray.commands.target.mount(app, _find_target)
    owray.commands.sql.mount(app)
    owray.commands.query.mount(app)
    owray.commands.runs.mount(app)
    owray.commands.export.mount(app)
    owray.commands.judge.mount(app)
    owray.commands.recover.mount(app)
    return app


def _command_line() -> typer.core.TyperGroup:
    """The command line with what the shell offers for it."""
    group = typer.main.get_command(build())
    assert isinstance(group, typer.core.TyperGroup)  # noqa: S101 - which several commands make it
    owray.commands.completion.refuse_unknown_shells(group)
    owray.commands.completion.attach(group, cluster.commands.completion.BY_OPTION)
    return group


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"owray {owray.__version__}")
        raise typer.Exit


def _common(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version.")] = False,
) -> None:
    """Options before the command."""


def _cluster_checks() -> Mapping[str, Check]:
    """The checks of labs and what they stand on, in the doctor's form."""
    from cluster import health
    from cluster.state import LabError, default_home
    from owray.health.finding import Finding, Level

    def translated(check: health.Check) -> Check:
        def told() -> Iterator[Finding]:
            try:
                yield from (Finding(one.check, Level(one.level), one.found, one.meaning, one.cure, one.figures) for one in check())
            except LabError as problem:
                raise RuntimeError(str(problem)) from problem

        return told

    return {name: translated(check) for name, check in health.checks(default_home).items()}


def _played(pids: Sequence[int]) -> Sequence[str]:
    """The runs that processes of a lab play."""
    from owray.record.run import runs_played_by

    return runs_played_by(pids)


@contextmanager
def _lend_ground(asked: Asked, console: Console) -> Iterator[Ground]:
    """The target that is asked for, and a lab's Ray to play from: where no lab is up, one is made for the purpose, and removed."""
    from cluster import grounds
    from cluster.state import LabError, default_home
    from owray.fleet.cluster import RayCluster
    from owray.storm.ground import Ground

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    try:
        with grounds.lend(default_home(), asked, say) as lent:
            lab = lent.lab
            yield Ground(target=lent.target, cluster=RayCluster(lab.ray_address, lab.ray_environment, lab.invoker_cores))
    except LabError as problem:
        raise typer.TyperException(str(problem)) from problem


def _find_target(asked: Asked) -> Choice:
    """The target of a command that only asks it something."""
    from cluster import grounds
    from cluster.state import LabError, default_home

    try:
        return grounds.target(default_home(), asked)
    except LabError as problem:
        raise typer.TyperException(str(problem)) from problem


if __name__ == "__main__":
    sys.exit(main())
