"""Questions with a name: the .sql files of `queries/`.

A file begins with a comment: its name and question, what to beware of, and its parameters, one a line, with a default and what else it may
be. The SQL uses them as $name:

    -- cold_starts: what did a cold start cost, by action and size?
    --
    -- min_calls   leave out actions with fewer cold or warm calls than this (default 10, whole number from 1 to 1000000)

Allowed is a `number from LEAST to MOST`, a `whole number from LEAST to MOST`, `either WORD or WORD`, or `any text`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources

from owray.problems import Problem

_TITLE = re.compile(r"--\s*\w+:\s*(?P<question>.+)")
_PARAMETER = re.compile(r"--\s+(?P<name>\w+)\s{2,}(?P<meaning>.+?)\s+\(default (?P<default>[^,)]+), (?P<allowed>[^)]+)\)\s*$")
_NUMBERS = re.compile(r"(?P<whole>whole )?number from (?P<least>[\d.]+) to (?P<most>[\d.]+)")

Value = int | float | str


class UnknownQuery(Problem):
    """No query, or no parameter of a query, bears that name."""


class WrongValue(Problem):
    """A value that a query's parameter cannot have."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers between two, which are among them."""

    whole: bool
    least: float
    most: float

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.least:,.6g} to {self.most:,.7g}"

    def read(self, text: str) -> Value | None:
        """None for a text that is not among them. What looks whole stays whole: so do columns that are made of it."""
        for kind in (int,) if self.whole else (int, float):
            with suppress(ValueError):
                value = kind(text)
                return value if self.least <= value <= self.most else None
        return None


@dataclass(frozen=True, slots=True)
class Words:
    """Some words, or any text where there are none."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(self.words) or "any text"

    def read(self, text: str) -> Value | None:
        return text if text in self.words or not self.words else None


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a query can be told."""

    name: str
    meaning: str
    default: str
    allowed: Numbers | Words

    def read(self, text: str) -> Value:
        """A value as it was typed. Raises WrongValue."""
        value = self.allowed.read(text)
        if value is None:
            raise WrongValue(f"{self.name} is {self.allowed}, not {text!r}")
        return value


@dataclass(frozen=True, slots=True)
class Query:
    """A question with a name."""

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    sql: str

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """Values for all parameters: as given, or by default.

        Raises UnknownQuery for a name that the query does not know, WrongValue for a value that is not allowed.
        """
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                which = f"It knows {', '.join(known)}" if known else "It has none"
                close = difflib.get_close_matches(name, known, n=1)
                meant = f"Did you mean {close[0]!r}? " if close else ""
                raise UnknownQuery(f"the query {self.name!r} has no parameter {name!r}. {meant}{which}")
        return {each.name: each.read(given.get(each.name, each.default)) for each in self.parameters}


def queries() -> dict[str, Query]:
    """All queries by name, in order of their names."""
    files = [file for file in resources.files("queries").iterdir() if file.name.endswith(".sql")]
    parsed = (parse(file.name.removesuffix(".sql"), file.read_text()) for file in files)
    return {query.name: query for query in sorted(parsed, key=lambda query: query.name)}


def find_query(name: str) -> Query:
    """Raises UnknownQuery, with the name that may have been meant."""
    known = queries()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownQuery(f"no query named {name!r}.{meant}  (owray query lists them)")
    return known[name]


def parse(name: str, text: str) -> Query:
    """Read a query's file. Raises ValueError where the comment on top does not say what the query answers."""
    header = [line for line in text.splitlines() if line.startswith("--")]
    title = _TITLE.match(header[0]) if header else None
    if title is None:
        raise ValueError(f"{name}.sql does not begin with `-- {name}: question`")
    found = [match for line in header if (match := _PARAMETER.match(line))]
    parameters = tuple(Parameter(match["name"], match["meaning"], match["default"], _allowed(match["allowed"])) for match in found)
    return Query(name, title["question"], parameters, text)


def _allowed(text: str) -> Numbers | Words:
    numbers = _NUMBERS.fullmatch(text)
    if numbers is not None:
        return Numbers(numbers["whole"] is not None, float(numbers["least"]), float(numbers["most"]))
    return Words(() if text == "any text" else tuple(text.removeprefix("either ").split(" or ")))
