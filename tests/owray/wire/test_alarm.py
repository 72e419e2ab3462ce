"""Alarms on real clocks: never early, once, and for the last setting."""

import asyncio
import time

import pytest
from support.loops import run

from owray.wire.alarm import TickAlarm, TimerfdAlarm, best_alarm

ALARMS = {
    "timerfd": TimerfdAlarm,
    "tick": lambda loop, ring: TickAlarm(loop, ring, time.monotonic_ns),
    "best": lambda loop, ring: best_alarm(loop, ring, time.monotonic_ns),
}


@pytest.fixture(params=ALARMS.values(), ids=ALARMS.keys())
def make_alarm(request):
    return request.param


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_kind(request):
    return request.param


class Rung:
    """An alarm that notes when it rings."""

    def __init__(self, make_alarm):
        self.at = []
        self.alarm = make_alarm(asyncio.get_running_loop(), lambda: self.at.append(time.monotonic_ns()))


def in_ms(milliseconds):
    return time.monotonic_ns() + round(milliseconds * 1e6)


def block_the_loop():
    """Long enough for an alarm of 1 ms to be due without the loop having noticed."""
    time.sleep(0.01)


def test_it_rings_once_and_never_early(make_alarm, loop_kind):
    async def main():
        rung = Rung(make_alarm)
        for after_ms in (0.3, 1.7, 20):
            due_ns = in_ms(after_ms)
            rung.alarm.set(due_ns)
            rings = len(rung.at)
            await asyncio.sleep(0.05)
            assert len(rung.at) == rings + 1
            assert rung.at[-1] >= due_ns
        rung.alarm.close()

    run(main(), loop_kind)


def test_a_time_that_has_passed_rings_at_once(make_alarm, loop_kind):
    async def main():
        rung = Rung(make_alarm)
        for due_ns in (in_ms(-50), 0, -5):
            rung.alarm.set(due_ns)
            await asyncio.sleep(0.02)
        assert len(rung.at) == 3
        rung.alarm.close()

    run(main(), loop_kind)


def test_a_new_setting_replaces_the_old_one(make_alarm, loop_kind):
    async def main():
        rung = Rung(make_alarm)
        rung.alarm.set(in_ms(5))
        later_ns = in_ms(60)
        rung.alarm.set(later_ns)
        await asyncio.sleep(0.15)
        assert len(rung.at) == 1
        assert rung.at[0] >= later_ns
        rung.alarm.set(in_ms(10_000))
        rung.alarm.set(in_ms(1))
        await asyncio.sleep(0.05)
        assert len(rung.at) == 2
        rung.alarm.close()

    run(main(), loop_kind)


def test_a_setting_made_while_the_old_one_is_already_due_still_rings_at_the_new_time(make_alarm, loop_kind):
    async def main():
        rung = Rung(make_alarm)
        rung.alarm.set(in_ms(1))
        block_the_loop()
        later_ns = in_ms(40)
        rung.alarm.set(later_ns)
        await asyncio.sleep(0.12)
        assert len(rung.at) == 1
        assert rung.at[0] >= later_ns
        rung.alarm.close()

    run(main(), loop_kind)


def test_it_may_be_set_again_from_its_own_ring(make_alarm, loop_kind):
    async def main():
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        rings = []

        def ring():
            rings.append(time.monotonic_ns())
            if len(rings) < 20:
                alarm.set(in_ms(0.5))
            elif not over.done():
                over.set_result(None)

        alarm = make_alarm(loop, ring)
        alarm.set(in_ms(0.5))
        await over
        alarm.close()
        assert len(rings) == 20

    run(main(), loop_kind)


def test_a_closed_alarm_never_rings(make_alarm, loop_kind):
    async def main():
        rung = Rung(make_alarm)
        rung.alarm.set(in_ms(1))
        block_the_loop()
        rung.alarm.close()
        rung.alarm.close()
        await asyncio.sleep(0.05)
        assert rung.at == []

    run(main(), loop_kind)


def test_where_the_kernel_has_no_timerfd_the_tick_serves(monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("owray.wire.alarm.TimerfdAlarm", refuse)

    async def main():
        alarm = best_alarm(asyncio.get_running_loop(), lambda: None, time.monotonic_ns)
        assert isinstance(alarm, TickAlarm)
        alarm.close()

    run(main())


def test_another_refusal_of_the_kernel_is_not_passed_over(monkeypatch):
    def refuse(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("owray.wire.alarm.TimerfdAlarm", refuse)

    async def main():
        with pytest.raises(OSError, match="Too many open files"):
            best_alarm(asyncio.get_running_loop(), lambda: None, time.monotonic_ns)

    run(main())
