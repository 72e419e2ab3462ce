"""`kill -9` in the midst of a storm: whoever dies, every planned call keeps exactly one row, and no row says what was not so.

The witness is the gateway's own log of request ids, which no process of the storm can touch.
"""

import contextlib
import json
import os
import signal
import time

from support.storms import against_gateway, calls_of, owray, player_pids, ray_pids, wait_for_end

from owray.ask.queries import find_query
from owray.ask.session import Session
from owray.fleet.spec import FleetReport
from owray.judge.verdict import Level
from owray.plan.recipe import Plan
from owray.record.early_end import BROKE_OFF, EarlyEnd
from owray.storm.judging import judge

LONG_AGO_NS = 1_000_000_000
"""Rows are on disk after 250 ms at most; the rest is for a machine that is busy with other things."""


def assert_balanced(folder, heard):
    """One row per planned call, and none that contradicts the gateway's log."""
    with Session([folder]) as session:
        balance = session.one(find_query("reconcile").sql)
    planned = Plan(folder.load().recipe).count()
    assert balance == {"run": folder.run, "planned": planned, "rows": planned, "missing": 0, "duplicate": 0, "foreign": 0}
    rows = calls_of(folder)
    unsent = {seq for seq, row in rows.items() if row["outcome"] == "unsent"}
    ok = {seq for seq, row in rows.items() if row["outcome"] == "ok"}
    assert not unsent & heard.keys()
    assert ok <= heard.keys()


def assert_old_rows_survive(folder, heard, killed_ns):
    """What was answered long before the kill is not lost."""
    old = {seq for seq, at_ns in heard.items() if at_ns < killed_ns - LONG_AGO_NS}
    rows = calls_of(folder)
    assert len(old) > 50
    assert {rows[seq]["outcome"] for seq in old} == {"ok"}


def test_a_killed_invoker_stops_the_storm_and_every_call_is_accounted_for(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=200, seconds=60, invokers=2) as storm:
        folder = storm.wait_until(2.5)
        victim = player_pids(folder)[1]
        killed_ns = time.monotonic_ns()
        os.kill(victim, signal.SIGKILL)
        result = storm.end()
    report = json.loads(result.stdout)
    assert report["lost"] == [1]
    assert report["aborted"] == "invoker 1 was lost"
    assert [one["invoker"] for one in report["reports"]] == [0]
    assert (folder.load().status, folder.load().early_end) == ("aborted", EarlyEnd("invoker_lost", "invoker 1 was lost"))
    heard = gateway.heard(folder.run)
    assert_balanced(folder, heard)
    assert_old_rows_survive(folder, heard, killed_ns)
    rows = calls_of(folder)
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 0} == {"ok", "unsent"}  # the survivor's calls had their end
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 1} == {"ok", "lost", "unsent"}
    assert not folder.journal_files()
    verdict = judge(folder, FleetReport((), (1,), (), report["aborted"])).verdict
    assert verdict.level is Level.INVALID
    assert any("Invoker 1 was lost" in reason for reason in verdict.reasons)


def test_a_storm_outlives_its_terminal_and_after_a_kill_of_all_the_rest_recover_accounts_for_every_call(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=100, seconds=60) as storm:
        folder = storm.wait_until(0.5)
        os.kill(storm.pid, signal.SIGKILL)
        assert storm.end().returncode == -signal.SIGKILL
    heard_then = len(gateway.heard(folder.run))
    refused = owray("recover", folder.run, home=lab_home, runs=runs)
    assert refused.returncode == 1
    assert f"run {folder.run} is still being played by process" in refused.stderr
    time.sleep(1)
    assert len(gateway.heard(folder.run)) > heard_then
    doomed = [folder.load().owner["pid"], *ray_pids(lab_home, "ray::Scribe"), *player_pids(folder).values()]
    assert len(doomed) >= 3
    killed_ns = time.monotonic_ns()
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):  # Ray ends an actor whose owner has just been killed
            os.kill(pid, signal.SIGKILL)
    wait_for_end(doomed)
    assert folder.load().status == "running"
    recovered = owray("recover", home=lab_home, runs=runs)
    assert recovered.returncode == 0, recovered.stderr
    heard = gateway.heard(folder.run)
    assert_balanced(folder, heard)
    assert_old_rows_survive(folder, heard, killed_ns)
    assert {row["outcome"] for row in calls_of(folder).values()} == {"ok", "lost", "unsent"}
    manifest = folder.load()
    assert (manifest.status, manifest.early_end) == ("recovered", BROKE_OFF)
    assert manifest.verdict["level"] == "INVALID"
    assert not folder.journal_files()
    again = owray("recover", home=lab_home, runs=runs)
    assert (again.returncode, again.stdout) == (0, "there was nothing to recover\n")
