"""What tells a storm to end: Ctrl-C, Ctrl-\\, a kill, a closed terminal.

Python remembers of a signal only that it came, and runs its handler when the call under way returns: two that come while Ray is waited for
would be one. The file descriptor of `signal.set_wakeup_fd` gets a byte for each at once, so that each counts, in the order they came in.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
_MOST_AT_ONCE = 4096

_Handler = Callable[[int, FrameType | None], None]


class Interruptions:
    """Those that were heard of and not taken yet. A terminal closes once, though both the kernel and the shell may say so."""

    def __init__(self, heard: socket.socket) -> None:
        self._heard = heard
        self._has_hung_up = False

    def take(self) -> list[str]:
        """The names of those that came since the last time of asking, oldest first."""
        with suppress(BlockingIOError):
            return [_name(number) for number in self._heard.recv(_MOST_AT_ONCE) if self._counts(number)]
        return []

    def _counts(self, number: int) -> bool:
        repeated = number == signal.SIGHUP and self._has_hung_up
        self._has_hung_up = self._has_hung_up or number == signal.SIGHUP
        return number in _ENDING and not repeated


@contextmanager
def noted() -> Iterator[Interruptions]:
    """Interruptions are only noted meanwhile: a handler runs in the midst of anything, a print included. For the main thread."""
    heard, told = socket.socketpair()
    with heard, told:
        heard.setblocking(False)
        told.setblocking(False)
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            with _handled(_let_be):
                yield Interruptions(heard)
        finally:
            signal.set_wakeup_fd(before)


@contextmanager
def unwinding() -> Iterator[None]:
    """An interruption is a KeyboardInterrupt meanwhile, whichever it is."""
    with _handled(_unwind):
        yield


@contextmanager
def _handled(handler: _Handler) -> Iterator[None]:
    wanted = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}  # what nohup has switched off stays off
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _let_be(number: int, frame: FrameType | None) -> None:
    pass


def _unwind(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _name(number: int) -> str:
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
