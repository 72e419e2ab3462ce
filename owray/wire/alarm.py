"""Waking up when the next call is due.

asyncio's timers end on whole milliseconds (uvloop) or drift with each sleep, so a plan of 5,000 calls a second cannot be kept with them.
A Linux timerfd on CLOCK_MONOTONIC can: the kernel makes a descriptor readable at an absolute time, and the loop wakes for it as for
any socket (late by about 50 us at the median, measured by benchmarks/pacing.py). Where there is none, a 1 ms tick does, and rows show it.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable
from typing import Protocol

_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_CLOCK_MONOTONIC = 1
_ITIMERSPEC = struct.Struct("qqqq")


class Alarm(Protocol):
    """Calls back once, at or after the time it was set to, on the loop's thread."""

    def set(self, at_ns: int) -> None:
        """Ring at this CLOCK_MONOTONIC time; replaces an earlier setting."""

    def close(self) -> None:
        """Never ring again."""


class TimerfdAlarm:
    """An alarm by Linux's timerfd. Raises OSError where the kernel has none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = ctypes.create_string_buffer(_ITIMERSPEC.size)
        loop.add_reader(self._descriptor, self._readable)

    def set(self, at_ns: int) -> None:
        seconds, nanoseconds = divmod(max(at_ns, 1), 1_000_000_000)  # a setting of zero would disarm it
        _ITIMERSPEC.pack_into(self._setting, 0, 0, 0, seconds, nanoseconds)
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, self._setting, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:  # it was set again between becoming readable and now
            return
        self._ring()


class TickAlarm:
    """An alarm by the loop's own timers: late by up to a millisecond, which rows show as lag."""

    _TICK_S = 0.001

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None], clock_ns: Callable[[], int]) -> None:
        self._loop = loop
        self._ring = ring
        self._clock_ns = clock_ns
        self._at_ns = 0
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at_ns: int) -> None:
        self._at_ns = at_ns
        if self._handle is None:
            self._handle = self._loop.call_later(self._TICK_S, self._tick)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        self._handle = None
        if self._clock_ns() >= self._at_ns:
            self._ring()
        else:
            self._handle = self._loop.call_later(self._TICK_S, self._tick)


def best_alarm(loop: asyncio.AbstractEventLoop, ring: Callable[[], None], clock_ns: Callable[[], int]) -> Alarm:
    """A timerfd where there is one, else the tick."""
    if sys.platform == "linux":
        try:
            return TimerfdAlarm(loop, ring)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
                raise
    return TickAlarm(loop, ring, clock_ns)
