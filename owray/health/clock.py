"""The clocks: is the wall clock right, is the clock under it a quick one, and how late does a timer wake us?"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Iterator
from dataclasses import dataclass

from owray.health.finding import Finding, Level, Machine, better_if
from owray.texts import milliseconds
from owray.wire.alarm import TimerfdAlarm, best_alarm

_TIME_ERROR = 5
_UNSYNCHRONISED = 0x40
_STATUS_WORD = 10  # of struct timex, in native ints: modes and padding, offset, freq, maxerror, esterror, status
_MAX_ERROR_LONG = 3
_TIMEX_BYTES = 256

_QUICK_SOURCES = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")
_SYNCHRONISED_FILE = "run/systemd/timesync/synchronized"
_RINGS = 100
_STEP_NS = 1_000_000
_LATE_US = 1_000
"""A lag p99 beyond this makes a run DEGRADED."""


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What adjtimex(2) says of the wall clock."""

    synchronised: bool
    max_error_us: int


def kernel_clock() -> KernelClock | None:
    """Ask the kernel; None where it does not say."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    if state < 0 or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    status = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_int))[_STATUS_WORD]
    max_error_us = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_long))[_MAX_ERROR_LONG]
    return KernelClock(state != _TIME_ERROR and not status & _UNSYNCHRONISED, max_error_us)


def wall_clock(machine: Machine, kernel: KernelClock | None) -> Iterator[Finding]:
    """Whether somebody keeps the wall clock right: by the kernel's word, or by systemd's."""
    by_kernel = kernel is not None and kernel.synchronised
    synchronised = by_kernel or (machine.root / _SYNCHRONISED_FILE).exists()
    within = f", within {milliseconds(kernel.max_error_us)}" if kernel is not None and by_kernel else ""
    yield Finding(
        "clock",
        better_if(not synchronised),
        f"synchronised{within}" if synchronised else "nobody keeps it synchronised",
        "Rows hold times of one monotonic clock, which is right in any case; the wall clock dates them, and compares with a server's.",
        "" if synchronised else "as root: timedatectl set-ntp true, or apt-get install chrony",
        {"synchronised": synchronised, "max_error_us": kernel.max_error_us if kernel is not None else None},
    )


def clock_source(machine: Machine) -> Iterator[Finding]:
    """What the kernel reads time from."""
    folder = "sys/devices/system/clocksource/clocksource0"
    source = machine.read(f"{folder}/current_clocksource")
    if source is None:
        yield Finding("clock source", Level.BETTER, "cannot be read", "How much a look at the clock costs is not known.")
        return
    offered = (machine.read(f"{folder}/available_clocksource") or "").split()
    quick = next((each for each in _QUICK_SOURCES if each in offered), "tsc")
    slow = source not in _QUICK_SOURCES
    yield Finding(
        "clock source",
        better_if(slow),
        source,
        "Every call looks at the clock several times; a slow source makes each look a system call.",
        f"as root: echo {quick} > /{folder}/current_clocksource" if slow and quick in offered else "",
        {"source": source},
    )


def timer() -> Iterator[Finding]:
    """How late a timer of 1 ms wakes this process: with the alarm and the loop that invokers have, at normal priority."""
    late_us, precise = _rings()
    ordered = sorted(late_us)
    median, p90, worst = ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10], ordered[-1]
    yield Finding(
        "timer",
        better_if(p90 > _LATE_US or not precise),
        f"a 1 ms timer rings {median:,.0f} us late (p90 {p90:,.0f}, at most {worst:,.0f})" + ("" if precise else "; there is no timerfd"),
        "A call is sent as late as its timer rings; rows show it as lag, and a p99 above 1 ms makes a run DEGRADED.",
        "end what else runs here (see `busy`); in a virtual machine, take one with cores of its own" if p90 > _LATE_US else "",
        {"p50_us": round(median, 1), "p90_us": round(p90, 1), "max_us": round(worst, 1), "timerfd": precise},
    )


def _rings() -> tuple[list[float], bool]:
    """Microseconds from when each of the alarms was due to when it rang, and whether it was a timerfd that did."""
    late_us: list[float] = []

    async def ring_all() -> bool:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        due_ns = time.monotonic_ns() + _STEP_NS

        def rung() -> None:
            nonlocal due_ns
            late_us.append((time.monotonic_ns() - due_ns) / 1000)
            if len(late_us) == _RINGS:
                done.set_result(None)
                return
            due_ns = time.monotonic_ns() + _STEP_NS
            alarm.set(due_ns)

        alarm = best_alarm(loop, rung, time.monotonic_ns)
        try:
            alarm.set(due_ns)
            await done
        finally:
            alarm.close()
        return isinstance(alarm, TimerfdAlarm)

    import uvloop  # here, so that where it is missing everything else is looked at

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        precise = runner.run(ring_all())
    return late_us, precise
