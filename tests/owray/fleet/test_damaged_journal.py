"""A journal that cannot be read, or is not free, in the midst of a storm: it takes nothing else with it."""

import fcntl
import json
import os
import time

from support.storms import against_gateway, calls_of

SECONDS = 3
RPS = 50


def test_a_journal_that_cannot_be_read_is_set_aside_and_the_storm_says_so(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=SECONDS) as storm:
        folder = storm.wait_until(1.0)
        (folder.journals("0") / "damaged.journal").write_bytes(b"no header\n")
        result = storm.end()
    report = json.loads(result.stdout)
    assert report["aborted"] == "set-aside/node=0/damaged.journal could not be read: its calls count as lost"
    assert folder.load().status == "aborted"
    assert folder.load().early_end.kind == "journal_damaged"
    rows = calls_of(folder)
    assert sorted(rows) == list(range(RPS * SECONDS))
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert [path.name for path in folder.journals_set_aside()] == ["damaged.journal"]
    assert list(folder.hosts.glob("*.parquet"))


def test_a_journal_that_somebody_is_at_when_the_storm_ends_is_waited_for(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=SECONDS) as storm:
        folder = storm.wait_until(1.0)
        (journal,) = folder.journal_files()
        holder = os.open(journal, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        while not list(folder.hosts.glob("*.parquet")):  # the scribe writes them before it converts what is left
            time.sleep(0.01)
        time.sleep(0.5)
        assert folder.load().status == "running"
        os.close(holder)
        result = storm.end()
    assert json.loads(result.stdout)["aborted"] is None
    assert sorted(calls_of(folder)) == list(range(RPS * SECONDS))
