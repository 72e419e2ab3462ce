"""What is heard of interruptions: each of them, also while the command is deep in a call that knows nothing of Python."""

import hashlib
import os
import signal
import threading
import time

import pytest

from owray.storm.interruptions import noted, unwinding

GAP_S = 0.02


def deaf_meanwhile(work):
    """Do it in a thread, while this one is in a call during which no handler of Python's runs."""
    worker = threading.Thread(target=work)
    worker.start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 500_000)
    worker.join()


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        ([signal.SIGINT], ["Ctrl-C"]),
        ([signal.SIGINT, signal.SIGINT], ["Ctrl-C", "Ctrl-C"]),
        ([signal.SIGTERM, signal.SIGINT], ["SIGTERM", "Ctrl-C"]),
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGINT], ["SIGHUP", "Ctrl-C"]),
    ],
)
def test_each_interruption_counts_in_its_order_and_a_terminal_closes_once(sent, heard):
    def send():
        for number in sent:
            os.kill(os.getpid(), number)
            time.sleep(GAP_S)

    with noted() as interruptions:
        deaf_meanwhile(send)
        assert interruptions.take() == heard
        assert interruptions.take() == []


def test_other_signals_are_none():
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with noted() as interruptions:
            signal.raise_signal(signal.SIGUSR1)
            assert interruptions.take() == []
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_while_unwinding_an_interruption_is_raised_and_afterwards_noted_again():
    with noted() as interruptions:
        with pytest.raises(KeyboardInterrupt), unwinding():
            signal.raise_signal(signal.SIGTERM)
        interruptions.take()
        signal.raise_signal(signal.SIGINT)
        assert interruptions.take() == ["Ctrl-C"]


def test_afterwards_all_is_as_before():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with noted():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert signal.set_wakeup_fd(-1) == -1


def test_what_nohup_has_switched_off_stays_off():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with noted() as interruptions:
            signal.raise_signal(signal.SIGHUP)
            assert interruptions.take() == []
    finally:
        signal.signal(signal.SIGHUP, before)
