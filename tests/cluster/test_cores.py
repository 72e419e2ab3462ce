"""How the cores of one machine are divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.cores import divide, of_this_process

core_sets = st.sets(st.integers(0, 255), min_size=1, max_size=64)


@given(core_sets.filter(lambda cores: len(cores) > 1))
def test_nothing_else_of_the_lab_runs_on_an_invokers_core(cores):
    divided = divide(cores)
    others = {*divided.front, *divided.containers, *divided.ray}
    assert divided.invokers
    assert not others & set(divided.invokers)


@given(core_sets)
def test_only_cores_that_may_be_used_are_given_away_and_none_is_forgotten(cores):
    divided = divide(cores)
    assert {*divided.invokers, *divided.containers} == cores
    assert {*divided.front, *divided.ray} <= cores


@given(core_sets)
def test_a_quarter_of_the_cores_but_at_least_one_is_for_invokers(cores):
    assert len(divide(cores).invokers) == max(1, len(cores) // 4)


def test_a_single_core_is_shared_by_everything():
    divided = divide([7])
    assert divided.invokers == divided.front == divided.containers == divided.ray == (7,)


def test_two_cores_are_one_for_the_invoker_and_one_for_the_rest():
    divided = divide([0, 1])
    assert (divided.invokers, divided.front, divided.containers, divided.ray) == ((1,), (0,), (0,), (0,))


@given(core_sets)
def test_without_a_platform_all_cores_but_the_first_are_the_invokers(cores):
    divided = divide(cores, platform=False)
    first, *others = sorted(cores)
    assert (divided.ray, divided.front, divided.containers) == ((first,), (), ())
    assert divided.invokers == (tuple(others) or (first,))


def test_no_core_at_all_is_refused():
    with pytest.raises(ValueError, match="no core"):
        divide([])


def test_this_process_has_cores_to_divide():
    assert of_this_process().invokers
