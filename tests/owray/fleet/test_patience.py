"""When an invoker that does not answer is given up."""

from hypothesis import given
from hypothesis import strategies as st

from owray.fleet.patience import Patience, Waits

TIMEOUT_S = 90
END_S = 100
WAITS = Waits()
moments_s = st.integers(0, 1_000)


def ns(moment_s):
    return round(moment_s * 1e9)


def patience(stopped_s=None, cut_s=None):
    asked = Patience(ns(END_S + TIMEOUT_S), WAITS)
    if stopped_s is not None:
        asked.stopped(ns(stopped_s), ns(TIMEOUT_S))
    if cut_s is not None:
        asked.cut(ns(cut_s))
    return asked


@given(moments_s, st.floats(0, WAITS.silent_after_cut_s), st.none() | moments_s, st.none() | moments_s)
def test_who_answers_is_never_given_up(now_s, silent_s, stopped_s, cut_s):
    assert not patience(stopped_s, cut_s).is_over(ns(now_s), ns(now_s - silent_s))


@given(st.integers(0, END_S + TIMEOUT_S))
def test_silence_is_borne_as_long_as_a_call_may_be_under_way(now_s):
    assert not patience().is_over(ns(now_s), 0)


def test_silence_after_the_last_call_must_have_ended_is_too_much():
    last_s = END_S + TIMEOUT_S + WAITS.silent_s
    assert not patience().is_over(ns(last_s), ns(50))
    assert patience().is_over(ns(last_s + 0.1), ns(50))


def test_a_stop_brings_the_end_nearer_and_never_further_away():
    assert patience(stopped_s=10).is_over(ns(10 + TIMEOUT_S + WAITS.silent_s + 0.1), ns(5))
    assert not patience(stopped_s=10).is_over(ns(10 + TIMEOUT_S + WAITS.silent_s), ns(5))
    assert patience(stopped_s=150).is_over(ns(END_S + TIMEOUT_S + WAITS.silent_s + 0.1), ns(5))


def test_a_cut_leaves_some_seconds_and_a_second_one_no_more():
    asked = patience(cut_s=20)
    asked.cut(ns(24))
    assert not asked.is_over(ns(20 + WAITS.silent_after_cut_s), ns(5))
    assert asked.is_over(ns(20 + WAITS.silent_after_cut_s + 0.1), ns(5))
