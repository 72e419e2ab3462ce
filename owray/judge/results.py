"""What became of objectives, given what was measured.

An objective is met or missed; where too few calls were there to tell it is undecided, and what could not be shown was not met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from owray.judge.objectives import Objective
from owray.judge.statistics import LEAST_BEYOND
from owray.record.metrics import COLD, GREATEST, Kind, Measurement, without_zeros

_MOST_PLACES = 15
_WHOLE_PLACES = {Kind.TIME: 2, Kind.SHARE: 2, Kind.RATE: 1, Kind.COUNT: 0}
_UNIT_NAMES = {Kind.TIME: "us", Kind.SHARE: "share", Kind.RATE: "calls/s", Kind.COUNT: "calls"}


class State(StrEnum):
    """What became of an objective."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """An objective and what was found."""

    objective: Objective
    measured: Measurement

    @property
    def state(self) -> State:
        if self.measured.value is None:
            return State.UNDECIDED
        return State.MET if self.objective.holds(self.measured.value) else State.MISSED

    @property
    def found(self) -> str:
        """The value for people: rounded so far only that it stays on its side of the bound; or why there is none."""
        value = self.measured.value
        if value is None:
            return self._too_few()
        if math.isinf(value):
            return "never: too many calls were not ok"
        return self._value_text(value)

    @property
    def sentence(self) -> str:
        """Objective, state and value in one sentence."""
        state = "undecided, which is not met" if self.state is State.UNDECIDED else self.state.value
        return f"{self.objective} is {state}: {self.found}."

    def to_json(self) -> dict[str, Any]:
        """For JSON, which has no number for a value that is infinite: it is the text "inf"."""
        value = self.measured.value
        return {
            "objective": str(self.objective),
            "state": self.state.value,
            "value": "inf" if value is not None and math.isinf(value) else value,
            "bound": self.objective.bound,
            "unit": _UNIT_NAMES[self.objective.metric.kind],
            "calls": self.measured.calls,
            "sentence": self.sentence,
        }

    def _too_few(self) -> str:
        metric, calls = self.objective.metric, self.measured.calls
        were = f"there {'was' if calls == 1 else 'were'} {calls:,}" if calls else "there was none"
        if metric.percentile is not None and metric.percentile != GREATEST:
            return f"it takes {self.objective.samples_needed:,} calls to have {LEAST_BEYOND} beyond {metric}, and {were}"
        return f"it takes a call to tell {metric} from, and {were}"

    def _value_text(self, value: float) -> str:
        kind = self.objective.metric.kind
        scale = {Kind.TIME: Decimal("0.001"), Kind.SHARE: Decimal(100)}.get(kind, Decimal(1))
        exact, bound = Decimal(repr(value)) * scale, Decimal(repr(self.objective.bound)) * scale
        shown = _rounded(exact, bound, _WHOLE_PLACES[kind])
        if kind is Kind.TIME:
            return f"{shown} ms"
        if kind is Kind.SHARE:
            of = "starts" if self.objective.metric.name == COLD else "calls"
            return f"{shown} % ({self.measured.part or 0:,} of {self.measured.calls:,} {of})"
        return f"{shown} a second" if kind is Kind.RATE else f"{shown} calls"


def judge_objectives(objectives: Iterable[Objective], measured: Iterable[Measurement]) -> tuple[ObjectiveResult, ...]:
    """Hold each objective against its measurement; both come in the same order."""
    return tuple(ObjectiveResult(objective, measurement) for objective, measurement in zip(objectives, measured, strict=True))


def all_met(results: Iterable[ObjectiveResult]) -> bool:
    """Whether nothing was missed or left undecided; true where nothing was asked for."""
    return all(result.state is State.MET for result in results)


def _rounded(value: Decimal, bound: Decimal, places: int) -> str:
    """With so many places, or with more where it would else seem to lie on another side of the bound."""
    while places < _MOST_PLACES:
        shown = round(value, places)
        if shown.compare(bound) == value.compare(bound):
            break
        places += 1
    return without_zeros(f"{round(value, places):,f}")
