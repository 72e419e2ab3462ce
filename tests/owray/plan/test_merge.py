"""Streams come together in one order, whatever their windows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.arrivals import WINDOW_CALLS
from owray.plan.merge import merged

windows = st.lists(st.lists(st.integers(0, 50), max_size=5), max_size=5)


def stream(parts):
    """The parts as sorted windows of a stream."""
    flat = iter(sorted(value for part in parts for value in part))
    return [np.array([next(flat) for _ in part], dtype=np.int64) for part in parts]


@given(st.lists(windows, min_size=1, max_size=5))
def test_all_calls_come_in_order_of_due_time_each_with_its_stream(chosen):
    streams = [stream(parts) for parts in chosen]
    found = list(merged([iter(parts) for parts in streams]))
    due = [int(value) for part, _ in found for value in part]
    assert due == sorted(due)
    for number, parts in enumerate(streams):
        own = [int(value) for part, numbers in found for value in part[numbers == number]]
        assert own == [int(value) for part in parts for value in part]


def test_calls_due_at_once_come_in_the_order_of_their_streams():
    ((due, numbers),) = merged([iter([np.array([5, 7])]), iter([np.array([5, 7])])])
    assert (due.tolist(), numbers.tolist()) == ([5, 5, 7, 7], [0, 1, 0, 1])


def test_a_window_of_many_streams_is_no_longer_than_one_of_a_single_one():
    streams = [iter([np.arange(WINDOW_CALLS) * 10 + number]) for number in range(8)]
    lengths = [len(due) for due, _ in merged(streams)]
    assert max(lengths) <= WINDOW_CALLS
    assert sum(lengths) == 8 * WINDOW_CALLS
