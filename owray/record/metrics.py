"""Figures that rules are made of: `owray.judge` reads rules about them, `owray.ask` draws them from the rows.

    times        percentiles and the greatest value of one of TIMES, in microseconds
    shares       calls of one of SHARES among all planned calls (`cold`: among those with an activation record), from 0 to 1
    rates        RATES: calls a second
    in-flight    the most calls under way at once

Among response and service times a call that is not ok counts as infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from owray.record.layout import Outcome
from owray.texts import without_zeros

GREATEST = 1.0
"""The share of the percentile that is the greatest value."""

RESPONSE = "response"
TIMES = (RESPONSE, "service", "lag", "held", "wait", "init", "duration")
COLD = "cold"
RATES = ("rps", "sent")
IN_FLIGHT = "in-flight"

_OF_OUTCOMES = {outcome.label: (outcome.label,) for outcome in Outcome}
OUTCOME_SHARES: dict[str, tuple[str, ...]] = {
    **_OF_OUTCOMES,
    "error": tuple(label for label in _OF_OUTCOMES if label != Outcome.OK.label),
    "throttled": tuple(label for label in _OF_OUTCOMES if label.startswith("throttled")),
}
"""Outcomes that a share counts. `error` is whatever is not ok, `throttled` a refusal for either limit."""

SHARES = (*OUTCOME_SHARES, COLD)


class Kind(StrEnum):
    """What a metric is a number of, which decides the unit of its bounds."""

    TIME = "time"
    SHARE = "share"
    RATE = "rate"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run: of all its calls, or of those of one `action`.

    `name` is one of TIMES, SHARES, RATES or IN_FLIGHT; `percentile` is a share above 0, up to GREATEST, and belongs to times alone.
    """

    kind: Kind
    name: str
    percentile: float | None = None
    action: str | None = None

    def __str__(self) -> str:
        """As rules name it: `p99`, `lag.max`, `align:cold`. The response needs no name."""
        words = [] if self.name == RESPONSE else [self.name]
        if self.percentile is not None:
            words.append("max" if self.percentile == GREATEST else f"p{percent_text(self.percentile)}")
        named = ".".join(words)
        return named if self.action is None else f"{self.action}:{named}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value of a metric and the calls it rests on: microseconds, a share from 0 to 1, calls a second, or calls.

    `value` is None where too few calls were there to tell, and infinite where calls that are not ok reach so far. `part` of `calls` made
    up a share.
    """

    value: float | None
    calls: int
    part: int | None = None


def percent_text(share: float) -> str:
    """A share in per cent, as short as it can be: 0.999 is 99.9."""
    return decimal_text(Decimal(repr(share)) * 100)


def decimal_text(value: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    return without_zeros(f"{value:f}")
