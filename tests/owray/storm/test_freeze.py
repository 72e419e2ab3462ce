"""A platform that freezes for two seconds, by SIGSTOP, under two storms at once: one without a cap on calls in flight, one with.

No call that falls due during the freeze can be answered before its end: so each of a thousand rows has to show what was left of it, and
not only those few that sat on a connection. Nothing here depends on how fast the machine is.
"""

import os
import re
import signal
import time

import pytest
from support.storms import Command, calls_of, lab_of

RPS = 500
FREEZE_S = 2.0
SLACK_US = 100_000
"""Between a signal and the clock that is read beside it; also the least rest of the freeze that a row has to show."""

DRAINED_S = 3.0
"""For a thousand calls that a cap of 50 has held, on a machine that is busy with other things."""

CAP = 50
STORM = ("storm", "--rps", RPS, "--duration", "120s", "--action", "noop")
"""Longer than it is played: two storms do not begin at the same time, and both are to be under way when the platform freezes."""


def freeze(pids):
    """(start, end) of the freeze in microseconds since 1970, the end as late as a call could be answered."""
    start_us = time.time_ns() // 1000
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(FREEZE_S)
        return start_us, time.time_ns() // 1000
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def frozen(lab_home, runs):
    """Of each storm: what it printed, and (rows due in the freeze, what was then left of the freeze in microseconds)."""
    places = {"free": runs / "free", "capped": runs / "capped"}
    with (
        Command(*STORM, home=lab_home, runs=places["free"]) as free,
        Command(*STORM, "--max-in-flight", CAP, home=lab_home, runs=places["capped"]) as capped,
    ):
        folders = {"free": free.started(), "capped": capped.started()}
        free.wait_until(0.5)
        capped.wait_until(0.5)
        start_us, end_us = freeze(lab_of(lab_home).platform_pids)
        time.sleep(DRAINED_S)
        for storm in (free, capped):
            storm.signal(signal.SIGINT)
        results = {"free": free.end(), "capped": capped.end()}
    struck = {name: struck_rows(folder, start_us, end_us) for name, folder in folders.items()}
    return results, struck


def struck_rows(folder, start_us, end_us):
    t0_us = folder.load().t0_us
    due = [(row, end_us - t0_us - row["intended_us"]) for row in calls_of(folder).values()]
    return [(row, rest_us) for row, rest_us in due if SLACK_US < rest_us < end_us - start_us - SLACK_US]


def test_two_storms_at_once_are_both_played(frozen):
    results, _ = frozen
    for result in results.values():
        assert result.returncode == 4, result.stderr
        assert re.search(r"^calls      60,000 planned, ([\d,]+) attempted: [\d,]+ unsent, \1 ok\b", result.stdout, re.MULTILINE)


def test_a_freeze_shows_in_the_response_of_every_call_that_was_due_in_it(frozen):
    struck = frozen[1]["free"]
    assert len(struck) == pytest.approx(RPS * (FREEZE_S - 2 * SLACK_US / 1e6), rel=0.1)
    for row, rest_us in struck:
        assert row["response_us"] >= rest_us - SLACK_US
        assert row["held_us"] is None


def test_a_freeze_never_reads_as_lag(frozen):
    for struck in frozen[1].values():
        lags_us = sorted(row["lag_us"] for row, _ in struck)
        assert lags_us[len(lags_us) // 2] < FREEZE_S * 1e6 / 20


def test_with_a_cap_the_same_freeze_shows_as_held_and_the_summary_names_the_cap(frozen):
    results, struck = frozen[0], frozen[1]["capped"]
    assert all(row["response_us"] >= rest_us - SLACK_US for row, rest_us in struck)
    held = [(row, rest_us) for row, rest_us in struck if row["held_us"] is not None]
    assert len(struck) - len(held) <= CAP
    assert all(row["held_us"] + row["lag_us"] >= rest_us - SLACK_US for row, rest_us in held)
    assert re.search(
        r"^held +[\d,]+ calls waited at your cap of 50 in flight  \(--max-in-flight\)$", results["capped"].stdout, re.MULTILINE
    )
    assert "your cap" not in results["free"].stdout
