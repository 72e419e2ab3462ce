"""What one run comes to: the figures a summary shows, drawn from the rows.

Counts, rates, percentiles and means are of the measure phase. Percentiles obey the rule of `percentile` (nearest rank, None with fewer
than ten samples beyond); among all planned calls, one that is not ok counts as infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from owray.ask.session import Session
from owray.plan.recipe import Plan

_SHARES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}


Loop = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of `count` samples, in microseconds; `max_us` is None only where there are none."""

    count: int
    p50_us: float | None
    p90_us: float | None
    p99_us: float | None
    p999_us: float | None
    max_us: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls a second over the phase: due by the plan, or by the users of a closed loop; attempted in it; answered (whatever the answer)."""

    offered: float
    sent: float
    done: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Where the time of ok calls went: means in microseconds that add up to the mean response.

    `wait`, `init` and `run` are the platform's own account, `overhead` what is left of the service time.
    """

    lag_us: float
    held_us: float
    connect_us: float
    wait_us: float
    init_us: float
    run_us: float
    overhead_us: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in figures. `outcomes` has every outcome that occurred, most frequent first; `checked` are ok calls whose result was right.

    `cold` of `started` calls, those with an activation record, were cold. `breakdown` is None where no call was ok.
    """

    run: str
    loop: Loop
    planned: int
    attempted: int
    unsent: int
    outcomes: tuple[tuple[str, int], ...]
    checked: int
    measure_s: float
    rates: Rates
    response_ok: Percentiles
    response_all: Percentiles
    service_ok: Percentiles
    lag: Percentiles
    held: Percentiles
    cold: int
    started: int
    breakdown: Breakdown | None

    @property
    def ok(self) -> int:
        return dict(self.outcomes).get("ok", 0)

    @property
    def cold_share(self) -> float | None:
        """The share of cold starts among calls with a record; None where there are none."""
        return self.cold / self.started if self.started else None


def summarise(session: Session) -> Summary:
    """The figures of the one run of this session."""
    (manifest,) = session.manifests
    from_us, to_us = measured_us(session)
    counts = session.one(_COUNTS)
    return Summary(
        run=manifest.run,
        loop="open" if manifest.recipe.closed is None else "closed",
        planned=counts["planned"],
        attempted=counts["attempted"],
        unsent=counts["planned"] - counts["attempted"],
        outcomes=tuple((row["outcome"], row["calls"]) for row in session.rows(_OUTCOMES)),
        checked=counts["checked"],
        measure_s=(to_us - from_us) / 1e6,
        rates=rates(session),
        response_ok=_percentiles(session, "case when outcome = 'ok' then response_us end"),
        response_all=_percentiles(session, "case when outcome = 'ok' then response_us else 'infinity'::double end"),
        service_ok=_percentiles(session, "case when outcome = 'ok' then service_us end"),
        lag=_percentiles(session, "lag_us"),
        held=_percentiles(session, "case when held_us > 0 then held_us end"),
        cold=counts["cold"],
        started=counts["started"],
        breakdown=_breakdown(session),
    )


_COUNTS = """
select
    count(*)                                                                 as planned,
    count(*) filter (where outcome <> 'unsent')                              as attempted,
    count(*) filter (where outcome = 'ok' and checked)                       as checked,
    count(*) filter (where cold)                                             as cold,
    count(cold)                                                              as started
from calls
where phase = 'measure'
"""

_OUTCOMES = "select outcome, count(*) as calls from calls where phase = 'measure' group by outcome order by calls desc, outcome"

# By the clock, not by when calls were due: what was sent and answered within the phase, whichever phase it was planned for.
_RATES = """
select
    count(*) filter (where due_us >= $from_us and due_us <= $to_us)          as offered,
    count(*) filter (where sent_us >= $from_us and sent_us <= $to_us)        as sent,
    count(*) filter (where done_us >= $from_us and done_us <= $to_us)        as done
from (
    select
        intended_us                                                          as due_us,
        case when outcome <> 'unsent'
             then intended_us + lag_us + coalesce(held_us, 0) end            as sent_us,
        case when http_status is not null then intended_us + response_us end as done_us
    from calls
    where $action::varchar is null or action = $action
)
"""

_LAST_END = "select coalesce(max(intended_us + response_us), 0)::bigint as end_us from calls"

_BREAKDOWN = """
select
    avg(lag_us)                                                              as lag_us,
    avg(coalesce(held_us, 0))                                                as held_us,
    avg(coalesce(connect_us, 0))                                             as connect_us,
    avg(coalesce(wait_ms, 0)) * 1000                                         as wait_us,
    avg(coalesce(init_ms, 0)) * 1000                                         as init_us,
    avg(coalesce(duration_ms - coalesce(init_ms, 0), 0)) * 1000              as run_us,
    avg(service_us - 1000 * (coalesce(wait_ms, 0) + coalesce(duration_ms, 0))) as overhead_us
from calls
where phase = 'measure' and outcome = 'ok'
"""


def measured_us(session: Session) -> tuple[int, int]:
    """Where the measure phase of the one run of this session begins and ends, in microseconds from t0.

    A closed loop that time did not end ends with its last call: by what it had to wait for, not by a plan.
    """
    (manifest,) = session.manifests
    recipe = manifest.recipe
    end_us = Plan(recipe).length_us()
    if recipe.closed is not None and (recipe.calls is not None or manifest.early_end is not None):
        end_us = min(end_us, session.one(_LAST_END)["end_us"])
    warmup_us = round(recipe.warmup_s * 1e6)
    return warmup_us, max(end_us, warmup_us)


def rates(session: Session, action: str | None = None) -> Rates:
    """The rates of the one run of this session, or of one action's calls in it."""
    from_us, to_us = measured_us(session)
    if to_us == from_us:
        return Rates(0.0, 0.0, 0.0)
    counts = session.one(_RATES, {"from_us": from_us, "to_us": to_us, "action": action})
    seconds = (to_us - from_us) / 1e6
    return Rates(counts["offered"] / seconds, counts["sent"] / seconds, counts["done"] / seconds)


def _percentiles(session: Session, sample: str) -> Percentiles:
    """Of an expression over the calls of the measure phase; where it is null, there is no sample."""
    shown = ", ".join(f"percentile({sample}, {share})::double as {name}" for name, share in _SHARES.items())
    figures: dict[str, Any] = session.one(
        f"from calls select count({sample}) as count, {shown}, max({sample})::double as max_us where phase = 'measure'"
    )
    return Percentiles(**figures)


def _breakdown(session: Session) -> Breakdown | None:
    means = session.one(_BREAKDOWN)
    return None if means["lag_us"] is None else Breakdown(**means)
