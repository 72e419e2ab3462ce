"""The calls of a preflight against a scripted platform: the minute that is used up, and what is told meanwhile."""

import asyncio
import io
import json

import pytest
from rich.console import Console

from owray.plan.mix import Entry
from owray.storm.beforehand import Called, NextMinute, call_beforehand
from owray.storm.preflight_view import telling

RESPONSE = {"status": "success", "success": True, "result": {}}
ANSWER = {"activationId": "0" * 32, "duration": 3, "start": 1, "end": 4, "annotations": [], "response": RESPONSE}
RATE = "Too many requests in the last minute (count: 1061, allowed: 1000)."
CONCURRENCY = "Too many concurrent requests in flight (count: 30, allowed: 30)."


class Platform:
    """Refuses calls with these texts, one after the other, and takes all that come after."""

    def __init__(self, *refusals):
        self.refusals = list(refusals)

    async def get_action(self, path, namespace):
        return {}

    async def call(self, path, parameters, namespace):
        if self.refusals:
            return 429, json.dumps({"error": self.refusals.pop(0)}).encode()
        return 200, json.dumps(ANSWER).encode()


class Sleeper:
    """A wall clock that only sleeping moves on."""

    def __init__(self, now_s):
        self.now_s = now_s
        self.slept_s = []

    async def sleep(self, seconds):
        self.slept_s.append(seconds)
        self.now_s += seconds


def called(platform, minute=None):
    one = Called(Entry("own", "noop", "", "noop"), [])
    asyncio.run(call_beforehand(platform, [one], 2, Console(file=io.StringIO()), minute))
    return one


def test_where_the_minute_is_used_up_the_next_one_is_waited_for():
    clock = Sleeper(now_s=1_000_000_035.0)  # 15 s into a minute
    one = called(Platform(RATE), NextMinute(lambda: clock.now_s, clock.sleep))
    assert clock.slept_s == [46.0]
    assert (len(one.probes), one.used_up, one.failure) == (2, None, None)


def test_a_minute_that_others_use_up_as_well_is_told_with_its_counts_and_what_helps():
    clock = Sleeper(now_s=0.0)
    one = called(Platform(RATE, RATE), NextMinute(lambda: clock.now_s, clock.sleep))
    assert one.used_up.sentence == "the limit of calls a minute is used up: 1,061 calls, 1,000 allowed"
    assert one.used_up.cure.text == "wait for the next minute, or raise invocationsPerMinute"
    assert one.failure is None


def test_without_patience_it_is_told_at_once():
    one = called(Platform(RATE))
    assert one.used_up is not None
    assert len(one.probes) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (CONCURRENCY, "the limit of calls at once is used up: 30 calls, 30 allowed"),
        ("Too many concurrent requests in flight", "the limit of calls at once is used up: Too many concurrent requests in flight"),
        ("Too many requests", "the limit of calls is used up: Too many requests"),
    ],
)
def test_another_limit_that_is_used_up_is_no_fault_of_the_action(said, told):
    one = called(Platform(said))
    assert (one.used_up.sentence, one.failure) == (told, None)


def test_an_interrupted_wait_ends_at_once():
    async def interrupted():
        waiting = asyncio.Event()

        async def sleep(seconds):
            waiting.set()
            await asyncio.sleep(seconds)

        minute = NextMinute(sleep=sleep)
        work = asyncio.create_task(call_beforehand(Platform(RATE), [Called(Entry("own", "x", "", "x"), [])], 1, Console(), minute))
        await waiting.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(interrupted())


def test_on_a_terminal_the_line_changes_and_is_gone_at_the_end():
    text = io.StringIO()
    with telling(Console(file=text, force_terminal=True, width=60, _environ={"TERM": "xterm"})) as tell:
        tell("preflight  1 of 6 calls answered")
        tell("preflight  5 of 6 calls answered")
    assert "5 of 6" in text.getvalue()
    assert "\n" not in text.getvalue().rpartition("5 of 6 calls answered")[2].strip("\n")
    assert text.getvalue().endswith("\x1b[2K")  # the cursor is where the line was, and the line is erased


def test_elsewhere_each_time_is_a_line():
    text = io.StringIO()
    with telling(Console(file=text)) as tell:
        tell("preflight  1 of 6 calls answered")
    assert text.getvalue() == "preflight  1 of 6 calls answered\n"
