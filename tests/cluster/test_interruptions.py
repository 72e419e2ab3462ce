"""Signals that end a command: the first unwinds it, and none does while they are held back."""

import signal

import pytest

from cluster.interruptions import TOLD_TO_END, WITH_CTRL_C, first_unwinds, held_back


def interrupted(number, undone):
    """Work that a signal ends, and whose undoing all signals disturb."""
    with first_unwinds(WITH_CTRL_C):
        try:
            signal.raise_signal(number)
        finally:
            for again in WITH_CTRL_C:
                signal.raise_signal(again)
            undone.append("all")


def not_disturbed(number, done):
    with first_unwinds(TOLD_TO_END), held_back():
        signal.raise_signal(number)
        done.append("all")


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt()), (signal.SIGTERM, SystemExit(143)), (signal.SIGHUP, SystemExit(129))]
)
def test_the_first_signal_unwinds_and_a_further_one_does_not_end_the_unwinding(number, ending):
    before = {each: signal.getsignal(each) for each in WITH_CTRL_C}
    undone = []
    with pytest.raises(type(ending)) as raised:
        interrupted(number, undone)
    assert (raised.value.args, undone) == (ending.args, ["all"])
    assert {each: signal.getsignal(each) for each in WITH_CTRL_C} == before


def test_what_is_switched_off_stays_off():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with first_unwinds(TOLD_TO_END):
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_that_are_held_back_come_when_it_is_done():
    done = []
    with pytest.raises(SystemExit):
        not_disturbed(signal.SIGTERM, done)
    assert done == ["all"]
