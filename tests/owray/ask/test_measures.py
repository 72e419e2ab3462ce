"""Metrics of runs whose every row is known."""

import math

import pytest
from support.runs import finished_run, recipe

from owray.ask.measures import measure
from owray.ask.session import Session
from owray.judge.objectives import parse
from owray.record.layout import Outcome
from owray.record.metrics import Measurement


def stormy(row):
    """Every tenth call is cold and slow, every twentieth refused, every seventh of the others held."""
    if row["seq"] % 20 == 19:
        refused = {"outcome": Outcome.THROTTLED_RATE, "http_status": 429}
        return {name: value for name, value in (row | refused).items() if name not in ("wait_ms", "duration_ms", "checked")}
    if row["seq"] % 10 == 0:
        return row | {"init_ms": 30, "duration_ms": 39, "service_us": 45_000}
    return row | {"held_us": 5_000} if row["seq"] % 7 == 0 else row


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """1,500 calls after 500 of warm-up."""
    with Session([finished_run(tmp_path_factory.mktemp("runs"), recipe(rps=1000, duration_s=2, warmup_s=0.5), stormy)]) as session:
        yield session


def value_of(session, rule):
    (found,) = measure(session, [parse(rule).metric])
    return found


@pytest.mark.parametrize(
    ("rule", "value", "calls"),
    [
        ("p50<1s", 12_020, 1_500),
        ("p90<1s", 45_020, 1_500),
        ("p99<1s", math.inf, 1_500),  # 5 % were refused
        ("p99.9<1s", None, 1_500),
        ("max<1s", math.inf, 1_500),
        ("service.p90<1s", 45_000, 1_500),
        ("service.max<1s", math.inf, 1_500),
        ("lag.p99<1s", 20, 1_500),
        ("held.p50<1s", 0, 1_500),
        ("held.max<1s", 5_000, 1_500),
        ("wait.max<1s", 2_000, 1_425),
        ("init.p50<1s", 30_000, 150),
        ("init.p99<1s", None, 150),
        ("duration.max<1s", 39_000, 1_425),
        ("elsewhere:max<1s", None, 0),
    ],
)
def test_times_are_exact_and_those_of_calls_that_were_not_ok_infinite(session, rule, value, calls):
    assert value_of(session, rule) == Measurement(value, calls)


@pytest.mark.parametrize(
    ("rule", "part", "calls"),
    [
        ("ok>1%", 1_425, 1_500),
        ("error<1%", 75, 1_500),
        ("throttled<1%", 75, 1_500),
        ("throttled_rate<1%", 75, 1_500),
        ("throttled_concurrency<1%", 0, 1_500),
        ("timeout<1%", 0, 1_500),
        ("cold<1%", 150, 1_425),
    ],
)
def test_shares_are_of_all_planned_calls_and_cold_of_those_with_a_record(session, rule, part, calls):
    assert value_of(session, rule) == Measurement(part / calls, calls, part)


def test_rates_go_by_the_clock_of_the_phase(session):
    assert (value_of(session, "rps>1").value, value_of(session, "sent>1").value) == (pytest.approx(1000.7, abs=0.05), 1000)


def test_the_parts_of_two_actions_add_up_to_the_whole(session):
    for rule in ("ok>1%", "sent>1"):
        whole, noop, align = (value_of(session, f"{action}{rule}") for action in ("", "noop:", "align:"))
        assert 0 < align.calls < noop.calls
        assert (noop.calls + align.calls, (noop.part or 0) + (align.part or 0)) == (whole.calls, whole.part or 0)


def test_the_most_calls_in_flight_are_counted_where_they_overlap(tmp_path):
    """A call a 10 ms: of 25 ms, three overlap; of 20 ms, two, since one ends as the third begins."""

    def most(service_us, **plan):
        with Session([finished_run(tmp_path, recipe(**plan), lambda row: row | {"service_us": service_us})]) as session:
            return value_of(session, "in-flight<1")

    assert most(25_000) == Measurement(3.0, 100)
    assert most(20_000) == Measurement(2.0, 100)
    assert most(25_000, duration_s=2, warmup_s=1).value == 3.0


def test_a_phase_without_calls_has_nothing_to_tell(tmp_path):
    def unsent(row):
        return {name: row[name] for name in ("seq", "intended_us", "entry")} | {"outcome": Outcome.UNSENT}

    with Session([finished_run(tmp_path, recipe(), unsent)]) as session:
        assert value_of(session, "cold<1%") == Measurement(None, 0, 0)
        assert value_of(session, "lag.max<1s") == Measurement(None, 0)
        assert value_of(session, "in-flight<1") == Measurement(None, 0)
        assert value_of(session, "max<1s") == Measurement(math.inf, 100)
        assert value_of(session, "unsent<1%") == Measurement(1.0, 100, 100)


def test_the_rank_of_a_percentile_is_the_nearest_however_many_nines(tmp_path):
    """Of 10,000 calls the 9,990th is p99.9: ten are slower."""
    slowest = finished_run(tmp_path, recipe(rps=10_000), lambda row: row | {"service_us": 80_000 if row["seq"] >= 9_990 else 10_000})
    with Session([slowest]) as session:
        assert value_of(session, "p99.9<1s") == Measurement(10_020, 10_000)
        assert value_of(session, "p99.91<1s") == Measurement(None, 10_000)
