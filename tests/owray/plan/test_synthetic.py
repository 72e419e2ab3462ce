"""The trace that is made has the statistics it is said to have."""

import numpy as np
import pytest

from owray.plan.synthetic import DURATION_MU, DURATION_SIGMA, RATE_SIGMA, TOP_APPS, Function, arrivals_us, functions

MANY = functions(5000, 1000.0, 1)


def test_durations_are_log_normal():
    logs = np.log([function.duration_s for function in MANY])
    assert (logs.mean(), logs.std()) == (pytest.approx(DURATION_MU, abs=0.01), pytest.approx(DURATION_SIGMA, rel=0.01))


def test_few_functions_make_nearly_all_calls():
    assert pytest.approx(3.545, abs=0.005) == RATE_SIGMA
    rates = np.array([function.rps for function in MANY])
    assert rates.sum() == pytest.approx(1000)
    assert rates[: int(TOP_APPS * len(rates))].sum() / rates.sum() == pytest.approx(0.996, abs=0.002)


def test_functions_are_timers_bursty_or_neither_in_their_shares():
    cvs = np.array([function.cv for function in MANY])
    assert [(cvs == cv).mean() for cv in (0, 1, 2)] == [pytest.approx(share, abs=0.001) for share in (0.16, 0.44, 0.40)]


@pytest.mark.parametrize("cv", [0.0, 1.0, 2.0])
def test_gaps_have_their_coefficient_of_variation_and_their_rate(cv):
    due_us = np.concatenate(list(arrivals_us(Function(3, 100.0, 1.0, cv), 2000.0, 5)))
    gaps = np.diff(due_us)
    assert gaps.min() >= 0
    assert due_us[-1] < 2_000_000_000
    assert gaps.std() / gaps.mean() == pytest.approx(cv, abs=0.03)
    assert len(due_us) == pytest.approx(200_000, rel=0.02)


def test_the_same_seed_makes_the_same_trace_and_another_another():
    assert functions(50, 5.0, 1) == functions(50, 5.0, 1)
    assert functions(50, 5.0, 1) != functions(50, 5.0, 2)
    one, same, other = (np.concatenate(list(arrivals_us(MANY[0], 10.0, seed))) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()
