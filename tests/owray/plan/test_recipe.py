"""A recipe makes the same calls everywhere, and can be written down and read back."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owray.plan.mix import Entry, Variant
from owray.plan.recipe import Plan, Recipe, Stream
from owray.plan.shapes import Bursts, Ramp, Steps

ALIGN = Entry("genomics", "align", "small", "align", 3.0, tuple(Variant({"seed": number}) for number in range(5)))
NOOP = Entry("micro", "noop", "small", "noop")


def in_one_stream(chosen):
    return tuple(replace(entry, stream=chosen[0].stream) for entry in chosen)


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
arrivals = st.sampled_from(["constant", "uniform", "poisson"])
steady_recipes = st.builds(
    Recipe.steady,
    rps=st.floats(0.5, 5000),
    duration_s=st.floats(0.1, 3),
    entries=st.lists(entries, min_size=1, max_size=4).map(in_one_stream),
    arrivals=arrivals,
    seed=st.integers(0, 2**63 - 1),
    warmup_s=st.floats(0, 2),
    calls=st.none() | st.integers(1, 5000),
)
streams = st.builds(
    Stream,
    st.builds(Ramp, st.floats(0.5, 2000), st.floats(0, 2000), st.floats(0.1, 3)) | st.builds(Steps, st.just((5, 0, 70)), st.floats(0.1, 1)),
    arrivals,
    st.none(),
    st.floats(0, 4),
)
recipes = steady_recipes | st.builds(
    lambda chosen, seed, calls: Recipe(
        tuple(replace(stream, name=str(number)) for number, stream in enumerate(chosen)),
        tuple(replace(entry, stream=str(number % len(chosen))) for number, entry in enumerate([ALIGN, NOOP, ALIGN, NOOP, NOOP])),
        seed,
        calls=calls,
    ),
    st.lists(streams, min_size=1, max_size=5),
    st.integers(0, 2**63 - 1),
    st.none() | st.integers(1, 5000),
)


def recipe(**changes):
    return Recipe.steady(**{"rps": 700.0, "duration_s": 20.0, "entries": (ALIGN, NOOP), "arrivals": "poisson", "seed": 42, **changes})


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


@pytest.mark.parametrize("kind", ["constant", "uniform", "poisson"])
@pytest.mark.parametrize("invokers", [1, 2, 4, 7])
def test_the_same_seed_gives_the_same_plan_on_any_number_of_invokers(kind, invokers):
    plan = Plan(recipe(arrivals=kind))
    whole = calls_of(plan.windows())
    assert len(whole) > 3 * 4096  # several windows
    assert sorted(call for invoker in range(invokers) for call in calls_of(Plan(recipe(arrivals=kind)).share(invoker, invokers))) == whole


@given(st.integers(1, 20_000), st.floats(0.5, 5000), arrivals, st.integers(0, 2**63 - 1))
def test_a_count_of_calls_is_kept_exactly(calls, rps, kind, seed):
    chosen = Recipe.steady(rps, Recipe.duration_of(calls, rps), (NOOP,), kind, seed=seed, calls=calls)
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


def streams_of(*chosen):
    entries = (replace(ALIGN, stream="heavy"), replace(NOOP, stream="light"), replace(NOOP, stream="heavy", weight=1.0))
    return Recipe(chosen, entries, seed=5)


HEAVY = Stream(Ramp(50, 50, 4), "poisson", "heavy")
LIGHT = Stream(Ramp(2000, 0, 6), "uniform", "light", start_s=3.0)


def test_streams_are_played_together_each_with_its_own_mix_and_window():
    calls = calls_of(Plan(streams_of(HEAVY, LIGHT)).windows())
    heavy = [due for _, due, entry, _ in calls if entry != 1]
    light = [due for _, due, entry, _ in calls if entry == 1]
    assert (max(heavy) < 4e6, min(light) >= 3e6, max(light) <= 9e6, len(light)) == (True, True, True, 6000)
    assert heavy == [due for window in HEAVY.due_us(5, 0) for due in window.tolist()]
    chosen = [entry for *_, entry, _ in calls if entry != 1]
    assert chosen.count(0) / len(chosen) == pytest.approx(0.75, abs=0.1)


def test_a_plan_of_streams_lasts_until_the_last_of_them_ends():
    chosen = streams_of(HEAVY, LIGHT)
    assert (chosen.duration_s, Plan(chosen).length_us()) == (9.0, 9_000_000)
    assert chosen.mean_rps == pytest.approx(6200 / 9)


def test_an_outline_counts_each_call_in_its_bin():
    plan = Plan(streams_of(HEAVY, LIGHT))
    due = [call[1] for call in calls_of(plan.windows())]
    outline = plan.outline(0.5)
    assert (outline.calls, outline.last_us) == (len(due), due[-1])
    assert outline.per_bin.tolist() == np.bincount(np.array(due) // 500_000, minlength=len(outline.per_bin)).tolist()
    assert outline.peak_rps == max(outline.per_bin) / 0.5


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
        ({"arrivals": "bursty"}, "arrivals are one of constant, uniform, poisson, not 'bursty'"),
        ({"seed": -1}, "a seed lies between 0 and 2\\^63 - 1, got -1"),
        ({"seed": 2**63}, "a seed lies between"),
        ({"warmup_s": -1.0}, "a warm-up is a number of seconds, zero or more, got -1.0 s"),
        ({"warmup_s": float("nan")}, "a warm-up is"),
        ({"calls": 0}, "a storm needs at least one call, got 0"),
        ({"rps": 0.0}, "the stream 'main' plans no call"),
        ({"rps": -5.0}, "rates of zero or more"),
        ({"duration_s": 0.0}, "a duration above zero"),
        ({"duration_s": float("inf")}, "a duration above zero"),
        ({"rps": 1e6, "duration_s": 1e6}, "more than the 1,000,000,000"),
        ({"entries": ()}, "each stream needs an action"),
    ],
)
def test_a_recipe_that_cannot_be_played_is_refused_with_its_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stream(Ramp(1, 1, 1), start_s=-1.0), "starts at a number of seconds"),
        (lambda: Stream(Bursts((5,), 1), "poisson"), "there is nothing to space"),
        (lambda: Recipe((), (NOOP,)), "1 to 64 streams"),
        (lambda: Recipe((HEAVY, HEAVY), (replace(NOOP, stream="heavy"),)), "each with a name of its own"),
        (lambda: Recipe((HEAVY,), (NOOP,)), "each stream needs an action and each action a stream"),
        (lambda: Recipe((HEAVY, LIGHT), (replace(NOOP, stream="heavy"),)), "each stream needs an action"),
    ],
)
def test_streams_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("chosen", "told", "kind"),
    [
        (recipe(), "700 calls a second", "poisson"),
        (streams_of(HEAVY, LIGHT), "2 streams of 688.889 calls a second together", "mixed"),
    ],
)
def test_a_recipe_tells_its_rate_in_a_few_words(chosen, told, kind):
    assert (chosen.told(), chosen.arrivals) == (told, kind)
