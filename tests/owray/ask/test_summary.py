"""The summary and the judge's facts, drawn from rows whose figures are known."""

import math

import pytest
from support.runs import finished_run, new_run, planned_rows, recipe, record

from owray.ask.evidence import facts_of
from owray.ask.session import Session
from owray.ask.summary import Breakdown, summarise
from owray.judge.verdict import Level, judge
from owray.record.layout import Outcome
from owray.record.recover import complete


def summary_of(folder):
    with Session([folder]) as session:
        return summarise(session)


def facts(folder, **told):
    with Session([folder]) as session:
        return facts_of(session, **told)


def test_a_quiet_run_in_figures(tmp_path):
    summary = summary_of(finished_run(tmp_path))
    assert (summary.planned, summary.attempted, summary.unsent, summary.ok, summary.checked) == (100, 100, 0, 100, 100)
    assert summary.outcomes == (("ok", 100),)
    assert (summary.response_ok.count, summary.response_ok.p50_us, summary.response_ok.p99_us) == (100, 12_020, None)
    assert (summary.service_ok.p50_us, summary.service_ok.max_us) == (12_000, 12_000)
    assert (summary.cold, summary.started, summary.cold_share) == (0, 100, 0.0)
    assert summary.held.count == 0
    assert summary.breakdown == Breakdown(20, 0, 0, 2_000, 0, 9_000, 1_000)


def test_rates_go_by_the_clock_of_the_phase(tmp_path):
    slow = finished_run(tmp_path, recipe(duration_s=2), lambda row: row | {"service_us": 500_000})
    rates = summary_of(slow).rates
    assert (rates.offered, rates.sent, rates.done) == (100, 100, 75)


def test_the_warm_up_is_left_out(tmp_path):
    plan = recipe(duration_s=2, warmup_s=0.5)
    cold_at_first = finished_run(tmp_path, plan, lambda row: row | {"init_ms": 80} if row["intended_us"] < 500_000 else row)
    summary = summary_of(cold_at_first)
    assert (summary.planned, summary.cold, summary.measure_s, summary.rates.offered) == (150, 0, 1.5, 100)


def test_a_call_that_is_not_ok_counts_as_infinite_among_all(tmp_path):
    plan = recipe(rps=1000)
    mixed = finished_run(tmp_path, plan, lambda row: row | {"outcome": Outcome.THROTTLED} if row["seq"] % 5 == 0 else row)
    summary = summary_of(mixed)
    assert summary.response_ok.p90_us == 12_020
    assert summary.response_all.p50_us == 12_020
    assert summary.response_all.p90_us == math.inf
    assert summary.response_all.count == 1000


def test_held_calls_are_counted_and_measured_by_themselves(tmp_path):
    held = finished_run(tmp_path, recipe(rps=4000), lambda row: row | {"held_us": 70_000} if row["seq"] % 4 == 0 else row)
    assert (summary_of(held).held.count, summary_of(held).held.p99_us) == (1000, 70_000)


def test_a_run_without_an_ok_call_has_no_breakdown(tmp_path):
    summary = summary_of(finished_run(tmp_path, change=lambda row: row | {"outcome": Outcome.REJECTED}))
    assert summary.breakdown is None
    assert summary.response_ok.max_us is None
    assert summary.response_all.p50_us == math.inf


def test_a_run_without_rows_has_a_summary_of_nothing(tmp_path):
    summary = summary_of(new_run(tmp_path))
    assert (summary.planned, summary.outcomes, summary.cold_share, summary.breakdown) == (0, (), None, None)


def test_a_storm_that_was_all_warm_up_has_no_rates(tmp_path):
    summary = summary_of(finished_run(tmp_path, recipe(warmup_s=5)))
    assert (summary.planned, summary.rates.offered) == (0, 0.0)


def test_the_facts_of_a_quiet_run_make_it_valid(tmp_path):
    found = facts(finished_run(tmp_path))
    assert (found.planned, found.expected, found.due, found.attempted, found.ok) == (100, 100, 100, 100, 100)
    assert (found.missing, found.duplicate, found.foreign) == (0, 0, 0)
    assert (found.lag_p99_us, found.service_p50_us, found.mean_gap_us) == (20, 12_000, 10_000)
    assert (found.dispatch_cv2, found.plan_cv2) == (0, 0)
    assert judge(found).level == Level.VALID


def test_what_the_invokers_counted_is_held_against_the_rows(tmp_path):
    told = ({"counters": {"area_call_us": 700_000}}, {"counters": {"area_call_us": 500_000}})
    found = facts(finished_run(tmp_path, invokers=2, fleet=told))
    assert (found.in_flight_us, found.in_system_us) == (1_200_000, 1_200_000)


@pytest.mark.parametrize("fleet", [(), ({"counters": {"area_call_us": 1}},), ({"counters": {"area_call_us": 1}}, {"invoker": 1})])
def test_an_invoker_that_did_not_report_leaves_little_s_law_unasked(tmp_path, fleet):
    assert facts(finished_run(tmp_path, invokers=2, fleet=fleet)).in_flight_us is None


def test_the_lag_of_the_judge_is_known_even_for_few_calls(tmp_path):
    found = facts(finished_run(tmp_path, recipe(rps=10), lambda row: row | {"lag_us": 1_000 * row["seq"]}))
    assert found.lag_p99_us == 9_000


def test_bursts_are_seen_in_the_gaps_of_dispatches(tmp_path):
    def in_tens(row):
        return row | {"lag_us": 95_000 - row["intended_us"] % 100_000}

    found = facts(finished_run(tmp_path, change=in_tens))
    assert found.plan_cv2 == 0
    assert found.dispatch_cv2 == pytest.approx(10, rel=0.15)


def test_poisson_arrivals_vary_as_planned(tmp_path):
    found = facts(finished_run(tmp_path, recipe(rps=1000, arrivals="poisson")))
    assert found.poisson
    assert found.plan_cv2 == pytest.approx(found.dispatch_cv2) == pytest.approx(1, abs=0.2)
    assert judge(found).level == Level.VALID


def test_a_lost_invoker_is_invalid_with_all_that_it_left_undone(tmp_path):
    folder = new_run(tmp_path)
    record(folder, list(planned_rows(recipe()))[:60]).close()
    recovery = complete(folder, folder.load())
    verdict = judge(facts(folder, lost=recovery.incomplete_invokers))
    assert verdict.level == Level.INVALID
    assert "Invoker 0 was lost" in verdict.reasons[0]
    assert "60 % of the calls due were attempted" in verdict.reasons[1]
