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
  | [^;'"$/-]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> tuple[list[str], str]:
    """The whole statements of a text, without their semicolons, and what is left behind the last one.

    Comments before a statement are left out, and so is what is nothing but comments: typed line by line it is the same as at once.
    """
    whole: list[str] = []
    start: int | None = None
    for piece in _PIECES.finditer(text):
        if piece["open"]:  # a quote or a comment that is not closed yet takes all that follows
            start = piece.start() if start is None else start
            break
        if piece["end"]:
            if start is not None:
                whole.append(text[start : piece.start()].strip())
            start = None
        elif start is None and not piece["comment"] and not piece[0].isspace():
            start = piece.start()
    return whole, text[start:].lstrip() if start is not None else ""
