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

from owray.judge.objectives import Objective, time_unit
from owray.judge.statistics import LEAST_BEYOND
from owray.record.metrics import COLD, GREATEST, Kind, Measurement
from owray.texts import on_its_side, places

_PLACES = {Kind.SHARE: 2, Kind.RATE: 1, Kind.COUNT: 0}
_TIME_PLACES = {"us": 0, "ms": 2, "s": 5, "m": 5}
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
        """The value for people, in the unit of the bound: rounded so far only that it stays on its side of it; or why there is none."""
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
        exact, bound = Decimal(repr(value)), Decimal(repr(self.objective.bound))
        if kind is Kind.TIME:
            unit, unit_us = time_unit(self.objective.bound)
            exact, bound = exact / unit_us, bound / unit_us
            return f"{on_its_side(exact, bound, places(exact, _TIME_PLACES[unit]))} {unit}"
        scale = 100 if kind is Kind.SHARE else 1
        shown = on_its_side(exact * scale, bound * scale, _PLACES[kind])
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
