"""Which action a call goes to: by weight, by its seq alone, and the same for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.mix import Entry, Mix, Variant


def entry(name="align", weight=1.0, variants=1):
    return Entry("genomics", name, "small", name, weight, tuple(Variant({"seed": number}) for number in range(variants)))


weights = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=12)
seeds = st.integers(0, 2**63 - 1)


@given(weights, seeds, st.integers(1, 9), st.integers(0, 2**40))
def test_every_choice_is_an_entry_and_one_of_its_variants(chosen_weights, seed, variants, first):
    mix = Mix([entry(f"a{index}", weight, variants) for index, weight in enumerate(chosen_weights)], seed)
    entries, picked = mix.choose(np.arange(first, first + 500))
    assert ((entries >= 0) & (entries < len(chosen_weights))).all()
    assert ((picked >= 0) & (picked < variants)).all()


@given(weights, seeds, st.lists(st.integers(0, 2**40), min_size=1, max_size=50))
def test_a_choice_depends_on_its_own_seq_only(chosen_weights, seed, seqs):
    mix = Mix([entry(f"a{index}", weight, 7) for index, weight in enumerate(chosen_weights)], seed)
    together = mix.choose(np.array(seqs, dtype=np.int64))
    alone = [mix.choose(np.array([seq], dtype=np.int64)) for seq in seqs]
    assert [(int(one[0][0]), int(one[1][0])) for one in alone] == list(zip(*(part.tolist() for part in together), strict=True))


def test_choices_follow_the_weights():
    entries, _ = Mix([entry("a", 5), entry("b", 3), entry("c", 2)], 11).choose(np.arange(100_000))
    assert np.bincount(entries) / 100_000 == pytest.approx([0.5, 0.3, 0.2], abs=0.006)  # four standard errors


def test_only_the_proportion_of_weights_counts():
    seqs = np.arange(5000)
    small, _ = Mix([entry("a", 0.1), entry("b", 0.2)], 3).choose(seqs)
    large, _ = Mix([entry("a", 1e200), entry("b", 2e200)], 3).choose(seqs)
    assert (small == large).all()


def test_every_variant_is_used_and_about_equally():
    _, picked = Mix([entry(variants=10)], 5).choose(np.arange(50_000))
    counts = np.bincount(picked, minlength=10)
    assert counts == pytest.approx([5000] * 10, rel=0.06)


def test_variants_do_not_go_along_with_entries_or_with_seqs():
    entries, picked = Mix([entry("a", variants=4), entry("b", variants=4)], 9).choose(np.arange(80_000))
    for one in (0, 1):
        assert np.bincount(picked[entries == one]) == pytest.approx([10_000] * 4, rel=0.06)
    for parity in (0, 1):
        assert np.bincount(entries[parity::2]) == pytest.approx([20_000] * 2, rel=0.04)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_another_seed_is_another_sequence_not_the_same_one_shifted(shift):
    mixes = [Mix([entry(variants=1000)], seed) for seed in (1, 1 + shift)]
    one, other = (mix.choose(np.arange(2000))[1] for mix in mixes)
    for offset in range(-8, 9):
        same = np.mean(one[10:-10] == np.roll(other, offset)[10:-10])
        assert same < 0.02


def test_a_seed_stands_for_these_choices_for_ever():
    entries, picked = Mix([entry("a", 1, 3), entry("b", 2, 100), entry("c", 0.5, 7)], 20260101).choose(np.arange(12))
    assert list(zip(entries.tolist(), picked.tolist(), strict=True)) == GOLDEN


GOLDEN = [(0, 2), (1, 87), (0, 2), (0, 2), (0, 2), (0, 1), (1, 29), (1, 56), (1, 6), (1, 0), (2, 6), (0, 1)]


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_that_is_no_number_above_zero_is_refused_by_the_name_of_its_action(weight):
    with pytest.raises(ValueError, match="weight of 'align' must be a number above zero"):
        entry(weight=weight)


def test_an_empty_mix_and_an_action_without_parameters_are_refused():
    with pytest.raises(ValueError, match="at least one action"):
        Mix([], 1)
    with pytest.raises(ValueError, match="'align' needs 1 to 32,767 sets of parameters"):
        entry(variants=0)


def test_more_choices_than_rows_can_name_are_refused():
    with pytest.raises(ValueError, match="got 32,768"):
        entry(variants=32_768)
    with pytest.raises(ValueError, match="at most 32,767 actions, got 32,768"):
        Mix([entry()] * 32_768, 1)
