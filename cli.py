"""The `owray` command: the composition root.

Mounts the commands of both sides, finds the ground that a storm is played on, and hands it over: `owray` and `cluster` do not know each
other. Imports of anything heavy wait until a command needs them, so that `owray --help` is quick.

Exit codes: 0 ok; 1 usage or environment, before any load; 2 an objective was missed; 3 the run is INVALID; 4 ended early; 5 a cloud
refused; 6 something remains that `down` could not remove.
"""

from __future__ import annotations

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
from owray.commands.streams import standard_streams
from owray.problems import Problem, tell

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
    """Run one command; returns its exit code. What keeps it from its end is told here and nowhere else, in one line."""
    with standard_streams():
        try:
            return _run(arguments)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            hint = f"  ({context.command_path} --help)" if context is not None else ""
            tell(f"{error.format_message().replace(_PYDANTIC, '')}{hint}")
            return USAGE
        except typer.Abort:
            tell("stopped")
            return INTERRUPTED
        except (Problem, OSError) as problem:
            tell(problem)
            return problem.exit_code if isinstance(problem, Problem) else USAGE


def _run(arguments: Sequence[str] | None) -> int:
    """click would exit with 2 on bad usage, which here means a missed objective. Raises TyperException, Abort, Problem and OSError."""
    code = _command_line().main(args=None if arguments is None else list(arguments), prog_name="owray", standalone_mode=False)
    sys.stdout.flush()  # or what cannot be written would show when nobody is there to tell it
    if code == _CTRL_C_IN_TYPER:
        raise typer.Abort
    return code if isinstance(code, int) else 0


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
    from cluster.state import default_home
    from owray.health.finding import Finding, Level

    def translated(check: health.Check) -> Check:
        def told() -> Iterator[Finding]:
            yield from (Finding(one.check, Level(one.level), one.found, one.meaning, one.cure, one.figures) for one in check())

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
    from cluster.state import default_home
    from owray.fleet.cluster import RayCluster
    from owray.storm.ground import Ground

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    with grounds.lend(default_home(), asked, say) as lent:
        lab = lent.lab
        yield Ground(target=lent.target, cluster=RayCluster(lab.ray_address, lab.ray_environment, lab.invoker_cores))


def _find_target(asked: Asked) -> Choice:
    """The target of a command that only asks it something."""
    from cluster import grounds
    from cluster.state import default_home

    return grounds.target(default_home(), asked)


if __name__ == "__main__":
    sys.exit(main())
