"""The facts of a run for its judge, drawn from the rows and from what the invokers counted."""

from __future__ import annotations

from collections.abc import Collection

from owray.ask.queries import find_query
from owray.ask.session import Session
from owray.ask.views import in_flight_us
from owray.record.facts import Facts
from owray.record.run import Manifest


def facts_of(session: Session, *, lost: Collection[int] = (), late: Collection[int] = ()) -> Facts:
    """The facts of the one run of this session; which invokers were lost or late is known to the fleet, not to the rows."""
    (manifest,) = session.manifests
    closed = manifest.recipe.closed
    balance = _balance(session)
    measured = session.one(_MEASURED)
    spacing = session.one(_SPACING)
    return Facts(
        planned=balance["planned"],
        expected=_expected_calls(manifest),
        poisson=manifest.recipe.arrivals == "poisson",
        missing=balance["missing"],
        duplicate=balance["duplicate"],
        foreign=balance["foreign"],
        in_flight_us=in_flight_us(manifest),
        in_system_us=session.one(_IN_SYSTEM)["in_system_us"],
        **measured,
        **spacing,
        lost_invokers=tuple(sorted(lost)),
        late_invokers=tuple(sorted(late)),
        users=None if closed is None else closed.users,
    )


_MEASURED = """
select
    count(*)                                                                 as due,
    count(*) filter (where outcome <> 'unsent')                              as attempted,
    count(*) filter (where outcome = 'ok')                                   as ok,
    quantile_disc(lag_us, 0.99)::double                                      as lag_p99_us,
    quantile_disc(case when outcome = 'ok' then service_us end, 0.5)::double as service_p50_us
from calls
where phase = 'measure'
"""

_IN_SYSTEM = """
select coalesce(sum(coalesce(connect_us, 0) + coalesce(service_us, 0)), 0)::bigint as in_system_us
from calls
where outcome <> 'unsent'
"""

_SPACING = """
select
    avg(due_gap)                                                             as mean_gap_us,
    var_pop(gap) / nullif(avg(gap), 0) ** 2                                  as dispatch_cv2,
    var_pop(due_gap) / nullif(avg(due_gap), 0) ** 2                          as plan_cv2
from (
    select
        intended_us - lag(intended_us) over (order by intended_us)                as due_gap,
        intended_us + lag_us - lag(intended_us + lag_us) over (order by intended_us + lag_us) as gap
    from calls
    where phase = 'measure' and lag_us is not null
)
"""


def _balance(session: Session) -> dict[str, int]:
    """The balance of rows and plan; a run without either has none to show."""
    balances = session.rows(find_query("reconcile").sql)
    return balances[0] if balances else {"planned": 0, "missing": 0, "duplicate": 0, "foreign": 0}


def _expected_calls(manifest: Manifest) -> float:
    return manifest.recipe.expected_calls()
