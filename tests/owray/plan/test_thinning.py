"""Fewer or more of given calls: by the seed, and the same however they are cut into pieces."""

import numpy as np
import pytest

from owray.plan.thinning import copies, multiplied

ROWS = np.arange(100_000, dtype=np.int64)


@pytest.mark.parametrize("scale", [0.001, 0.3, 0.5, 2.3, 7.9])
def test_the_count_is_binomial_about_the_scale(scale):
    times = copies(ROWS, scale, 7)
    assert set(np.unique(times)) == {int(scale), int(scale) + 1}
    assert abs(times.sum() - scale * len(ROWS)) < 4 * np.sqrt(len(ROWS)) / 2


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_whole_scales_are_exact(scale):
    assert set(copies(ROWS, scale, 7)) == {int(scale)}


def test_another_seed_keeps_other_calls():
    assert (copies(ROWS, 0.5, 1) != copies(ROWS, 0.5, 2)).mean() == pytest.approx(0.5, abs=0.01)


def test_pieces_make_the_whole_and_none_is_large():
    rows = ROWS[:1000]
    pieces = list(multiplied(rows * 10, rows, rows, 5000.5, 3))
    assert max(len(due) for due, _ in pieces) < 2 << 20
    times = copies(rows, 5000.5, 3)
    assert (np.concatenate([kinds for _, kinds in pieces]) == np.repeat(rows, times)).all()
    assert all((due == kinds * 10).all() for due, kinds in pieces)
