"""A recipe makes the same calls everywhere, and can be written down and read back."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owray.plan.mix import Entry, Variant
from owray.plan.recipe import Plan, Recipe

names = st.text("abcdefghij-_", min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
variants = st.builds(Variant, st.dictionaries(st.text(max_size=5), json_values, max_size=3), st.none() | names)
entries = st.builds(
    Entry, names, names, names, names, st.floats(1e-3, 1e3), st.lists(variants, min_size=1, max_size=4).map(tuple), stream=names
)
arrivals = st.sampled_from(["constant", "poisson"])
recipes = st.builds(
    Recipe,
    rps=st.floats(0.5, 5000),
    duration_s=st.floats(0.1, 3),
    entries=st.lists(entries, min_size=1, max_size=4).map(tuple),
    arrivals=arrivals,
    seed=st.integers(0, 2**63 - 1),
    warmup_s=st.floats(0, 2),
    calls=st.none() | st.integers(1, 5000),
)

ALIGN = Entry("genomics", "align", "small", "align", 3.0, tuple(Variant({"seed": number}) for number in range(5)))
NOOP = Entry("micro", "noop", "small", "noop")


def recipe(**changes):
    return Recipe(**{"rps": 700.0, "duration_s": 20.0, "entries": (ALIGN, NOOP), "arrivals": "poisson", "seed": 42, **changes})


def calls_of(windows):
    """(seq, due, entry, variant) of every call."""
    return [
        call
        for window in windows
        for call in zip(window.seqs.tolist(), window.due_us.tolist(), window.entries.tolist(), window.variants.tolist(), strict=True)
    ]


@given(recipes)
def test_a_recipe_survives_being_written_as_json(chosen):
    assert msgspec.convert(json.loads(json.dumps(chosen.to_json())), Recipe) == chosen


@settings(max_examples=40)
@given(recipes)
def test_a_plan_is_numbered_from_zero_in_order_of_due_times(chosen):
    calls = calls_of(Plan(chosen).windows())
    assert [call[0] for call in calls] == list(range(Plan(chosen).count()))
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)
    assert all(0 <= call[2] < len(chosen.entries) and 0 <= call[3] < len(chosen.entries[call[2]].variants) for call in calls)


@settings(max_examples=40)
@given(recipes, st.integers(1, 9))
def test_shares_partition_the_plan(chosen, invokers):
    plan = Plan(chosen)
    dealt = [calls_of(plan.share(invoker, invokers)) for invoker in range(invokers)]
    assert sorted(call for share in dealt for call in share) == calls_of(plan.windows())
    assert all(call[0] % invokers == invoker for invoker, share in enumerate(dealt) for call in share)


@pytest.mark.parametrize("kind", ["constant", "poisson"])
@pytest.mark.parametrize("invokers", [1, 2, 4, 7])
def test_the_same_seed_gives_the_same_plan_on_any_number_of_invokers(kind, invokers):
    plan = Plan(recipe(arrivals=kind))
    whole = calls_of(plan.windows())
    assert len(whole) > 3 * 4096  # several windows
    assert sorted(call for invoker in range(invokers) for call in calls_of(Plan(recipe(arrivals=kind)).share(invoker, invokers))) == whole


@given(st.integers(1, 20_000), st.floats(0.5, 5000), arrivals, st.integers(0, 2**63 - 1))
def test_a_count_of_calls_is_kept_exactly(calls, rps, kind, seed):
    chosen = Recipe(rps, Recipe.duration_of(calls, rps), (NOOP,), kind, seed, calls=calls)
    assert Plan(chosen).count() == calls


def test_a_count_of_calls_only_cuts_the_plan_off():
    longer = calls_of(Plan(recipe()).windows())
    assert calls_of(Plan(recipe(calls=5000)).windows()) == longer[:5000]


def test_a_plan_without_a_count_lasts_its_duration():
    assert Plan(recipe(duration_s=1.5)).length_us() == 1_500_000


def test_a_counted_plan_lasts_until_its_last_call_is_due():
    plan = Plan(recipe(calls=5000))
    assert plan.length_us() == calls_of(plan.windows())[-1][1]


def test_no_window_is_empty_however_few_calls_there_are():
    plan = Plan(recipe(calls=3))
    assert [len(window) for invoker in range(5) for window in plan.share(invoker, 5)] == [1, 1, 1]
    assert Plan(recipe(rps=0.1, duration_s=1.0, arrivals="constant")).count() == 0


def test_a_share_costs_no_copy_of_the_whole_plan_in_memory():
    first = next(iter(Plan(recipe(rps=20_000.0, duration_s=3600.0, calls=50_000_000)).share(3, 4)))
    assert len(first) == 1024 or abs(len(first) - 1024) < 200
    assert first.seqs[:3].tolist() == [3, 7, 11]


def test_a_recipe_stands_for_this_plan_for_ever():
    calls = np.array(calls_of(Plan(recipe()).windows()), dtype=np.int64)
    assert calls[:5].tolist() == GOLDEN_CALLS
    assert (len(calls), *calls[:, 2:].sum(axis=0).tolist()) == GOLDEN_SUMS


GOLDEN_CALLS = [[0, 2451, 0, 3], [1, 2751, 0, 0], [2, 5640, 0, 4], [3, 6357, 0, 1], [4, 7013, 0, 4]]
GOLDEN_SUMS = (14044, 3584, 20978)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arrivals": "bursty"}, "arrivals are one of constant, poisson, not 'bursty'"),
        ({"seed": -1}, "a seed lies between 0 and 2\\^63 - 1, got -1"),
        ({"seed": 2**63}, "a seed lies between"),
        ({"warmup_s": -1.0}, "a warm-up is a number of seconds, zero or more, got -1.0 s"),
        ({"warmup_s": float("nan")}, "a warm-up is"),
        ({"calls": 0}, "a storm needs at least one call, got 0"),
        ({"rps": 0.0}, "a duration and a rate above zero"),
        ({"rps": -5.0}, "a duration and a rate above zero"),
        ({"duration_s": 0.0}, "a duration and a rate above zero"),
        ({"duration_s": float("inf")}, "a duration and a rate above zero"),
    ],
)
def test_a_recipe_that_cannot_be_played_is_refused_with_its_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


def test_a_plan_of_no_actions_is_refused():
    with pytest.raises(ValueError, match="at least one action"):
        Plan(recipe(entries=()))
