"""A journal that cannot be read, in the midst of a storm: it takes nothing else with it."""

import json

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
