"""Every shape: calls in order, inside the storm, and at any moment as many as the integral of the rate."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owray.plan.arrivals import Even, Poisson, Uniform, due_us
from owray.plan.shapes import MOST_PIECES, Bursts, Ramp, Shape, Sine, Stages, Steps

levels = st.just(0.0) | st.floats(0.5, 5000)
ramps = st.builds(Ramp, start_rps=levels, end_rps=levels, duration_s=st.floats(0.1, 2))
stages = st.builds(Stages, st.lists(ramps, min_size=1, max_size=6).map(tuple))
sines = st.builds(
    lambda mean, share, period_s, duration_s: Sine(mean, mean * share, period_s, duration_s),
    st.floats(0.5, 5000),
    st.floats(0, 1),
    st.floats(0.05, 5),
    st.floats(0.1, 4),
)
counts = st.lists(st.integers(0, 900), min_size=1, max_size=12).map(tuple)
shapes = st.one_of(ramps, stages, sines, st.builds(Bursts, counts, st.floats(0.01, 1)), st.builds(Steps, counts, st.floats(0.01, 1)))
planning = shapes.filter(lambda shape: shape.expected_calls() > 0)
spacings = st.sampled_from([Even(), Uniform(7), Poisson(7)])


def all_due(shape, spacing=None):
    return np.concatenate([np.empty(0, np.int64), *due_us(shape, spacing or Even())])


def rate_at(shape, time_s):
    """The rate by its definition, not by its integral."""
    if isinstance(shape, Ramp):
        return shape.start_rps + (shape.end_rps - shape.start_rps) * time_s / shape.duration_s
    if isinstance(shape, Sine):
        return shape.mean_rps + shape.amplitude_rps * math.sin(2 * math.pi * time_s / shape.period_s)
    for ramp in shape.ramps:
        if time_s < ramp.duration_s:
            return rate_at(ramp, time_s)
        time_s -= ramp.duration_s
    return 0.0


@given(planning, spacings)
def test_due_times_rise_and_stay_inside_the_storm(shape, spacing):
    due = all_due(shape, spacing)
    assert (np.diff(due) >= 0).all()
    assert ((due >= 0) & (due <= shape.duration_s * 1e6 + 1)).all()


@given(planning)
def test_evenly_spaced_calls_are_as_many_as_the_integral_of_the_rate(shape):
    assert len(all_due(shape)) == pytest.approx(shape.expected_calls(), abs=0.5 + 1e-6 * shape.expected_calls())


@settings(max_examples=50)
@given(st.one_of(ramps, stages, sines).filter(lambda shape: shape.expected_calls() > 0), st.floats(0.05, 0.95))
def test_at_every_moment_the_integral_of_the_rate_has_been_called(shape, share):
    moment_s = share * shape.duration_s
    middles = (np.arange(4000) + 0.5) / 4000 * moment_s
    integral = np.mean([rate_at(shape, middle_s) for middle_s in middles]) * moment_s
    jump = 5000 * moment_s / 4000 * 6  # the sum above does not see where within its 4,000 pieces a stage ends
    assert np.searchsorted(all_due(shape), moment_s * 1e6) == pytest.approx(integral, abs=1.5 + jump)


@given(planning)
def test_a_shape_survives_being_written_as_json(shape):
    assert msgspec.convert(json.loads(msgspec.json.encode(shape)), Shape) == shape


@given(st.one_of(st.builds(Bursts, counts, st.floats(0.01, 1)), st.builds(Steps, counts, st.floats(0.01, 1))))
def test_a_shape_that_counts_has_exactly_those_counts(shape):
    wanted = shape.sizes if isinstance(shape, Bursts) else shape.counts
    piece_us = (shape.gap_s if isinstance(shape, Bursts) else shape.step_s) * 1e6
    if sum(wanted):
        found = np.bincount(np.floor((all_due(shape) + 0.5) / piece_us).astype(int))  # due times are whole microseconds, pieces may not be
        assert found.tolist() == list(wanted)[: len(found)]
        assert sum(wanted[len(found) :]) == 0


def test_calls_of_a_burst_are_due_at_once():
    due = all_due(Bursts((500, 0, 1000), 10.0))
    assert np.unique(due, return_counts=True)[0].tolist() == [0, 20_000_000]
    assert np.unique(due, return_counts=True)[1].tolist() == [500, 1000]


def test_a_pause_between_stages_has_no_call():
    due = all_due(Stages((Ramp(100, 100, 1), Ramp(0, 0, 5), Ramp(0, 200, 1), Ramp(0, 0, 3))))
    assert len(due) == 200
    assert not ((due > 1_000_000) & (due < 6_000_000)).any()
    assert due[-1] < 7_000_000


def test_a_ramp_of_one_stage_is_that_ramp():
    assert (all_due(Stages((Ramp(3, 900, 7),))) == all_due(Ramp(3, 900, 7))).all()


def test_a_sine_that_touches_zero_has_its_calls_in_order_and_swings_as_it_should():
    due = all_due(Sine(1000, 1000, 10, 100))
    assert (np.diff(due) >= 0).all()
    quarters = np.bincount(due // 2_500_000)[:40].reshape(10, 4)
    assert (np.ptp(quarters, axis=0) <= 1).all()
    assert quarters[0].tolist() == pytest.approx([2500 * (1 + 2 / math.pi)] * 2 + [2500 * (1 - 2 / math.pi)] * 2, abs=1)


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [(-1, 5, 1), (5, 5, 0), (5, 5, math.inf), (math.inf, 5, 1), (math.nan, 5, 1), (5, math.nan, 1), (5, 5, math.nan)],
)
def test_a_ramp_that_goes_backwards_or_without_end_is_refused(start, end, duration):
    with pytest.raises(ValueError, match="a duration above zero and rates of zero or more"):
        Ramp(start, end, duration)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Sine(10, 11, 1, 1), "an amplitude of at most that"),
        (lambda: Sine(0, 0, 1, 1), "a mean rate above zero"),
        (lambda: Sine(10, 1, 0, 1), "a period and a duration above zero"),
        (lambda: Bursts((1, -1), 1), "sizes of zero or more"),
        (lambda: Bursts((1,), 0), "a gap above zero"),
        (lambda: Steps((-1,), 1), "counts of zero or more"),
        (lambda: Steps((), 1), "1 to 100,000 steps"),
        (lambda: Steps((1,) * (MOST_PIECES + 1), 1), "1 to 100,000 steps"),
        (lambda: Stages(()), "1 to 100,000 stages"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (Ramp(500, 500, 10), "500 calls a second"),
        (Ramp(0, 5000, 60), "0 to 5000 calls a second"),
        (Stages((Ramp(0, 100, 1), Ramp(100, 100, 1))), "2 stages of up to 100 calls a second"),
        (Sine(1000, 500, 60, 600), "1000 ± 500 calls a second in waves of 60 s"),
        (Bursts((1000,), 1), "1,000 calls at once"),
        (Bursts((500, 2000), 10), "2 bursts of up to 2,000 calls, 10 s apart"),
        (Steps((3, 1200), 0.2), "2 steps of 0.2 s with up to 1,200 calls"),
    ],
)
def test_a_shape_tells_itself_in_a_few_words(shape, told):
    assert shape.told() == told
