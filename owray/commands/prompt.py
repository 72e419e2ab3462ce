"""The prompt of `owray sql`: statements are typed at a terminal, or come from a pipe as a script.

A statement ends with a semicolon and may take many lines; a line that begins with a dot is a command to the prompt itself (`.help`).
Ctrl-C drops what has been typed, or ends the query under way; Ctrl-D leaves. What was typed is kept in `sql_history` for the next time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from owray.ask.statements import Statements
from owray.commands.reading import Format, session_over, show
from owray.commands.streams import OutputLost
from owray.problems import Problem, tell

if TYPE_CHECKING:
    from owray.ask.session import Session

HISTORY_FILE = "sql_history"
MOST_HISTORY_LINES = 2_000

_FIRST, _NEXT = "owray> ", "  ...> "
_HELP = """\
.tables         the tables there are to ask
.schema TABLE   the columns of one
.queries        the questions that have a name; .query NAME asks one
.run NAME       ask another run, or several: an id, a tag, 'latest', 'all', or names with commas between
.help           this
.quit           leave (so does Ctrl-D)
Everything else is SQL in DuckDB's dialect; a semicolon ends it. Ctrl-C drops what has been typed."""


class Leave(Exception):
    """Enough."""


class Prompt:
    """To be used in a `with`: it holds a session over the runs that are asked."""

    def __init__(self, run: str, runs_dir: Path | None, style: Format) -> None:
        self._runs_dir = runs_dir
        self._style = style
        self._run = run
        self._open = ExitStack()
        self._session = self._open.enter_context(session_over(run, runs_dir))
        self._commands: dict[str, Callable[[str], None]] = {
            ".tables": self._tables,
            ".schema": self._schema,
            ".queries": self._queries,
            ".query": self._query,
            ".run": self._choose,
            ".help": lambda _: typer.echo(_HELP),
            ".quit": self._leave,
        }

    def __enter__(self) -> Prompt:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def runs(self) -> str:
        """The runs that are asked, in a few words."""
        names = [manifest.run for manifest in self._session.manifests]
        return f"run {names[0]}" if len(names) == 1 else f"{len(names)} runs"

    def answer(self, statement: str) -> None:
        """Answer a statement, or do what a line with a dot says. Raises Problem, OSError and Leave."""
        if statement.startswith("."):
            self._command(statement)
        else:
            show(self._session.table(statement), self._style)

    def _command(self, line: str) -> None:
        from difflib import get_close_matches

        from owray.ask.queries import UnknownQuery

        name, _, argument = line.rstrip(";").strip().partition(" ")
        if name not in self._commands:
            close = get_close_matches(name, self._commands, n=1)
            raise UnknownQuery(f"no command {name!r}.{f' Did you mean {close[0]!r}?' if close else ''}  (.help lists them)")
        self._commands[name](argument.strip())

    def _tables(self, _: str) -> None:
        for name in ("calls", "runs", "hosts", "seconds", "plan"):
            typer.echo(name)

    def _schema(self, table: str) -> None:
        name = (table or "calls").replace('"', '""')
        show(self._session.table(f'describe "{name}"'), self._style)

    def _queries(self, _: str) -> None:
        from owray.ask.queries import queries

        for each in queries().values():
            typer.echo(f"{each.name:<14}{each.question}")

    def _query(self, name: str) -> None:
        from owray.ask.queries import find_query
        from owray.commands.reading import show_named

        asked = find_query(name)
        show_named(self._session, asked, asked.values({}), self._style)

    def _choose(self, name: str) -> None:
        """The session that was is closed only when the new one is there."""
        with ExitStack() as opening:
            session: Session = opening.enter_context(session_over(name or "latest", self._runs_dir))
            self._open.close()
            self._open, self._session = opening.pop_all(), session
        typer.echo(self.runs())

    def _leave(self, _: str) -> None:
        raise Leave


def converse(prompt: Prompt, history: Path) -> None:
    """Ask for lines on a terminal and answer them until the end; an error does not end it."""
    typer.echo(f"{prompt.runs()}; .help tells what there is, Ctrl-D leaves")
    with _history(history), contextlib.suppress(Leave):
        statements = Statements()
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # wherever it comes
                for statement in _typed(statements):
                    try:
                        prompt.answer(statement)
                    except OutputLost:
                        raise
                    except (Problem, OSError) as problem:
                        tell(problem)


def play(prompt: Prompt, script: str) -> None:
    """Answer a script's statements one after the other; the last one needs no semicolon. Raises Problem or OSError at the first that
    fails."""
    with contextlib.suppress(Leave):
        for statement in _script(script):
            prompt.answer(statement)


def _script(text: str) -> Iterator[str]:
    statements = Statements()
    for line in text.splitlines():
        yield from _completed(statements, line)
    if statements.is_waiting:
        yield statements.rest()


def _completed(statements: Statements, line: str) -> list[str]:
    """The statements that another line completes, or the command that it is."""
    return [line] if line.startswith(".") and not statements.is_waiting else statements.add(line)


def _typed(statements: Statements) -> list[str]:
    """The statements that another line from the terminal completes. Ctrl-C drops what is waiting. Raises Leave at the end of input."""
    try:
        line = input(_NEXT if statements.is_waiting else _FIRST)
    except KeyboardInterrupt:
        typer.echo()
        statements.rest()
        return []
    except EOFError:
        typer.echo()
        raise Leave from None
    return _completed(statements, line)


@contextlib.contextmanager
def _history(file: Path) -> Iterator[None]:
    """Lines typed before, for the arrow keys. A Python without readline, or a home that cannot be written, has none."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_history_length(MOST_HISTORY_LINES)
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            readline.write_history_file(file)
        except OSError as problem:
            tell(f"what was typed is not kept: {problem}")
