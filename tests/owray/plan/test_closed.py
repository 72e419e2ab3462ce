"""A closed loop as a plan: an order of calls without times, whose number is known beforehand or afterwards."""

import json
from itertools import chain, islice

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.arrivals import WINDOW_CALLS
from owray.plan.closed import Closed
from owray.plan.mix import Entry
from owray.plan.recipe import Plan, Recipe, Stream
from owray.plan.shapes import Ramp

NOOP = Entry("micro", "noop", "", "noop")
ALIGN = Entry("genomics", "align", "small", "align", 3.0)


def loop(calls=None, **values):
    return Recipe((Stream(Closed(**{"users": 4, "duration_s": 5.0} | values)),), (NOOP, ALIGN), calls=calls)


def seqs(windows):
    return [seq for window in windows for seq in window.seqs.tolist()]


def choices(windows):
    return {seq: entry for window in windows for seq, entry in zip(window.seqs.tolist(), window.entries.tolist(), strict=True)}


@pytest.mark.parametrize("calls", [1, 10, WINDOW_CALLS, WINDOW_CALLS + 1])
def test_counted_calls_are_exactly_so_many_and_shared_out(calls):
    plan = Plan(loop(calls))
    assert plan.count() == len(plan.planned()) == calls
    assert seqs(plan.windows()) == list(range(calls))
    assert [seqs(plan.share(invoker, 3)) for invoker in range(3)] == [list(range(invoker, calls, 3)) for invoker in range(3)]


def test_invokers_of_a_loop_that_time_ends_are_dealt_calls_without_end_and_nobody_knows_how_many():
    recipe = loop()
    assert recipe.is_open_ended
    plan = Plan(recipe)
    assert seqs(islice(plan.share(1, 2), 3)) == list(range(1, 3 * WINDOW_CALLS, 2))
    assert (list(plan.windows()), plan.count(), len(plan.planned())) == ([], 0, 0)


@given(st.lists(st.integers(0, 6000), min_size=1, max_size=4).map(tuple))
def test_the_plan_is_then_exactly_what_each_invoker_began(dealt):
    recipe = loop().as_dealt(dealt)
    assert not recipe.is_open_ended
    plan, invokers = Plan(recipe), len(dealt)
    began = [list(range(invoker, invoker + count * invokers, invokers)) for invoker, count in enumerate(dealt)]
    assert [seqs(plan.share(invoker, invokers)) for invoker in range(invokers)] == began
    assert seqs(plan.windows()) == np.flatnonzero(plan.planned()).tolist() == sorted(chain(*began))
    assert plan.count() == sum(dealt)


def test_the_calls_that_were_dealt_are_those_that_the_invokers_were_given():
    given_out = choices(islice(Plan(loop()).share(1, 2), 2))
    again = choices(Plan(loop().as_dealt((3000, 2500))).share(1, 2))
    assert len(again) == 2500
    assert again.items() <= given_out.items()


@pytest.mark.parametrize("recipe", [loop(), loop(7), loop(think_s=0.1), loop().as_dealt((3, 0, 2))])
def test_the_recipe_is_kept_as_it_is(recipe):
    assert msgspec.convert(json.loads(json.dumps(recipe.to_json())), Recipe) == recipe


def test_it_is_told_by_its_users_and_labelled():
    assert (loop(think_s=0.1).told(), loop(users=1).told(), loop().arrivals) == ("4 users thinking for 0.1 s", "1 user", "closed loop")
    assert Plan(loop()).length_us() == 5_000_000


@pytest.mark.parametrize("wrong", [{"users": 0}, {"think_s": -1.0}, {"duration_s": 0.0}, {"duration_s": float("inf")}, {"dealt": (3, -1)}])
def test_a_loop_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"closed loop needs|begins no call"):
        loop(**wrong)


def test_it_has_no_arrivals_and_is_alone():
    with pytest.raises(ValueError, match="they have no arrivals"):
        Stream(Closed(2), "poisson")
    with pytest.raises(ValueError, match="alone in its recipe"):
        Recipe((Stream(Closed(2)), Stream(Ramp(1, 1, 1), name="b")), (NOOP, Entry("micro", "noop", "", "noop", stream="b")))
