"""A closed loop on the fleet, against a gateway that keeps its own log: it answers each call after 50 ms."""

import contextlib
import json
import os
import signal

import pytest
from support.storms import against_gateway, calls_of, owray, player_pids, ray_pids, wait_for_end

from owray.ask.queries import find_query
from owray.ask.session import Session
from owray.fleet.spec import FleetReport
from owray.judge.verdict import Level
from owray.storm.judging import judge

USERS = 6


def balance_of(folder):
    with Session([folder]) as session:
        return session.one(find_query("reconcile").sql)


def assert_begun_calls_have_their_rows(folder, heard):
    """Each begun call has one row, and none that the gateway heard of is missing."""
    rows = calls_of(folder)
    balance = {"run": folder.run, "planned": len(rows), "rows": len(rows), "missing": 0, "duplicate": 0, "foreign": 0}
    assert balance_of(folder) == balance
    assert heard.keys() <= rows.keys()
    assert {seq for seq, row in rows.items() if row["outcome"] == "ok"} <= heard.keys()
    return rows


@pytest.mark.parametrize("invokers", [1, 2, 3])
def test_time_ends_it_and_what_was_begun_is_the_plan(lab_home, gateway, runs, invokers):
    with against_gateway(gateway, home=lab_home, runs=runs, users=USERS, seconds=1.5, invokers=invokers) as storm:
        folder = storm.folder()
        report = json.loads(storm.end().stdout)
    rows = assert_begun_calls_have_their_rows(folder, gateway.heard(folder.run))
    dealt = folder.load().recipe.closed.dealt
    assert dealt == tuple(one["counters"]["dispatched"] for one in report["reports"])
    assert 0 < len(rows) <= USERS * 1.5 / 0.05 + USERS
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert max(row["intended_us"] for row in rows.values()) < 1_500_000
    assert sum(one["counters"]["most_in_flight"] for one in report["reports"]) <= USERS
    verdict = judge(folder, FleetReport((), (), (), None))
    assert verdict.summary.loop == "closed"
    assert verdict.summary.planned == verdict.summary.attempted == len(rows)
    assert not any("send" in reason or "plan" in reason for reason in verdict.verdict.reasons)
    assert verdict.verdict.notes[0].startswith(f"A closed loop ({USERS} users) asks less while the server is slow")


def test_a_count_ends_it_and_each_invoker_has_its_share(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, users=USERS, calls=50, think_s=0.02, invokers=3) as storm:
        folder = storm.folder()
        report = json.loads(storm.end().stdout)
    rows = assert_begun_calls_have_their_rows(folder, gateway.heard(folder.run))
    assert sorted(rows) == list(range(50))
    assert [one["counters"]["dispatched"] for one in report["reports"]] == [17, 17, 16]
    assert folder.load().status == "ended"


def test_a_killed_invoker_is_lost_with_the_calls_that_it_had_begun(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, users=USERS, seconds=60, invokers=2) as storm:
        folder = storm.wait_until(1.5)
        os.kill(player_pids(folder)[1], signal.SIGKILL)
        report = json.loads(storm.end().stdout)
    assert report["lost"] == [1]
    rows = assert_begun_calls_have_their_rows(folder, gateway.heard(folder.run))
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 0} == {"ok"}  # the survivor's calls had their end
    assert {row["outcome"] for seq, row in rows.items() if seq % 2 == 1} == {"ok", "lost"}
    assert judge(folder, FleetReport((), (1,), (), report["aborted"])).verdict.level is Level.INVALID


def test_after_a_kill_of_everything_recover_has_a_row_for_every_begun_call(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, users=USERS, seconds=60, invokers=2) as storm:
        folder = storm.wait_until(1.5)
        doomed = [storm.pid, folder.load().owner["pid"], *ray_pids(lab_home, "ray::Scribe"), *player_pids(folder).values()]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):  # Ray ends an actor whose owner has just been killed
                os.kill(pid, signal.SIGKILL)
        storm.end()
    wait_for_end(doomed)
    assert folder.load().recipe.is_open_ended
    recovered = owray("recover", folder.run, home=lab_home, runs=runs)
    assert recovered.returncode == 0, recovered.stderr
    rows = assert_begun_calls_have_their_rows(folder, gateway.heard(folder.run))
    assert {row["outcome"] for row in rows.values()} == {"ok", "lost"}
    assert "A closed loop (6 users)" in recovered.stdout
    assert folder.load().verdict["level"] == "INVALID"
