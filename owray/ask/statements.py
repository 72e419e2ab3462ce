"""SQL as it is typed: where one statement ends and the next begins.

A semicolon ends a statement unless it stands in a text, a name in quotes, or a comment. Whether the statement is right is DuckDB's to say.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"""(?P<end>;)|(?P<remark>--.*)|(?P<open>'|"|\$\$|/\*)|[^;'"$/-]+|.""")
_CLOSED_BY = {"'": "'", '"': '"', "$$": "$$", "/*": "*/"}


class Statements:
    """Takes lines and gives the statements that they complete, without their semicolons.

    Comments before a statement are left out, and so is what is nothing but comments. Each line is looked at once, however long its
    statement becomes. A quote within quotes ('it''s') is taken for two texts side by side, which end in the same place.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._open = ""  # what began the quote or comment that is not closed yet
        self._has_begun = False

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for its end."""
        return self._has_begun or bool(self._open)

    def add(self, line: str) -> list[str]:
        """The statements that end in another line."""
        whole = []
        place = 0
        while place < len(line):
            end = self._inside(line, place) if self._open else self._outside(line, place)
            if end is None:
                whole.append(self.rest())
                end = place + 1
            place = end
        if self.is_waiting:
            self._text.append("\n")
        return whole

    def rest(self) -> str:
        """What waits for its end, which is then forgotten."""
        text = "".join(self._text).strip()
        self._text, self._open, self._has_begun = [], "", False
        return text

    def _inside(self, line: str, place: int) -> int:
        """Take what belongs to the open quote or comment; where that ends."""
        closing = _CLOSED_BY[self._open]
        found = line.find(closing, place)
        end = len(line) if found < 0 else found + len(closing)
        self._text.append(line[place:end])
        if found >= 0:
            self._open = ""
            if not self._has_begun:
                self._text = []
        return end

    def _outside(self, line: str, place: int) -> int | None:
        """Take the next piece; where it ends, and None where it is the semicolon that ends a statement."""
        piece = _PIECE.match(line, place)
        if piece is None:
            raise ValueError(f"a line has no end of line in it, and this one has: {line!r}")
        if piece["end"]:
            return None if self._has_begun else piece.end()
        self._open = piece["open"] or ""
        is_remark = piece["remark"] is not None or self._open == "/*"
        self._has_begun |= not is_remark and not piece[0].isspace()
        if self.is_waiting:
            self._text.append(piece[0])
        return piece.end()
