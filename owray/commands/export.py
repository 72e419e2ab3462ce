"""`owray export`: the rows of runs as one file, for other tools.

The file is written beside its place and takes its name when it is whole and on disk: who waits for the name never reads half a file.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from owray.commands.reading import RUN_HELP, ForceOption, RunsDirOption, refuse_to_replace, session_over, written_whole
from owray.texts import size

if TYPE_CHECKING:
    from owray.ask.session import Session

QUIET_S = 2.0
"""An export that is done by then says nothing of its progress."""

_SUFFIXES = (".parquet", ".csv")


def mount(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    output: Annotated[Path, typer.Option("--output", help="The file: its name ends in .parquet or .csv.", metavar="FILE")],
    named: Annotated[str | None, typer.Argument(help=f"{RUN_HELP} The latest without it.", metavar="[RUN]")] = None,
    run: Annotated[str | None, typer.Option("--run", help="The same as the argument.", metavar="RUN")] = None,
    runs_dir: RunsDirOption = None,
    force: ForceOption = False,
) -> None:
    """Write all calls of one or more runs into one Parquet or CSV file, with the columns of the view `calls`."""
    if named and run:
        raise typer.BadParameter("name the runs once: as an argument or with --run")
    if output.suffix not in _SUFFIXES:
        raise typer.BadParameter(f"what to write is known by the end of the name, {' or '.join(_SUFFIXES)}: not {output.name!r}")
    refuse_to_replace(output, force=force)
    with session_over(named or run or "latest", runs_dir) as session:
        rows = write(session, output)
        typer.echo(f"{rows:,} calls in {output} ({size(output.stat().st_size)})")


def write(session: Session, output: Path) -> int:
    """All calls of the session; how many. Raises QueryError and OSError; then nothing is left, and a file that was there is untouched."""
    with written_whole(output) as place, _progress(session, output.name):
        return session.copy_calls(place, as_csv=output.suffix == ".csv")


@contextmanager
def _progress(session: Session, name: str) -> Iterator[None]:
    """After a while, and on a terminal only, a line that says how far it is, once a second, and that is gone at the end."""
    ended = threading.Event()

    def tell() -> None:
        pause = QUIET_S
        while not ended.wait(pause):
            sys.stderr.write(f"\r{name}: {max(0.0, session.progress()):4.0%}")
            sys.stderr.flush()
            pause = 1.0

    teller = threading.Thread(target=tell, daemon=True)
    if sys.stderr.isatty():
        teller.start()
    try:
        yield
    finally:
        ended.set()
        if teller.ident is not None:
            teller.join()
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
