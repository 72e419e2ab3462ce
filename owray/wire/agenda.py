"""What is to be called next: the plan's windows, opened one ahead of need.

    open loop     calls are due when the plan says so, whatever became of others
    closed loop   a call is due when one of the users has thought: at the start, and a while after each call that ended

A closed loop measures what its users leave room for: while the server is slow they ask less. So it is never the default, and a run says
which it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from owray.plan.recipe import Window

Due = tuple[int, int, int, int]
"""seq, due time in microseconds from t0, index of the entry, index of its variant."""


class Agenda(Protocol):
    """`next` is the next call that is known to be due, None where none is; `over` says that none will follow."""

    next: Due | None
    over: bool

    def advance(self) -> None:
        """The next call is under way: on to the one after it."""

    def look_ahead(self) -> None:
        """Do now, in a quiet moment, what `advance` would have to do later."""

    def ended(self, now_us: int) -> bool:
        """A call has ended; whether one is due now that was not before."""

    def close(self) -> None:
        """Nothing is to be called any more."""


class OpenLoop:
    """The plan as it is."""

    def __init__(self, windows: Iterator[Window]) -> None:
        self._windows = windows
        self._calls: Iterator[Due] = iter(())
        self._ahead: list[Due] | None = None
        self.next: Due | None = None
        self.over = False
        self.advance()
        self.look_ahead()

    def advance(self) -> None:
        self.next = next(self._calls, None)
        if self.next is None and not self.over:
            self._open_window()

    def look_ahead(self) -> None:
        if self._ahead is None and not self.over:
            self._ahead = self._load()

    def ended(self, now_us: int) -> bool:
        return False

    def close(self) -> None:
        self._windows, self._calls, self._ahead = iter(()), iter(()), None
        self.next, self.over = None, True

    def _open_window(self) -> None:
        window, self._ahead = self._ahead or self._load(), None
        if window is None:
            self.over = True
        else:
            self._calls = iter(window)
            self.next = next(self._calls)

    def _load(self) -> list[Due] | None:
        window = next(self._windows, None)
        if window is None:
            return None
        columns = (window.seqs.tolist(), window.due_us.tolist(), window.entries.tolist(), window.variants.tolist())
        return list(zip(*columns, strict=True))


class ClosedLoop:
    """`users` that call one after another, each `think_us` after the end of its last call, until `until_us` after t0.

    Of the plan only the order of calls counts. A user is no connection and no thread: it is the time at which it will call again.
    """

    def __init__(self, windows: Iterator[Window], users: int, think_us: int, until_us: int) -> None:
        self._order = OpenLoop(windows)
        self._think_us = think_us
        self._until_us = until_us
        self._idle = deque([0] * users)  # when each calls next; all think for as long, so who ended first is first
        self.next: Due | None = None
        self.over = False
        self.advance()

    def advance(self) -> None:
        self.next = None
        if self.over or not self._idle:
            return
        due_us = self._idle.popleft()
        call = self._order.next
        if call is None or due_us >= self._until_us:
            self.over = True
            return
        self._order.advance()
        seq, _, entry, variant = call
        self.next = (seq, due_us, entry, variant)

    def look_ahead(self) -> None:
        self._order.look_ahead()

    def ended(self, now_us: int) -> bool:
        self._idle.append(now_us + self._think_us)
        if self.next is not None:
            return False
        self.advance()
        return self.next is not None

    def close(self) -> None:
        self._order.close()
        self.next, self.over = None, True
