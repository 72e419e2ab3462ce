"""Rules about the figures of a storm: `p99<500ms`, `ok>99.9%`, `align:cold<1%`, `error>20%/10s`.

    rule     = [ACTION:] metric operator bound [/ window]
    metric   = pNN | max | TIME.pNN | TIME.max | TIME | SHARE | rps | sent | in-flight
    operator = < | <= | > | >=
    bound    = NUMBER us, ms, s, m (times) | NUMBER% (shares) | NUMBER[/s] (rps, sent) | NUMBER (in-flight)
    window   = NUMBER us, ms, s, m

A percentile without a time is one of the response; a time without a percentile means its greatest value. Names are those of
owray.record.metrics. An objective is such a rule, to hold over a whole storm, and has no window. A rule that is watched while the storm is
played has the same words, and may have one.

Nothing here knows how a metric is measured.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NoReturn, cast

from owray.judge.statistics import LEAST_BEYOND, is_shown
from owray.record.metrics import GREATEST, IN_FLIGHT, RATES, RESPONSE, SHARES, TIMES, Kind, Metric, decimal_text, percent_text

Operator = Literal["<", "<=", ">", ">="]

MOST_BOUND = 1e12
"""Eleven days in microseconds, and more calls than a run may have."""

_HOLDS: dict[Operator, Callable[[float, float], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}
_KINDS = {**dict.fromkeys(SHARES, Kind.SHARE), **dict.fromkeys(RATES, Kind.RATE), IN_FLIGHT: Kind.COUNT}
_POSSIBLE = f"p50, p99, p99.9 or max of the response, {', '.join(f'{name}.p99' for name in TIMES[1:])}, a share such as ok, error or cold"
_UNITS = {
    Kind.TIME: "a time needs a unit: us, ms, s or m, as in {}ms",
    Kind.SHARE: "a share is in per cent, as in {}%",
    Kind.RATE: "a rate is in calls a second, as in {}/s",
    Kind.COUNT: "this is a number of calls, without a unit, as in {}",
}

_OPERATOR = re.compile(r"[<>]=?")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)")
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*")
_UNIT = re.compile(r"/s\b|%|[a-z]*", re.IGNORECASE)
_WINDOW = re.compile(r"\s*/\s*")


class ObjectiveError(ValueError):
    """A text that is no rule. It names the column, counted from 1, and what is possible there."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A rule that has been understood. Its text is `str(objective)`, the same for all ways to write it.

    `bound` is in the unit of the metric: microseconds, a share from 0 to 1, calls a second, or calls.
    """

    metric: Metric
    operator: Operator
    bound: float
    window_us: float | None = None

    def __str__(self) -> str:
        window = "" if self.window_us is None else f"/{_time_text(self.window_us)}"
        return f"{self.metric}{self.operator}{bound_text(self.metric.kind, self.bound)}{window}"

    def holds(self, value: float) -> bool:
        """Whether a value of the metric is on the right side of the bound."""
        return _HOLDS[self.operator](value, self.bound)

    @property
    def samples_needed(self) -> int:
        """Calls without which it cannot be decided: a percentile wants ten beyond it. Everything else can be told of one call."""
        share = self.metric.percentile
        if share is None or share == GREATEST:
            return 1
        count = max(1, int(LEAST_BEYOND / (1 - share)) - 2)
        while not is_shown(count, share):
            count += 1
        return count


def parse(text: str, *, windows: bool = False) -> Objective:
    """Read a rule; `windows` says whether it may have one. Raises ObjectiveError."""
    return _Reader(text).rule(windows)


def bound_text(kind: Kind, bound: float) -> str:
    """A bound as it is written in a rule."""
    if kind is Kind.TIME:
        return _time_text(bound)
    if kind is Kind.SHARE:
        return f"{percent_text(bound)}%"
    number = decimal_text(Decimal(repr(bound)))
    return f"{number}/s" if kind is Kind.RATE else number


def time_unit(time_us: float) -> tuple[str, int]:
    """The unit in which a time is written, and its microseconds: the largest of which the time is one at least; minutes only where they
    come out even."""
    exact = Decimal(repr(time_us))
    even = exact and not exact % _US["m"]
    unit = "m" if even else next((unit for unit in ("s", "ms") if exact >= _US[unit]), "us")
    return unit, _US[unit]


def _time_text(time_us: float) -> str:
    unit, unit_us = time_unit(time_us)
    return f"{decimal_text(Decimal(repr(time_us)) / unit_us)}{unit}"


class _Reader:
    """Reads one text from left to right, and knows where it is when something is wrong."""

    def __init__(self, text: str) -> None:
        self._text = text

    def rule(self, windows: bool) -> Objective:
        found = _OPERATOR.search(self._text)
        if found is None:
            equals = self._text.find("=")
            place = equals if equals >= 0 else len(self._text)
            self._fail(place, "here goes <, <=, > or >=, and then a bound, as in p99<500ms")
        metric = self._metric(found.start())
        sign = cast("Operator", found[0])
        bound, place = self._bound(metric.kind, found.end())
        self._check_possible(metric.kind, sign, bound, found.end())
        return Objective(metric, sign, bound, self._window(place, windows))

    def _metric(self, end: int) -> Metric:
        head, colon, named = self._text[:end].rpartition(":")
        action = head.strip() if colon else None
        if action == "":
            self._fail(0, "before a colon goes the name of an action, as in align:p99<2s")
        place = end - len(named.lstrip())
        name = named.strip().lower()
        if name in _KINDS:
            return Metric(_KINDS[name], name, action=action)
        time, dot, last = name.partition(".")
        if time not in TIMES:
            time, last, dot = RESPONSE, name, "."
        share = self._share(last, place) if dot else GREATEST
        if share is None:
            self._fail(place, _unknown(name))
        return Metric(Kind.TIME, time, share, action)

    def _share(self, name: str, place: int) -> float | None:
        if name == "max":
            return GREATEST
        match = _PERCENTILE.fullmatch(name)
        if match is None:
            return None
        share = float(Decimal(match[1]) / 100)
        if share == 0:
            self._fail(place, "a percentile lies above 0 and below 100, as in p99 or p99.9")
        return share

    def _bound(self, kind: Kind, place: int) -> tuple[float, int]:
        """The bound, and where it ends."""
        number, unit_at = self._number(place, "here goes a bound, a number with its unit")
        unit = _UNIT.match(self._text, unit_at)
        word, end = (unit[0].lower(), unit.end()) if unit else ("", unit_at)
        factors: dict[Kind, dict[str, Decimal]] = {
            Kind.TIME: {name: Decimal(us) for name, us in _US.items()},
            Kind.SHARE: {"%": Decimal("0.01")},
            Kind.RATE: {"": Decimal(1), "/s": Decimal(1)},
            Kind.COUNT: {"": Decimal(1)},
        }
        factor = factors[kind].get(word)
        if factor is None:
            self._fail(unit_at, _UNITS[kind].format(decimal_text(number)))
        if number * factor > MOST_BOUND:
            self._fail(place, "no storm goes so far")
        return float(number * factor), end

    def _window(self, place: int, allowed: bool) -> float | None:
        slash = _WINDOW.match(self._text, place)
        if slash is None:
            if self._text[place:].strip():
                self._fail(place, f"nothing is expected after the bound{', but /WINDOW' if allowed else ''}")
            return None
        if not allowed:
            self._fail(slash.start(), "an objective is judged on the whole storm and has no window")
        window_us, end = self._bound(Kind.TIME, slash.end())
        if not window_us:
            self._fail(slash.end(), "a window is above zero")
        if self._text[end:].strip():
            self._fail(end, "nothing is expected after the window")
        return window_us

    def _number(self, place: int, wanted: str) -> tuple[Decimal, int]:
        match = _NUMBER.match(self._text, place)
        if match is None:
            self._fail(place, wanted)
        return Decimal(match[1]), match.end()

    def _check_possible(self, kind: Kind, sign: Operator, bound: float, place: int) -> None:
        if kind is Kind.SHARE and bound > 1:
            self._fail(place, "a share is at most 100%")
        if kind is Kind.SHARE and sign == ">" and bound == 1:
            self._fail(place, "no share is above 100%; >=100% asks for all")
        if sign == "<" and bound == 0:
            self._fail(place, "nothing is below zero; <=0 asks for none")

    def _fail(self, place: int, problem: str) -> NoReturn:
        raise ObjectiveError(f"cannot read {self._text!r}, column {place + 1}: {problem}")


def _unknown(name: str) -> str:
    known = [*_KINDS, "p50", "p90", "p95", "p99", "p99.9", "max", *(f"{time}.{last}" for time in TIMES for last in ("p99", "max"))]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"no metric named {name!r}.{meant}  (there are {_POSSIBLE}, rps, sent and in-flight)"
