"""The verdict: can this run be believed?

A load generator that is late, loses calls or changes its size measures itself. Each check compares one figure of the run with a bound
and, if the bound is missed, says in a sentence what that means. The worst level wins.

    check                   INVALID                                   DEGRADED
    rows                    a planned call has no row, or two; or a row has no planned call
    outcomes                no call was ok, or none was due
    send ratio              attempted / due below 0.99
    lag p99                 above max(10 ms, 10 % of service p50)     above max(1 ms, 1 % of service p50)
    invokers                one was lost, or started late
    Little's law                                                      rows and invokers differ by more than 2 %
    spacing                                                           gaps vary otherwise than planned, beyond what lag explains
    Poisson count                                                     planned calls are more than 3 sigma from the rate's

Send ratio and spacing do not apply to a closed loop, which has no calls due but those that its users make; a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from owray.judge.statistics import CHANCE_SIGMAS, chance_of_count, little_error, send_ratio
from owray.record.facts import Facts
from owray.texts import milliseconds

LEAST_SEND_RATIO = 0.99
MOST_LITTLE_ERROR = 0.02
MOST_CV2_DIFFERENCE = 0.2


class Level(StrEnum):
    """How far a run can be believed, best first."""

    VALID = "VALID"
    DEGRADED = "DEGRADED"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class MissedBound:
    """A missed bound, in a sentence that names figure, bound and meaning."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The level of a run and why it is not better; notes say what is to be known of it whatever the level."""

    level: Level
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level.value, "reasons": list(self.reasons), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(Level(data["level"]), tuple(data["reasons"]), tuple(data.get("notes", ())))


@dataclass(frozen=True, slots=True)
class LagBound:
    """The greatest lag p99: a time, or a share of the median service time where that is more."""

    least_us: float
    share: float

    def of(self, service_p50_us: float | None) -> float:
        return max(self.least_us, self.share * (service_p50_us or 0.0))


VALID_LAG = LagBound(1_000, 0.01)
BELIEVABLE_LAG = LagBound(10_000, 0.10)


def judge(facts: Facts) -> Verdict:
    """Weigh a run. Reasons come worst first."""
    findings = [finding for check in _CHECKS for finding in check(facts)]
    worst_first = sorted(findings, key=lambda finding: list(Level).index(finding.level), reverse=True)
    level = worst_first[0].level if worst_first else Level.VALID
    return Verdict(level, tuple(finding.reason for finding in worst_first), tuple(_notes(facts)))


def _notes(facts: Facts) -> Iterator[str]:
    if facts.users is not None:
        yield (
            f"A closed loop ({facts.users:,} users) asks less while the server is slow: its percentiles are not those of an open loop, and "
            "no send ratio applies."
        )


def _invokers(facts: Facts) -> Iterator[MissedBound]:
    if facts.lost_invokers:
        who = _numbers(facts.lost_invokers)
        yield MissedBound(
            Level.INVALID, f"Invoker {who} was lost: part of the load was missing from then on, and what it had under way is not known."
        )
    if facts.late_invokers:
        who = _numbers(facts.late_invokers)
        yield MissedBound(Level.INVALID, f"Invoker {who} started after t0: the storm began without its share of the load.")


def _rows(facts: Facts) -> Iterator[MissedBound]:
    wrong = {
        "planned calls without a row": facts.missing,
        "rows too many for their call": facts.duplicate,
        "rows of no planned call": facts.foreign,
    }
    for what, count in wrong.items():
        if count:
            yield MissedBound(Level.INVALID, f"The rows do not match the plan: {count:,} {what}, where none may be.")


def _outcomes(facts: Facts) -> Iterator[MissedBound]:
    if not facts.due:
        yield MissedBound(
            Level.INVALID, "No call was due after the warm-up: nothing was measured. Make the storm longer or the warm-up shorter."
        )
    elif not facts.ok:
        yield MissedBound(Level.INVALID, f"Not one of {facts.due:,} calls was ok: there is no service whose speed could be told.")


def _send_ratio(facts: Facts) -> Iterator[MissedBound]:
    ratio = send_ratio(facts.attempted, facts.due)
    if facts.users is None and ratio < LEAST_SEND_RATIO:
        yield MissedBound(
            Level.INVALID,
            f"Only {_percent(ratio)} of the calls due were attempted ({facts.attempted:,} of {facts.due:,}; at least "
            f"{_percent(LEAST_SEND_RATIO)} is needed): the load was not the one that was asked for.",
        )


def _lag(facts: Facts) -> Iterator[MissedBound]:
    lag = facts.lag_p99_us
    if lag is None:
        return
    for level, bound in ((Level.INVALID, BELIEVABLE_LAG), (Level.DEGRADED, VALID_LAG)):
        most = bound.of(facts.service_p50_us)
        if lag > most:
            meaning = "it measured itself" if level is Level.INVALID else "short times are blurred by it"
            yield MissedBound(
                level,
                f"The generator was late: lag p99 {milliseconds(lag, most)}, at most {milliseconds(most)} allowed (the greater of "
                f"{milliseconds(bound.least_us)} and {bound.share:.0%} of service p50); {meaning}. Use more invokers or cores, or a lower "
                "rate.",
            )
            return


def _little(facts: Facts) -> Iterator[MissedBound]:
    if facts.in_flight_us is None:
        return
    error = little_error(facts.in_flight_us, facts.in_system_us)
    if error > MOST_LITTLE_ERROR:
        yield MissedBound(
            Level.DEGRADED,
            f"Little's law is missed by {_error_percent(error)} (at most {_percent(MOST_LITTLE_ERROR)}): the invokers had "
            f"{facts.in_flight_us / 1e6:,.1f} call-seconds in flight, the rows tell of {facts.in_system_us / 1e6:,.1f}.",
        )


def _spacing(facts: Facts) -> Iterator[MissedBound]:
    """A lag within its bound b moves each end of a gap by up to b, which adds up to 2 (b / gap)^2: at high rates that is all there is."""
    if facts.users is not None or facts.dispatch_cv2 is None or facts.plan_cv2 is None or not facts.mean_gap_us:
        return
    explained = 2 * (VALID_LAG.of(facts.service_p50_us) / facts.mean_gap_us) ** 2
    most = MOST_CV2_DIFFERENCE + explained
    difference = abs(facts.dispatch_cv2 - facts.plan_cv2)
    if difference > most:
        yield MissedBound(
            Level.DEGRADED,
            f"Calls were not spaced as planned: the gaps between them have a squared variation of {facts.dispatch_cv2:.2f} instead of "
            f"{facts.plan_cv2:.2f} (at most {most:.2f} apart), so they came in other bursts than were asked for.",
        )


def _poisson_count(facts: Facts) -> Iterator[MissedBound]:
    allowed = chance_of_count(facts.expected)
    if facts.poisson and abs(facts.planned - facts.expected) > allowed:
        yield MissedBound(
            Level.DEGRADED,
            f"The plan has {facts.planned:,} calls where its rate means {facts.expected:,.0f}, more than {allowed:,.0f} apart "
            f"({CHANCE_SIGMAS:.0f} sigma): an unlucky seed, so the load was not quite the rate. Choose another --seed.",
        )


_CHECKS: tuple[Callable[[Facts], Iterator[MissedBound]], ...] = (
    _invokers,
    _rows,
    _outcomes,
    _send_ratio,
    _lag,
    _little,
    _spacing,
    _poisson_count,
)


def _numbers(invokers: tuple[int, ...]) -> str:
    return ", ".join(map(str, invokers))


def _percent(share: float, rounded: Callable[[float], int] = math.floor) -> str:
    """A share as a percentage; rounded away from the bound that it misses, or the sentence would contradict itself."""
    return f"{rounded(share * 10_000) / 100:g} %"


def _error_percent(error: float) -> str:
    return _percent(error, math.ceil) if math.isfinite(error) else "everything"
