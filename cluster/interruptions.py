"""Signals that end a command: they unwind it through its `finally` blocks, and never in the midst of taking a lab down.

Two may come at once (a terminal that is closed sends SIGHUP, and its shell another; a service manager sends SIGTERM and SIGHUP), and who
sees nothing happen presses Ctrl-C again. So only the first unwinds: a second one would end the unwinding half-way.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TOLD_TO_END = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
WITH_CTRL_C = (signal.SIGINT, *TOLD_TO_END)


@contextmanager
def first_unwinds(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Make the first of these signals end the command: by KeyboardInterrupt for Ctrl-C, else with the exit code that a shell would show.

    Further ones are not heard. Only for the main thread: others cannot take signals.
    """
    heard = False

    def unwind(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            return
        heard = True
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, unwind) for number in wanted}  # what nohup has switched off stays off
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals wait until this is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WITH_CTRL_C)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
