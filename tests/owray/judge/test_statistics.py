"""Statistics that do not flatter, held against their definitions."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.judge.statistics import (
    LEAST_BEYOND,
    chance_of_count,
    is_shown,
    little_error,
    percentile,
    rank,
    send_ratio,
    squared_variation,
)
from owray.plan.arrivals import Poisson

samples = st.lists(st.integers(0, 10**6), min_size=1, max_size=400).map(sorted)
shares = st.sampled_from([0.5, 0.9, 0.95, 0.99])


@given(samples, shares)
def test_a_percentile_is_a_value_that_occurred_with_the_share_at_or_below_it(values, share):
    found = percentile(values, share)
    if found is None:
        return
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) <= share * len(values)


@given(samples, shares)
def test_a_percentile_is_told_only_with_ten_samples_beyond_its_rank(values, share):
    assert (percentile(values, share) is not None) == (len(values) - rank(len(values), share) >= LEAST_BEYOND)


@pytest.mark.parametrize(("share", "least"), [(0.5, 20), (0.9, 100), (0.99, 1000), (0.999, 10_000)])
def test_the_least_count_for_a_percentile_is_a_round_number(share, least):
    assert is_shown(least, share)
    assert not is_shown(least - 1, share)


@given(samples, shares, st.integers(0, 400))
def test_calls_that_never_ended_can_only_make_a_percentile_worse(values, share, more):
    alone = percentile(values, share)
    among = percentile(values, share, of=len(values) + more)
    if alone is not None:
        assert among >= alone


def test_with_more_refusals_than_the_percentile_leaves_room_for_it_is_infinite():
    assert percentile([5.0] * 98, 0.9, of=200) == math.inf
    assert percentile([5.0] * 190, 0.9, of=200) == 5.0


@pytest.mark.parametrize(("attempted", "planned", "ratio"), [(99, 100, 0.99), (0, 100, 0.0), (0, 0, 1.0)])
def test_the_send_ratio_is_the_share_of_planned_calls_attempted(attempted, planned, ratio):
    assert send_ratio(attempted, planned) == ratio


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)), min_size=1, max_size=50))
def test_little_s_law_holds_for_any_calls_whose_time_is_all_counted(calls):
    moments = sorted({start for start, _ in calls} | {start + length for start, length in calls})
    area = sum((after - before) * sum(start <= before < start + length for start, length in calls) for before, after in pairwise(moments))
    assert little_error(area, sum(length for _, length in calls)) == pytest.approx(0)


def test_little_s_law_tells_the_share_of_lost_time():
    assert little_error(100, 97) == pytest.approx(0.03)
    assert little_error(0, 0) == 0
    assert little_error(0, 5) == math.inf


def test_the_squared_variation_tells_constant_poisson_and_bursts_apart():
    poisson = np.diff(Poisson(seed=1).window(0)).tolist()
    assert squared_variation([200.0] * 1000) == 0
    assert squared_variation(poisson) == pytest.approx(1, abs=0.1)
    assert squared_variation([0.0] * 900 + [1000.0] * 100) == pytest.approx(9)
    assert squared_variation([]) is None
    assert squared_variation([0.0]) is None


def test_chance_grows_with_the_root_of_the_count():
    assert chance_of_count(400) == 60
