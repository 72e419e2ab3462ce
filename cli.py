"""The `owray` command: the composition root.

Mounts the commands of both sides, finds the ground that a storm is played on, and hands it over: `owray` and `cluster` do not know each
other. Imports of anything heavy wait until a command needs them, so that `owray --help` is quick.

Exit codes: 0 ok; 1 usage or environment, before any load; 2 an objective was missed; 3 the run is INVALID; 4 ended early; 5 a cloud
refused; 6 something remains that `down` could not remove.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

import cluster.commands.down
import cluster.commands.status
import cluster.commands.up
import owray
import owray.commands.judge
import owray.commands.query
import owray.commands.recover
import owray.commands.runs
import owray.commands.sql
import owray.commands.storm
import owray.commands.workloads

if TYPE_CHECKING:
    from rich.console import Console

    from owray.storm.ground import Ground

USAGE = 1
INTERRUPTED = 4
_CTRL_C_IN_TYPER = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. click would exit with 2 on bad usage, which here means a missed objective."""
    command = typer.main.get_command(build())
    try:
        code = command.main(args=None if arguments is None else list(arguments), prog_name="owray", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"  ({context.command_path} --help)" if context is not None else ""
        print(f"owray: {error.format_message()}{hint}", file=sys.stderr)
        return USAGE
    except typer.Abort:
        print("owray: stopped", file=sys.stderr)
        return INTERRUPTED
    if code == _CTRL_C_IN_TYPER:
        print("owray: stopped", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        help="Shows what an Apache OpenWhisk deployment can carry: planned storms of calls, one row per call, answers in SQL.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_common)
    cluster.commands.up.mount(app)
    cluster.commands.status.mount(app)
    cluster.commands.down.mount(app)
    owray.commands.workloads.mount(app)
    owray.commands.storm.mount(app, _lend_ground)
    owray.commands.sql.mount(app)
    owray.commands.query.mount(app)
    owray.commands.runs.mount(app)
    owray.commands.judge.mount(app)
    owray.commands.recover.mount(app)
    return app


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"owray {owray.__version__}")
        raise typer.Exit


def _common(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version.")] = False,
) -> None:
    """Options before the command."""


@contextmanager
def _lend_ground(name: str | None, console: Console) -> Iterator[Ground]:
    """The named lab, or the local one; where no local one is up, one that is made for the purpose and removed afterwards."""
    from cluster import lab as labs
    from cluster.local import LocalOptions
    from cluster.state import LabError, default_home
    from owray.fleet.cluster import RayCluster
    from owray.openwhisk.target import read_wskprops
    from owray.storm.ground import Ground

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    try:
        home = default_home()
        if name is not None and labs.find(home, name) is None:
            raise LabError(f"no lab named '{name}' is up.  (owray up local --lab {name} makes it)")
        with labs.lend(home, name or labs.DEFAULT_NAME, LocalOptions(), say) as lab:
            yield Ground(
                target=read_wskprops(lab.wskprops),
                cluster=RayCluster(lab.ray_address, lab.ray_environment, lab.invoker_cores),
            )
    except LabError as problem:
        raise typer.TyperException(str(problem)) from problem


if __name__ == "__main__":
    sys.exit(main())
