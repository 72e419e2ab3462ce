"""What becomes of an objective, and how it is told."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.judge.objectives import parse
from owray.judge.results import ObjectiveResult, State, all_met, judge_objectives
from owray.record.metrics import Measurement


def result(text, value, calls=1_000, part=None):
    return ObjectiveResult(parse(text), Measurement(value, calls, part))


@pytest.mark.parametrize(
    ("found", "state", "sentence"),
    [
        (result("p99<500ms", 499_999), "met", "p99<500ms is met: 499.999 ms."),
        (result("p99<500ms", 12_020), "met", "p99<500ms is met: 12 ms."),
        (result("p99<2s", 2_310_000), "missed", "p99<2s is missed: 2.31 s."),
        (result("p99<2s", 12_020), "met", "p99<2s is met: 0.012 s."),
        (result("p99<1m", 63_000_000), "missed", "p99<1m is missed: 1.05 m."),
        (result("p99<500us", 12_020), "missed", "p99<500us is missed: 12,020 us."),
        (result("p99<500ms", 500_000), "missed", "p99<500ms is missed: 500 ms."),
        (result("p99<500ms", math.inf), "missed", "p99<500ms is missed: never: too many calls were not ok."),
        (result("ok>99.9%", 0.999, 1_000, 999), "missed", "ok>99.9% is missed: 99.9 % (999 of 1,000 calls)."),
        (result("ok>=99.9%", 0.999, 1_000, 999), "met", "ok>=99.9% is met: 99.9 % (999 of 1,000 calls)."),
        (result("cold<1%", 0.25, 400, 100), "missed", "cold<1% is missed: 25 % (100 of 400 starts)."),
        (result("rps>95", 99.96), "met", "rps>95/s is met: 100 a second."),
        (result("in-flight<20000", 1_200.0), "met", "in-flight<20000 is met: 1,200 calls."),
        (
            result("p99<1s", None, 40),
            "undecided",
            "p99<1s is undecided, which is not met: it takes 1,000 calls to have 10 beyond p99, and there were 40.",
        ),
        (
            result("cold<1%", None, 0),
            "undecided",
            "cold<1% is undecided, which is not met: it takes a call to tell cold from, and there was none.",
        ),
    ],
)
def test_an_objective_is_met_missed_or_undecided_and_says_why(found, state, sentence):
    assert (found.state, found.sentence) == (State(state), sentence)


@given(st.integers(0, 2_000_000), st.integers(1, 2_000_000), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_value_is_never_rounded_across_its_bound(value_us, bound_us, sign):
    found = result(f"p99{sign}{bound_us}us", value_us)
    number, unit = found.found.replace(",", "").split()
    shown_us = float(number) * {"us": 1, "ms": 1_000, "s": 1_000_000}[unit]
    assert found.objective.holds(round(shown_us, 3)) == (found.state is State.MET)
    assert str(found.objective).endswith(unit)


@given(st.integers(1, 10**7), st.data())
def test_nor_is_a_share(calls, data):
    part = data.draw(st.integers(0, calls))
    found = result("ok>99.9%", part / calls, calls, part)
    assert (float(found.found.partition(" %")[0]) > 99.9) == (found.state is State.MET)


def test_what_was_not_asked_for_is_met_and_what_is_undecided_is_not():
    assert all_met([])
    assert all_met([result("p99<1s", 1)])
    assert not all_met([result("p99<1s", 1), result("p99<1s", None)])


def test_results_come_in_the_order_of_the_objectives():
    objectives = [parse("p99<1s"), parse("ok>99%")]
    results = judge_objectives(objectives, [Measurement(1, 1_000), Measurement(0.5, 1_000, 500)])
    assert [(each.objective, each.state) for each in results] == [(objectives[0], State.MET), (objectives[1], State.MISSED)]


@pytest.mark.parametrize(("value", "written"), [(12_020.0, 12_020.0), (math.inf, "inf"), (None, None)])
def test_json_has_a_text_for_a_time_that_never_came(value, written):
    document = result("p99<500ms", value).to_json()
    assert json.loads(json.dumps(document, allow_nan=False))["value"] == written
    assert list(document) == ["objective", "state", "value", "bound", "unit", "calls", "sentence"]
