"""The wall clock, the kernel's source of time, and how late timers ring."""

import pytest
from support.machines import tree

from owray.health import clock
from owray.health.clock import KernelClock
from owray.health.finding import Level, Machine

SOURCE = "sys/devices/system/clocksource/clocksource0"


def only(findings):
    (found,) = findings
    return found


@pytest.mark.parametrize("kernel", [None, KernelClock(synchronised=False, max_error_us=16_000_000)])
def test_a_clock_that_nobody_keeps_could_be_better(tmp_path, kernel):
    found = only(clock.wall_clock(Machine(tmp_path), kernel))
    assert found.level is Level.BETTER
    assert "timedatectl set-ntp true" in found.cure
    assert found.figures["synchronised"] is False


def test_the_kernels_word_counts_and_says_how_far_it_may_be_off(tmp_path):
    found = only(clock.wall_clock(Machine(tmp_path), KernelClock(synchronised=True, max_error_us=2_400)))
    assert (found.level, found.found) == (Level.FINE, "synchronised, within 2.4 ms")


def test_where_the_kernel_does_not_know_systemd_may(tmp_path):
    machine = Machine(tree(tmp_path, {"run/systemd/timesync/synchronized": ""}))
    assert only(clock.wall_clock(machine, None)).level is Level.FINE


def test_the_kernel_can_be_asked():
    told = clock.kernel_clock()
    assert told is not None
    assert told.max_error_us >= 0


@pytest.mark.parametrize(("source", "level"), [("tsc", Level.FINE), ("kvm-clock", Level.FINE), ("hpet", Level.BETTER)])
def test_a_slow_source_of_time_could_be_better(tmp_path, source, level):
    machine = Machine(tree(tmp_path, {f"{SOURCE}/current_clocksource": source, f"{SOURCE}/available_clocksource": f"{source} tsc"}))
    found = only(clock.clock_source(machine))
    assert (found.level, found.found) == (level, source)
    assert ("echo tsc > " in found.cure) is (level is Level.BETTER)


def test_a_source_that_cannot_be_read_is_said_to_be_so(tmp_path):
    assert only(clock.clock_source(Machine(tmp_path))).found == "cannot be read"


def test_the_timer_is_measured_with_the_engines_own_alarm():
    found = only(clock.timer())
    figures = found.figures
    assert figures["timerfd"] is True
    assert 0 < figures["p50_us"] <= figures["p90_us"] <= figures["max_us"]
    assert found.level is (Level.BETTER if figures["p90_us"] > 1_000 else Level.FINE)
