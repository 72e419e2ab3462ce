"""How punctual is a generator that waits by this or that means?

A plan of evenly spaced calls is played with nothing to send: what is measured is when each call's turn came. Lateness counts from the
planned time, so a wait that drifts is later with every call; a negative one means that it came too early.

    timerfd                  owray's alarm, as the invoker sets it: an absolute time, no sooner than 100 us ahead
    tick                     owray's alarm where there is no timerfd
    sleep until due          asyncio.sleep(due - now) before each call
    sleep between calls      asyncio.sleep(1 / rate) after each call

Then owray's alarm once more, beside a process that keeps the same core busy: as an ordinary thread, and as the real-time thread that an
invoker is on a core of its own (docs/decisions/007). That needs root.

    python -m benchmarks.pacing [--rounds 3] [--seconds 1]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import uvloop

from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from owray.wire.alarm import Alarm, TickAlarm, TimerfdAlarm
from owray.wire.invoker import COALESCE_US

LEAD_NS = 20_000_000
RATES = (1_000, 5_000)
BUSY = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"
ORDINARY = "timerfd, ordinary thread"

Ring = Callable[[], None]
MakeAlarm = Callable[[asyncio.AbstractEventLoop, Ring], Alarm]
Way = Callable[[Sequence[int], int], Awaitable[list[int]]]
"""Takes the due times and the end of the plan (ns of CLOCK_MONOTONIC); returns the lateness of each call that came before that end."""


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Of one playing: lateness, the share of calls that came before their time and of those made by the plan's end, the share of a core."""

    p50_us: float
    p99_us: float
    early: float
    made: float
    cpu: float


class Pacer:
    """Calls `fire(index, now_ns)` for each due time, once it has come."""

    def __init__(self, due_ns: Sequence[int], fire: Callable[[int, int], None], make_alarm: MakeAlarm) -> None:
        self._due_ns = due_ns
        self._fire = fire
        self._next = 0
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self._alarm = make_alarm(loop, self._ring)
        self._alarm.set(due_ns[0])

    def _ring(self) -> None:
        now_ns = time.monotonic_ns()
        while self._next < len(self._due_ns) and self._due_ns[self._next] <= now_ns:
            self._fire(self._next, now_ns)
            self._next += 1
            now_ns = time.monotonic_ns()
        if self._next < len(self._due_ns):
            self._alarm.set(max(self._due_ns[self._next], now_ns + COALESCE_US * 1000))
        else:
            self._alarm.close()
            self.done.set_result(None)


def timerfd(loop: asyncio.AbstractEventLoop, ring: Ring) -> Alarm:
    return TimerfdAlarm(loop, ring)


def tick(loop: asyncio.AbstractEventLoop, ring: Ring) -> Alarm:
    return TickAlarm(loop, ring, time.monotonic_ns)


async def _by_alarm(make_alarm: MakeAlarm, due_ns: Sequence[int], end_ns: int) -> list[int]:
    late_ns: list[int] = []

    def fire(index: int, now_ns: int) -> None:
        if now_ns < end_ns:
            late_ns.append(now_ns - due_ns[index])

    await Pacer(due_ns, fire, make_alarm).done
    return late_ns


async def _until_due(due_ns: Sequence[int], end_ns: int) -> list[int]:
    late_ns = []
    for due in due_ns:
        await asyncio.sleep((due - time.monotonic_ns()) / 1e9)
        now_ns = time.monotonic_ns()
        if now_ns >= end_ns:
            break
        late_ns.append(now_ns - due)
    return late_ns


async def _between_calls(due_ns: Sequence[int], end_ns: int) -> list[int]:
    gap_s = (due_ns[1] - due_ns[0]) / 1e9
    late_ns = []
    await asyncio.sleep((due_ns[0] - time.monotonic_ns()) / 1e9)
    for due in due_ns:
        now_ns = time.monotonic_ns()
        if now_ns >= end_ns:
            break
        late_ns.append(now_ns - due)
        await asyncio.sleep(gap_s)
    return late_ns


def _play(way: Way, new_loop: Callable[[], asyncio.AbstractEventLoop], rate: int, seconds: int) -> Punctuality:
    planned = rate * seconds
    with asyncio.Runner(loop_factory=new_loop) as runner:

        async def playing() -> list[int]:
            start_ns = time.monotonic_ns() + LEAD_NS
            due_ns = [start_ns + (2 * index + 1) * 500_000_000 // rate for index in range(planned)]
            return await way(due_ns, start_ns + seconds * 1_000_000_000)

        before_ns = time.process_time_ns()
        late_ns = runner.run(playing())
        cpu_ns = time.process_time_ns() - before_ns
    hundredths = statistics.quantiles(late_ns, n=100, method="inclusive")
    early = sum(late < 0 for late in late_ns) / len(late_ns)
    return Punctuality(hundredths[49] / 1000, hundredths[98] / 1000, early, len(late_ns) / planned, cpu_ns / seconds / 1e9)


def _beside(seconds: int, priority: int) -> Punctuality:
    """owray's alarm beside a busy process on the same core; a `priority` above zero is a real-time one."""
    neighbour = subprocess.Popen([sys.executable, "-c", BUSY, str(seconds + 10)])
    try:
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        return _play(partial(_by_alarm, timerfd), uvloop.new_event_loop, RATES[0], seconds)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        neighbour.kill()
        neighbour.wait()


def main() -> None:
    asked = arguments("Lateness of calls, by the means of waiting.", rounds=3, seconds=1)
    machine = Machine()
    pin(Cores.available().client)
    ways: list[tuple[str, Way, Callable[[], asyncio.AbstractEventLoop]]] = [
        ("timerfd, uvloop", partial(_by_alarm, timerfd), uvloop.new_event_loop),
        ("tick, uvloop", partial(_by_alarm, tick), uvloop.new_event_loop),
        ("sleep until due, uvloop", _until_due, uvloop.new_event_loop),
        ("sleep until due, asyncio", _until_due, asyncio.new_event_loop),
        ("sleep between calls, uvloop", _between_calls, uvloop.new_event_loop),
        ("sleep between calls, asyncio", _between_calls, asyncio.new_event_loop),
    ]
    for rate in RATES:
        found = interleave({name: partial(_play, way, loop, rate, asked.seconds) for name, way, loop in ways}, asked.rounds)
        show(f"{rate:,} calls a second, {asked.rounds} rounds of {asked.seconds} s; median (quartiles)", _rows(found))
    _show_beside(asked.rounds, asked.seconds)
    print(machine.line())


def _show_beside(rounds: int, seconds: int) -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        print("Real-time threads are for root, or CAP_SYS_NICE: owray beside a busy neighbour was left out.")
        return
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    found = interleave({ORDINARY: partial(_beside, seconds, 0), "timerfd, real-time thread": partial(_beside, seconds, 1)}, rounds)
    title = f"{RATES[0]:,} calls a second beside a busy process on the same core, {rounds} rounds of {seconds} s; median (quartiles)"
    show(title, _rows(found))
    ordinary, real_time = ([one.p99_us for one in runs] for runs in found.values())
    print(f"  p99 of an ordinary thread: {ratio(ordinary, real_time)} times a real-time one's")


def _rows(found: dict[str, list[Punctuality]]) -> list[tuple[object, ...]]:
    """A table; the first way is what the others are held against."""
    p50_us = [one.p50_us for one in next(iter(found.values()))]
    heading = ("wait", "p50 us late", "p99 us late", "too early", "made in time", "of a core", "p50, times the first")
    return [heading] + [
        (
            name,
            Spread.of(one.p50_us for one in runs),
            Spread.of(one.p99_us for one in runs),
            f"{Spread.of(one.early for one in runs).median:.0%}",
            f"{Spread.of(one.made for one in runs).median:.1%}",
            f"{Spread.of(one.cpu for one in runs).median:.0%}",
            "-" if name.startswith("sleep between") else ratio([one.p50_us for one in runs], p50_us),
        )
        for name, runs in found.items()
    ]


if __name__ == "__main__":
    main()
