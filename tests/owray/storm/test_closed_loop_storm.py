"""The command plays a closed loop, and says so wherever the run is shown."""

import json
import signal

from support.storms import Command, calls_of, owray
from support.xml import tree

LOOP = ("storm", "--action", "noop", "--concurrency", 4)


def test_a_closed_loop_is_labelled_wherever_it_is_shown(lab_home, runs, tmp_path):
    report = tmp_path / "junit.xml"
    asked = (*LOOP, "--think", "20ms", "--duration", "2s", "--warmup", "500ms", "--invokers", 2, "--junit", report, "--json")
    played = owray(*asked, home=lab_home, runs=runs)
    found = json.loads(played.stdout)
    assert found["summary"]["loop"] == "closed"
    assert 0 < found["summary"]["planned"] == found["summary"]["attempted"] <= 4 * 1.5 / 0.02 + 4
    assert found["summary"]["measure_s"] == 1.5
    (note,) = found["verdict"]["notes"]
    assert note.startswith("A closed loop (4 users) asks less")
    written = tree(report.read_text())
    properties = {each.get("name"): each.get("value") for each in written.iter("property")}
    assert properties["closed_loop_users"] == "4"
    assert "rps" not in properties
    assert "asks less" in "".join(each.text for each in written.iter("system-out"))
    listed = owray("runs", home=lab_home, runs=runs).stdout
    assert "closed: 4" in listed
    shown = owray("runs", "show", home=lab_home, runs=runs).stdout
    assert "4 users thinking for 0.02 s, closed loop, 2 s" in shown
    assert note in shown


def test_ctrl_c_ends_a_closed_loop_with_what_was_begun(lab_home, runs):
    with Command(*LOOP, "--duration", "60s", home=lab_home, runs=runs) as storm:
        folder = storm.wait_until(1.0)
        storm.signal(signal.SIGINT)
        ended = storm.end()
    assert ended.returncode == 4
    rows = calls_of(folder)
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert sorted(rows) == list(range(sum(folder.load().recipe.closed.dealt)))
    assert f"{len(rows):,} planned, {len(rows):,} attempted" in ended.stdout
    assert "4 users, closed loop, for " in ended.stdout
    assert "for 60 s" not in ended.stdout  # it was not so long
