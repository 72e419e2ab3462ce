"""A process that is stuck (SIGSTOP): the others are played and shown as if nothing were, and the storm ends without it."""

import json
import os
import signal
import time

from support.storms import Command, against_gateway, calls_of, owray, player_pids, ray_pids, wait_for_end

RPS = 100
STUCK_S = 3.0
SILENT_S = 2
STALE_S = 1.0
"""What is shown is at most so old: a look of the coordinator and one of the driver, on a machine that is busy with other things."""


def test_a_stuck_invoker_hides_its_own_numbers_only(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=6, invokers=2) as storm:
        folder = storm.wait_until(1.0)
        stuck = player_pids(folder)[1]
        t0_s = folder.load().t0_us / 1e6
        start_s = time.time() - t0_s
        os.kill(stuck, signal.SIGSTOP)
        time.sleep(STUCK_S)
        end_s = time.time() - t0_s
        os.kill(stuck, signal.SIGCONT)
        result = storm.end()
    looks = [tuple(map(float, line.split())) for line in result.stderr.splitlines()]
    shown = [attempted for at_s, attempted in looks if start_s + STALE_S < at_s < end_s]
    assert shown[-1] - shown[0] > RPS / 2 * (STUCK_S - STALE_S) / 2
    report = json.loads(result.stdout)
    assert (report["lost"], report["aborted"]) == ([], None)
    assert sum(one["counters"]["attempted"] for one in report["reports"]) == RPS * 6


def test_an_invoker_that_stays_stuck_is_given_up_when_nothing_can_be_under_way(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=3, invokers=2, timeout_ms=500, silent_s=3) as storm:
        folder = storm.wait_until(1.0)
        stuck = player_pids(folder)[1]
        os.kill(stuck, signal.SIGSTOP)
        result = storm.end()
    report = json.loads(result.stdout)
    assert (report["lost"], report["aborted"]) == ([1], "invoker 1 was lost")
    assert folder.load().status == "aborted"
    rows = calls_of(folder)
    assert sorted(rows) == list(range(RPS * 3))
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 0} == {"ok"}
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 1} == {"ok", "lost", "unsent"}
    wait_for_end([stuck])


def test_asked_twice_to_end_a_storm_with_a_stuck_invoker_ends(lab_home, runs):
    reader, writer = os.pipe()
    options = ("--rps", RPS, "--duration", "60s", "--action", "noop")
    with Command("storm", *options, home=lab_home, runs=runs, errors=writer) as storm, os.fdopen(reader) as errors:
        os.close(writer)
        folder = storm.wait_until(1.0)
        stuck = player_pids(folder)[0]
        os.kill(stuck, signal.SIGSTOP)
        storm.signal(signal.SIGINT)
        assert any(line.startswith("stopping: ") for line in errors)  # two signals that come at once are one
        storm.signal(signal.SIGINT)
        result = storm.end()
        assert result.returncode == 4, errors.read()
    assert "ended early: Ctrl-C\n" in result.stdout
    assert "Invoker 0 was lost" in result.stdout
    rows = calls_of(folder)
    assert sorted(rows) == list(range(RPS * 60))
    assert {row["outcome"] for row in rows.values()} == {"ok", "lost", "unsent"}
    wait_for_end([stuck])


def test_a_stuck_scribe_does_not_keep_a_storm_from_its_end(lab_home, gateway, runs):
    before = set(ray_pids(lab_home, "ray::Scribe"))
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=2, sealed_within_s=2) as storm:
        folder = storm.wait_until(1.0)
        (scribe,) = set(ray_pids(lab_home, "ray::Scribe")) - before
        os.kill(scribe, signal.SIGSTOP)
        result = storm.end()
    assert json.loads(result.stdout)["aborted"] is None
    assert {row["outcome"] for row in calls_of(folder).values()} == {"ok"}
    assert not folder.journal_files()
    wait_for_end([scribe])


def test_a_stuck_coordinator_is_given_up_and_recover_accounts_for_every_call(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=60, coordinator_silent_s=SILENT_S) as storm:
        folder = storm.wait_until(1.0)
        coordinator, players = folder.load().owner["pid"], player_pids(folder).values()
        os.kill(coordinator, signal.SIGSTOP)
        result = storm.end()
    assert f"FleetLost: the storm's coordinator has not answered for {SILENT_S} s" in result.stderr
    wait_for_end([coordinator, *players])
    recovered = owray("recover", home=lab_home, runs=runs)
    assert recovered.returncode == 0, recovered.stderr
    rows = calls_of(folder)
    assert sorted(rows) == list(range(RPS * 60))
    assert {row["outcome"] for row in rows.values()} == {"ok", "lost", "unsent"}
