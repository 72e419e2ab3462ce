"""Idle containers: stopped after a while, running again before their next call, gone after a longer while."""

import contextlib
import os
import signal
import time

import psutil
import pytest
from support.api import WHO, eventually, serving

TICKING = """
import os, threading, time
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.005)
threading.Thread(target=tick, daemon=True).start()
def main(args):
    return {"pid": os.getpid(), "ticks": ticks}
"""
GRACE_MS = 100


@pytest.fixture(scope="module")
def pausing(tmp_path_factory):
    """A platform with room for two containers of 256 MB, which pauses them at once."""
    with serving(tmp_path_factory.mktemp("platform"), user_memory_mb=512, pause_grace_ms=GRACE_MS) as api:
        yield api


def paused(api, name, code=WHO):
    """The process of an action's only container, paused."""
    api.action(name, code)
    process = psutil.Process(api.invoke(name).result["pid"])
    eventually(lambda: process.status() == psutil.STATUS_STOPPED)
    return process


@contextlib.contextmanager
def stopped(process):
    """A process that does nothing meanwhile."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def test_an_idle_container_does_nothing_and_goes_on_with_its_next_call(pausing, name):
    process = paused(pausing, name, TICKING)
    before = sum(process.cpu_times()[:2])
    time.sleep(0.2)
    assert sum(process.cpu_times()[:2]) == before
    again = pausing.invoke(name)
    assert (again.status, again.cold, again.result["pid"]) == (200, False, process.pid)
    eventually(lambda: process.status() == psutil.STATUS_STOPPED)
    assert pausing.invoke(name).result["ticks"] > again.result["ticks"]


def test_what_a_container_started_is_paused_with_it(pausing, name):
    code = """
import os, subprocess
sleep = subprocess.Popen(["sleep", "1000"])
def main(args):
    return {"pid": os.getpid()}
"""
    process = paused(pausing, name, code)
    (child,) = process.children()
    assert child.status() == psutil.STATUS_STOPPED
    pausing.invoke(name)
    eventually(lambda: child.status() == psutil.STATUS_STOPPED)


def test_the_time_that_resuming_takes_is_waited_for_before_the_run(pausing, name):
    process = paused(pausing, name)
    with stopped(process.parent()):
        call = pausing.start(name)
        time.sleep(0.3)  # the length of the wait is what is measured
        assert not call.done()
        assert process.status() == psutil.STATUS_STOPPED
    reply = call.result()
    assert (reply.status, reply.cold, reply.result["pid"]) == (200, False, process.pid)
    assert reply.annotation("waitTime") >= 250
    assert reply.json["duration"] < reply.annotation("waitTime")


def test_a_paused_container_that_is_killed_is_missed_by_nobody(pausing, name):
    process = paused(pausing, name)
    process.kill()
    psutil.wait_procs([process])
    reply = pausing.invoke(name)
    assert reply.status == 200
    assert reply.result["pid"] != process.pid


def test_a_container_that_ends_while_it_is_resumed_costs_its_call_nothing(pausing, name):
    process = paused(pausing, name)
    with stopped(process.parent()):
        call = pausing.start(name)
        process.kill()
        eventually(lambda: process.status() == psutil.STATUS_ZOMBIE)
    reply = call.result()
    assert reply.status == 200
    assert reply.cold
    assert reply.result["pid"] != process.pid


def test_a_paused_container_is_evicted_like_any_idle_one(pausing, name):
    first = paused(pausing, name + "x")
    second = paused(pausing, name + "y")
    third = paused(pausing, name + "z")
    eventually(lambda: not first.is_running())
    assert second.is_running()
    assert third.is_running()


def test_a_busy_container_is_never_paused(pausing, name):
    pausing.action(name, "import time\ndef main(args):\n    time.sleep(args['s'])\n    return {}\n")
    reply = pausing.invoke(name, {"s": 8 * GRACE_MS / 1000})
    assert reply.status == 200
    assert reply.json["duration"] < 30_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_paused_containers_end_with_the_platform(new_platform, name, number):
    with new_platform(pause_grace_ms=GRACE_MS) as api:
        paused(api, name)
        everything = api.processes()
        os.kill(api.platform.pid, number)
        _, alive = psutil.wait_procs(everything, timeout=30)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_container_that_nobody_used_for_long_is_removed_and_its_memory_free(new_platform, name):
    with new_platform(user_memory_mb=512, pause_grace_ms=GRACE_MS, idle_container_ms=400) as api:
        process = paused(api, name)
        eventually(lambda: not process.is_running())
        eventually(lambda: list((api.platform.state_dir / "containers").iterdir()) == [])
        assert api.invoke(name).cold


def test_where_pausing_does_nothing_containers_are_removed_all_the_same(new_platform, name):
    with new_platform("helm", invocations_per_minute=999, stem_cells=[], pause_grace_ms=GRACE_MS, idle_container_ms=1000) as api:
        api.action(name, WHO)
        process = psutil.Process(api.invoke(name).result["pid"])
        seen = set()
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.is_running():
                seen.add(process.status())
        assert psutil.STATUS_STOPPED not in seen
