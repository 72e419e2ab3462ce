"""What owray looks like on a terminal: makes docs/screens.md anew, on labs of its own.

Each command is run on a pseudo-terminal of 80 columns; what it sends is written to a screen as a terminal would, and the screen is then
read off. Numbers differ from one time to the next, and from one machine to another.

    python -m benchmarks.screens [--output docs/screens.md]
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "cli.py"
COLUMNS, ROWS = 80, 24

STORM = "owray storm --rps 40 --duration 12s --workload genomics"
HOPELESS = "owray storm --rps 100 --action sleep --size large"
STANDALONE_LAB = "owray up local --profile standalone"
QUESTION = "owray query concurrency --param bucket_s=2"
MID_STORM = re.compile(r"\b[67] of 12 s,")

_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|\x07")
_UNFINISHED = re.compile(r"\x1b(\[[0-9;?]*)?\Z")


class Screen:
    """The little of a terminal that the live view needs: lines that wrap, moves of the cursor, a line or its rest cleared.

    Lines that a real terminal would have scrolled away are kept.
    """

    def __init__(self, columns: int = COLUMNS) -> None:
        self._columns = columns
        self._lines: list[str] = [""]
        self._row = self._column = 0
        self._unread = ""

    def write(self, text: str) -> None:
        """Takes any piece of what was sent; raises ValueError for a sequence that is not known here, rather than show it wrongly."""
        text, end = self._unread + text, 0
        cut = _UNFINISHED.search(text)
        text, self._unread = (text[: cut.start()], cut[0]) if cut else (text, "")
        for control in _CONTROL.finditer(text):
            self._put(text[end : control.start()])
            self._obey(control)
            end = control.end()
        self._put(text[end:])

    def text(self) -> str:
        """What is to be seen, without blanks at the ends of lines and of the whole."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip()

    def _put(self, text: str) -> None:
        for character in text:
            if self._column == self._columns:
                self._go(self._row + 1, 0)
            line = self._lines[self._row].ljust(self._column)
            self._lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _obey(self, control: re.Match[str]) -> None:
        numbers, letter = control[1], control[2]
        match letter:
            case None if control[0] == "\r":
                self._column = 0
            case None if control[0] == "\n":
                self._go(self._row + 1, self._column)
            case "A":
                self._go(max(self._row - int(numbers or 1), 0), self._column)
            case "K":
                self._lines[self._row] = "" if numbers == "2" else self._lines[self._row][: self._column]
            case None | "m" | "h" | "l":  # the bell, styles, and the cursor shown or hidden
                pass
            case _:
                raise ValueError(f"a sequence that this screen does not know: {control[0]!r}")

    def _go(self, row: int, column: int) -> None:
        self._row, self._column = row, column
        self._lines += [""] * (row + 1 - len(self._lines))


@dataclass(frozen=True, slots=True)
class Seen:
    """One command on the terminal: the screen at its end, and the first one on the way that was worth keeping ("" where none was)."""

    end: str
    kept: str
    exit_code: int


def on_screen(command: Sequence[str], environment: dict[str, str], is_worth: Callable[[str], bool] = lambda text: False) -> Seen:
    """Runs it to its end; a screen is looked at after every piece that comes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT)
    os.close(theirs)
    screen, decoder, kept = Screen(), codecs.getincrementaldecoder("utf-8")(), ""
    with suppress(OSError):  # how a terminal ends whose last user has gone
        while some := os.read(ours, 65_536):
            screen.write(decoder.decode(some))
            if not kept and is_worth(screen.text()):
                kept = screen.text()
    os.close(ours)
    return Seen(screen.text(), kept, process.wait())


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes docs/screens.md anew.")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "screens.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        asked.output.write_text(_page(home), encoding="utf-8")
    return 0


def _page(home: str) -> str:
    """Plays it all, on two labs, one after the other."""
    user = {name: value for name, value in os.environ.items() if not name.startswith(("WHISK_", "NO_COLOR", "FORCE_COLOR"))}
    environment = user | {"OWRAY_HOME": home, "WSK_CONFIG_FILE": "", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}

    def run(line: str, exit_code: int = 0, is_worth: Callable[[str], bool] = lambda text: False) -> Seen:
        seen = on_screen([sys.executable, str(CLI), *shlex.split(line)[1:]], environment, is_worth)
        if seen.exit_code != exit_code:
            raise SystemExit(f"{line}\nended with {seen.exit_code} instead of {exit_code}:\n{seen.end}")
        return seen

    try:
        run("owray up local")
        storm = run(STORM, is_worth=_is_mid_storm)
        question = run(QUESTION)
        run("owray down")
        run(STANDALONE_LAB)
        refused = run(HOPELESS, exit_code=1)
    finally:
        subprocess.run([sys.executable, CLI, "down"], env=environment, stderr=subprocess.DEVNULL, check=False)
    if not storm.kept:
        raise SystemExit(f"the live view was not seen in its midst:\n{storm.end}")
    summary = storm.end[storm.end.index("\n\n") + 2 :]
    return _PAGE.format(
        command=STORM,
        live=storm.kept,
        summary=summary,
        lab=STANDALONE_LAB,
        hopeless=HOPELESS,
        refused=refused.end,
        question=QUESTION,
        answer=question.end.strip("\n"),
        columns=COLUMNS,
    )


def _is_mid_storm(text: str) -> bool:
    """The whole panel is drawn: its last line has the outcomes."""
    return bool(MID_STORM.search(text)) and text.endswith(" ok")


_PAGE = """# Screens

Captured from a terminal of {columns} columns by `python -m benchmarks.screens`, which makes this page; the colours are left out.

## The live view

In the midst of `{command}`. The last lines are drawn over and over in their place, on the error
stream, and are gone at the end; where there is no terminal a line comes every five seconds instead.

```text
{live}
```

## The summary

The end of the same storm.

```text
{summary}
```

## A preflight that refuses

`{hopeless}` on a lab made with `{lab}`. Exit code 1, and no run.
What the lines mean: [preflight.md](preflight.md).

```text
{refused}
```

## A query

`{question}`, asked of the storm above. Others: [answers.md](answers.md).

```text
{answer}
```
"""

if __name__ == "__main__":
    sys.exit(main())
