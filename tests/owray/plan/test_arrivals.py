"""When calls are due: properties of every rate with every spacing, and the values that a seed stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.arrivals import WINDOW_CALLS, Even, Poisson, Uniform, due_us
from owray.plan.shapes import Ramp

rates = st.builds(Ramp, start_rps=st.floats(0.1, 20_000), end_rps=st.floats(0.0, 20_000), duration_s=st.floats(0.5, 3))
seeds = {"seed": st.integers(0, 2**63 - 1), "stream": st.integers(0, 9)}
spacings = st.one_of(st.just(Even()), st.builds(Uniform, **seeds), st.builds(Poisson, **seeds))


def all_due(rate, spacing):
    return np.concatenate([np.empty(0, np.int64), *due_us(rate, spacing)])


@given(rates, spacings)
def test_due_times_rise_and_stay_inside_the_storm(rate, spacing):
    due = all_due(rate, spacing)
    assert (np.diff(due) >= 0).all()
    assert ((due >= 0) & (due <= rate.duration_s * 1e6 + 1)).all()


@given(rates)
def test_evenly_spaced_calls_are_as_many_as_the_integral_of_the_rate(rate):
    assert len(all_due(rate, Even())) == int(np.ceil(rate.expected_calls() - 0.5))


@given(rates, st.floats(0.05, 0.95))
def test_at_every_moment_of_a_ramp_the_integral_of_the_rate_has_been_called(rate, share):
    moment_s = share * rate.duration_s
    slope = (rate.end_rps - rate.start_rps) / rate.duration_s
    expected = rate.start_rps * moment_s + slope * moment_s**2 / 2
    called = int(np.searchsorted(all_due(rate, Even()), moment_s * 1e6))
    assert called == pytest.approx(expected, abs=1.0)


@given(spacings, st.integers(0, 2000))
def test_a_window_needs_no_other_window(spacing, index):
    window = spacing.window(index)
    assert (spacing.window(index) == window).all()
    assert index * WINDOW_CALLS <= window[0] <= window[-1] <= (index + 1) * WINDOW_CALLS


def test_a_constant_rate_starts_half_a_step_in_and_never_drifts():
    due = all_due(Ramp(3, 3, 100_000), Even())
    assert len(due) == 300_000
    assert (due == np.rint((np.arange(300_000) + 0.5) / 3 * 1e6)).all()


def test_uniform_arrivals_are_one_in_each_step_anywhere_in_it():
    due = all_due(Ramp(1000, 1000, 20), Uniform(3))
    within = due - 1000 * np.arange(20_000)
    assert ((within >= 0) & (within <= 1000)).all()
    assert np.mean(within) == pytest.approx(500, abs=10)
    assert np.std(within) == pytest.approx(1000 / np.sqrt(12), abs=5)


def test_poisson_counts_vary_as_poisson_counts_do():
    counts = [len(all_due(Ramp(500, 500, 2), Poisson(seed))) for seed in range(400)]
    assert np.mean(counts) == pytest.approx(1000, abs=5)  # three standard errors
    assert np.var(counts) == pytest.approx(1000, rel=0.25)


def test_poisson_gaps_are_exponential_across_window_borders_too():
    gaps = np.diff(all_due(Ramp(1000, 1000, 40), Poisson(7))) / 1e3  # in units of the mean gap
    assert np.mean(gaps) == pytest.approx(1.0, abs=0.02)
    assert np.std(gaps) == pytest.approx(1.0, abs=0.03)
    for point in (0.1, 0.5, 1.0, 2.0, 4.0):
        assert np.mean(gaps > point) == pytest.approx(np.exp(-point), abs=0.01)


def test_seeds_and_streams_are_strangers_to_each_other():
    rate = Ramp(200, 200, 20)
    counted = {
        name: np.histogram(all_due(rate, Poisson(*key)), bins=200, range=(0, 20e6))[0]
        for name, key in {"one": (1, 0), "next seed": (2, 0), "next stream": (1, 1)}.items()
    }
    for other in ("next seed", "next stream"):
        assert abs(np.corrcoef(counted["one"], counted[other])[0, 1]) < 0.3


def test_a_seed_stands_for_these_times_for_ever():
    due = all_due(Ramp(1000, 1000, 10), Poisson(20260101))
    assert due[:8].tolist() == GOLDEN_DUE
    assert (len(due), int(due[4999]), int(due[-1])) == GOLDEN_LATE


GOLDEN_DUE = [1240, 1639, 1959, 2673, 4031, 4839, 5889, 7775]
GOLDEN_LATE = (10212, 4884454, 9999964)
