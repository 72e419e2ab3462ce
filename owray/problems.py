"""What went wrong, and how people are told: one line on the error stream that names cause and cure.

Code that meets something that the user can mend raises a `Problem`, whichever room it is in. Nobody catches one only to print it:
`cli.main` does, and ends with its exit code. What goes on all the same (a prompt, a list of runs) calls `tell`.
"""

from __future__ import annotations

import sys
from typing import ClassVar


class Problem(Exception):
    """Something that the user can mend; the text names cause and cure: "no run named 'nope'.  (owray runs lists them)"."""

    exit_code: ClassVar[int] = 1
    """What `owray` ends with; docs/design.md, decision 13."""


def tell(problem: Problem | OSError | str) -> None:
    """Say it on the error stream, as all of owray says it."""
    print(f"owray: {visible(cause(problem))}", file=sys.stderr, flush=True)


def cause(problem: Problem | OSError | str) -> str:
    """What a problem is called in one line."""
    if isinstance(problem, OSError) and problem.filename:
        return f"cannot use {problem.filename}: {problem.strerror}"
    return str(problem) or type(problem).__name__


def visible(text: str) -> str:
    """A function's error or a server's reply may hold what would move the cursor or change colours: that is shown as it is written."""
    return text if text.isprintable() else "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in text)
