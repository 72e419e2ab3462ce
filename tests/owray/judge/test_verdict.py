"""The verdict: each bound by itself, and what they come to together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.judge.verdict import Level, Verdict, judge
from owray.record.facts import Facts

GOOD = Facts(
    planned=10_000,
    expected=10_000,
    poisson=False,
    missing=0,
    duplicate=0,
    foreign=0,
    in_flight_us=500_000_000,
    in_system_us=500_000_000,
    due=10_000,
    attempted=10_000,
    ok=10_000,
    lag_p99_us=300,
    service_p50_us=50_000,
    mean_gap_us=20_000,
    dispatch_cv2=0.01,
    plan_cv2=0.0,
)


def verdict(**changes):
    return judge(replace(GOOD, **changes))


def test_a_run_without_fault_is_valid_and_needs_no_reason():
    assert judge(GOOD) == Verdict(Level.VALID)


@pytest.mark.parametrize(
    ("lag_p99_us", "service_p50_us", "level"),
    [
        (1_000, 5_000, Level.VALID),
        (1_001, 5_000, Level.DEGRADED),
        (10_000, 5_000, Level.DEGRADED),
        (10_001, 5_000, Level.INVALID),
        (5_000, 500_000, Level.VALID),  # 1 % of half a second
        (5_001, 500_000, Level.DEGRADED),
        (50_000, 500_000, Level.DEGRADED),
        (50_001, 500_000, Level.INVALID),
        (1_001, None, Level.DEGRADED),
        (None, None, Level.VALID),
    ],
)
def test_lag_is_bounded_by_a_time_or_by_a_share_of_service(lag_p99_us, service_p50_us, level):
    assert verdict(lag_p99_us=lag_p99_us, service_p50_us=service_p50_us).level == level


def test_a_late_generator_is_told_once_with_figure_bound_and_remedy():
    (reason,) = verdict(lag_p99_us=12_345, service_p50_us=5_000).reasons
    assert reason == (
        "The generator was late: lag p99 12.3 ms, at most 10 ms allowed (the greater of 10 ms and 10% of service p50); it measured "
        "itself. Use more invokers or cores, or a lower rate."
    )


@pytest.mark.parametrize(("attempted", "level"), [(9_900, Level.VALID), (9_899, Level.INVALID)])
def test_at_least_99_of_100_calls_due_must_be_attempted(attempted, level):
    assert verdict(attempted=attempted).level == level


def test_a_missed_send_ratio_is_not_rounded_up_to_the_bound():
    (reason,) = verdict(due=100_000, attempted=98_999, ok=90_000).reasons
    assert "98.99 %" in reason


@pytest.mark.parametrize("changes", [{"lost_invokers": (2,)}, {"late_invokers": (0, 1)}, {"missing": 1}, {"duplicate": 1}, {"foreign": 1}])
def test_what_breaks_the_evidence_is_invalid(changes):
    found = verdict(**changes)
    assert found.level == Level.INVALID
    assert len(found.reasons) == 1


def test_a_run_without_one_ok_call_is_never_valid():
    assert verdict(ok=0).level == Level.INVALID
    assert "Not one of 10,000 calls was ok" in verdict(ok=0).reasons[0]


def test_a_storm_that_was_all_warm_up_measured_nothing():
    found = verdict(due=0, attempted=0, ok=0, lag_p99_us=None, service_p50_us=None, mean_gap_us=None, dispatch_cv2=None, plan_cv2=None)
    assert found.level == Level.INVALID
    assert "warm-up" in found.reasons[0]


@pytest.mark.parametrize(
    ("in_system_us", "level"), [(490_000_000, Level.VALID), (489_999_999, Level.DEGRADED), (511_000_000, Level.DEGRADED)]
)
def test_rows_that_tell_of_other_times_than_the_invokers_degrade(in_system_us, level):
    assert verdict(in_system_us=in_system_us).level == level


def test_little_s_law_is_not_asked_where_an_invoker_did_not_report():
    assert verdict(in_flight_us=None, in_system_us=1).level == Level.VALID


def test_rows_of_calls_that_were_never_in_flight_have_no_percentage():
    (reason,) = verdict(in_flight_us=0, in_system_us=1_000_000).reasons
    assert "inf" not in reason


def test_bursts_that_were_not_planned_degrade_where_lag_does_not_explain_them():
    assert verdict(dispatch_cv2=0.9, plan_cv2=0.0).level == Level.DEGRADED
    assert verdict(dispatch_cv2=1.1, plan_cv2=1.0).level == Level.VALID
    assert verdict(dispatch_cv2=0.9, plan_cv2=0.0, mean_gap_us=200).level == Level.VALID  # 5,000 a second: gaps below the lag's bound


def test_a_poisson_plan_may_differ_from_its_rate_by_chance_only():
    assert verdict(poisson=True, expected=10_300).level == Level.VALID
    assert verdict(poisson=True, expected=10_400).level == Level.DEGRADED
    assert verdict(poisson=False, expected=10_400).level == Level.VALID


@st.composite
def facts(draw):
    due = draw(st.integers(0, 1000))
    attempted = draw(st.integers(0, due))
    time_us = st.none() | st.floats(0, 1e8)
    return Facts(
        planned=draw(st.integers(0, 1000)),
        expected=draw(st.floats(0, 1000)),
        poisson=draw(st.booleans()),
        missing=draw(st.integers(0, 2)),
        duplicate=draw(st.integers(0, 2)),
        foreign=draw(st.integers(0, 2)),
        in_flight_us=draw(st.none() | st.integers(0, 10**9)),
        in_system_us=draw(st.integers(0, 10**9)),
        due=due,
        attempted=attempted,
        ok=draw(st.integers(0, attempted)),
        lag_p99_us=draw(time_us),
        service_p50_us=draw(time_us),
        mean_gap_us=draw(st.none() | st.floats(0.1, 1e8)),
        dispatch_cv2=draw(st.none() | st.floats(0, 100)),
        plan_cv2=draw(st.none() | st.floats(0, 100)),
        lost_invokers=draw(st.sampled_from([(), (0,)])),
    )


@given(facts())
def test_there_are_reasons_exactly_where_the_run_is_not_valid(some):
    found = judge(some)
    assert bool(found.reasons) == (found.level is not Level.VALID)
    assert all(reason.endswith(".") for reason in found.reasons)


@given(facts(), st.floats(0, 1e8))
def test_more_lag_never_makes_a_run_better(some, more):
    if some.lag_p99_us is None:
        return
    levels = list(Level)
    worse = judge(replace(some, lag_p99_us=some.lag_p99_us + more))
    assert levels.index(worse.level) >= levels.index(judge(some).level)


@given(facts())
def test_a_verdict_comes_back_from_json(some):
    found = judge(some)
    assert Verdict.from_json(found.to_json()) == found


def test_a_closed_loop_has_no_send_ratio_and_no_spacing_and_a_note_says_so():
    unlike_an_open_loop = {"attempted": GOOD.due // 2, "dispatch_cv2": 90.0, "plan_cv2": 0.0}
    assert verdict(**unlike_an_open_loop).level == Level.INVALID
    found = verdict(**unlike_an_open_loop, users=16)
    assert (found.level, found.reasons) == (Level.VALID, ())
    (note,) = found.notes
    assert note.startswith("A closed loop (16 users) asks less while the server is slow: its percentiles are not those of an open loop")
    assert note.endswith("no send ratio applies.")
    assert Verdict.from_json(found.to_json()) == found


@pytest.mark.parametrize("wrong", [{"lag_p99_us": 50_000.0}, {"in_system_us": 1}, {"missing": 1}, {"lost_invokers": (1,)}])
def test_whatever_else_spoils_a_run_spoils_a_closed_loop(wrong):
    assert verdict(**wrong, users=16).level == verdict(**wrong).level != Level.VALID


def test_the_worst_reason_comes_first():
    found = verdict(in_system_us=1, lost_invokers=(3,))
    assert found.level == Level.INVALID
    assert found.reasons[0].startswith("Invoker 3 was lost")
