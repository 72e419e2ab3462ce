"""Metrics of one run, drawn from its rows: exact, and of the measure phase.

What each time is a time of: response and service of all planned calls, one that is not ok being infinite; lag and held of calls that were
attempted; wait, init and duration of calls with an activation record, init among these of the cold ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from owray.ask.session import Session
from owray.ask.summary import measured_us, rates
from owray.record.metrics import COLD, GREATEST, OUTCOME_SHARES, Kind, Measurement, Metric

_SAMPLES = {
    "response": "case when outcome = 'ok' then response_us else 'infinity'::double end",
    "service": "case when outcome = 'ok' then service_us else 'infinity'::double end",
    "lag": "lag_us",
    "held": "case when lag_us is not null then coalesce(held_us, 0) end",
    "wait": "wait_ms::bigint * 1000",
    "init": "init_ms::bigint * 1000",
    "duration": "duration_ms::bigint * 1000",
}

_OF_PHASE = "from calls where phase = 'measure' and ($action::varchar is null or action = $action)"

_COLD = f"select count(cold) as calls, count(*) filter (where cold) as part {_OF_PHASE}"
_OUTCOMES = f"select count(*) as calls, count(*) filter (where list_contains($outcomes::varchar[], outcome)) as part {_OF_PHASE}"

# From the connection being wanted until the end is known, as invokers count calls in flight; one that ends leaves before the next comes.
_IN_FLIGHT = """
with attempted as (
    select
        intended_us + lag_us + coalesce(held_us, 0)                          as from_us,
        coalesce(connect_us, 0) + coalesce(service_us, 0)                    as length_us
    from calls
    where outcome <> 'unsent' and lag_us is not null and ($action::varchar is null or action = $action)
),
steps as (
    select from_us as at_us, 1 as step from attempted
    union all
    select from_us + length_us, -1 from attempted
),
levels as (
    select at_us, sum(step) over (order by at_us, step rows unbounded preceding) as level from steps
)
select count(*) as steps, max(level) as most from levels where at_us >= $from_us
"""


def measure(session: Session, metrics: Iterable[Metric]) -> tuple[Measurement, ...]:
    """The metrics of the one run of this session, in their order."""
    return tuple(_MEASURES[metric.kind](session, metric) for metric in metrics)


def _time(session: Session, metric: Metric) -> Measurement:
    sample, share = _SAMPLES[metric.name], metric.percentile or GREATEST
    # As a decimal: a double just above 0.999 would be taken for one rank more.
    figure = f"max({sample})" if share == GREATEST else f"percentile({sample}, {share:.5f})"
    found = session.one(f"select count({sample}) as calls, {figure}::double as value {_OF_PHASE}", {"action": metric.action})
    return Measurement(found["value"], found["calls"])


def _share(session: Session, metric: Metric) -> Measurement:
    if metric.name == COLD:
        found = session.one(_COLD, {"action": metric.action})
    else:
        found = session.one(_OUTCOMES, {"action": metric.action, "outcomes": list(OUTCOME_SHARES[metric.name])})
    calls, part = found["calls"], found["part"]
    return Measurement(part / calls if calls else None, calls, part)


def _rate(session: Session, metric: Metric) -> Measurement:
    found = rates(session, metric.action)
    seconds = _measured_s(session)
    value = found.done if metric.name == "rps" else found.sent
    return Measurement(value if seconds else None, round(value * seconds))


def _count(session: Session, metric: Metric) -> Measurement:
    found = session.one(_IN_FLIGHT, {"action": metric.action, "from_us": measured_us(session)[0]})
    return Measurement(None if found["most"] is None else float(found["most"]), found["steps"] // 2)


def _measured_s(session: Session) -> float:
    from_us, to_us = measured_us(session)
    return (to_us - from_us) / 1e6


_MEASURES: dict[Kind, Callable[[Session, Metric], Measurement]] = {
    Kind.TIME: _time,
    Kind.SHARE: _share,
    Kind.RATE: _rate,
    Kind.COUNT: _count,
}
