"""The published series that come with owray."""

import numpy as np
import pytest

from owray.plan.bundled import BUNDLED, bundled
from owray.plan.mix import Entry
from owray.plan.recipe import Plan, Recipe, Stream


def test_the_elasticity_series_of_2018_is_as_published():
    steps = BUNDLED["lee2018"]
    assert (len(steps.counts), sum(steps.counts), min(steps.counts), max(steps.counts)) == (271, 10_005, 10, 88)
    assert (steps.step_s, steps.peak_rps, steps.duration_s) == (0.2, 440, pytest.approx(54.2))


def test_each_step_of_the_plan_has_exactly_its_calls():
    steps = bundled("lee2018")
    plan = Plan(Recipe((Stream(steps),), (Entry("micro", "noop", "small", "noop"),)))
    due_us = np.concatenate([window.due_us for window in plan.windows()])
    assert np.bincount(due_us // 200_000).tolist() == list(steps.counts)


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.5, 11.4])
def test_scale_multiplies_each_step_and_rounds_it(scale):
    for count, times in zip(bundled("lee2018").counts, bundled("lee2018", scale).counts, strict=True):
        assert abs(times - count * scale) <= 0.5


def test_scaled_to_peak_at_5_000_calls_a_second():
    assert bundled("lee2018", 11.4).peak_rps == pytest.approx(5000, rel=0.01)


def test_speed_shortens_the_steps():
    assert bundled("lee2018", speed=2.0).duration_s == pytest.approx(27.1)


def test_a_scale_that_leaves_no_call_is_refused():
    with pytest.raises(ValueError, match=r"lee2018 scaled by 0.001 has no call"):
        bundled("lee2018", 0.001)


def test_there_is_no_other():
    assert bundled("lee2019") is None
