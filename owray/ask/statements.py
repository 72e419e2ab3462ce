"""SQL as it is typed: where one statement ends and the next begins.

A semicolon ends a statement unless it stands in a text, a name in quotes, or a comment. Whether the statement is right is DuckDB's to say.
"""

from __future__ import annotations

import re

_PIECES = re.compile(
    r"""
    (?P<end>;)
  | '(?:[^']|'')*'
  | "(?:[^"]|"")*"
  | \$\$.*?\$\$
  | (?P<comment>--[^\n]*(?:\n|\Z) | /\*.*?\*/)
  | (?P<open>'|"|\$\$|/\*)
  | .
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> tuple[list[str], str]:
    """The whole statements of a text, without their semicolons, and what is left behind the last one.

    Empty statements, and those that are comments only, are left out; so is a rest of that kind. Otherwise whole + rest is the text.
    """
    whole: list[str] = []
    start, says_something = 0, False
    for piece in _PIECES.finditer(text):
        if piece["open"]:  # a quote or a comment that is not closed yet takes all that follows
            says_something = True
            break
        if piece["end"]:
            if says_something:
                whole.append(text[start : piece.start()].strip())
            start, says_something = piece.end(), False
        elif not piece["comment"] and not piece[0].isspace():
            says_something = True
    return whole, text[start:].lstrip() if says_something else ""
