"""Storms that are told to end: in order at the first time of asking, at once at the second, and never without their rows."""

import os
import signal
import time

import pytest
from support.labs import traces
from support.storms import Command, calls_of, environment
from support.terminals import Terminal

from cluster.state import lab_names
from owray.record.early_end import EarlyEnd
from owray.record.run import list_runs

CALLS = 300
STORM = ("storm", "--rps", 10, "--duration", f"{CALLS // 10}s", "--action", "sleep", "--size", "large")
"""Ten calls of a second are under way at any time."""

ABORTED = 4
CLI = "import sys, cli; sys.exit(cli.main(sys.argv[1:]))"
GAP_S = 0.02
"""Less than the command waits for the fleet at a time: what comes twice meanwhile counts twice."""


@pytest.fixture(scope="module")
def interrupted(lab_home, runs):
    """(result, rows, manifest) of two storms on one lab: one whose terminal is closed, one that is told twice to end.

    On a closed terminal nothing can be written, and that may be so before the signal comes.
    """
    controller, terminal = os.openpty()
    with (
        Command(*STORM, home=lab_home, runs=runs / "closed", errors=terminal) as closed,
        Command(*STORM, home=lab_home, runs=runs / "twice") as twice,
    ):
        os.close(terminal)
        folders = [storm.wait_until(1.5) for storm in (closed, twice)]
        os.close(controller)
        twice.signal(signal.SIGINT)
        time.sleep(GAP_S)
        twice.signal(signal.SIGINT)
        closed.signal(signal.SIGHUP)
        results = [storm.end() for storm in (closed, twice)]
    return [(result, calls_of(folder), folder.load()) for result, folder in zip(results, folders, strict=True)]


def test_a_closed_terminal_stops_sending_and_calls_under_way_end(interrupted):
    result, rows, manifest = interrupted[0]
    assert result.returncode == ABORTED
    assert sorted(rows) == list(range(CALLS))
    outcomes = [rows[seq]["outcome"] for seq in range(CALLS)]
    sent = outcomes.index("unsent")
    assert 10 <= sent < CALLS
    assert set(outcomes[:sent]) == {"ok"}
    assert set(outcomes[sent:]) == {"unsent"}
    assert (manifest.status, manifest.early_end) == ("aborted", EarlyEnd("interrupted", "SIGHUP"))
    assert manifest.verdict["level"] == "INVALID"
    assert "ended early: SIGHUP\n" in result.stdout
    assert f"calls      300 planned, {sent} attempted: " in result.stdout
    assert f"{CALLS - sent} unsent" in result.stdout


def test_the_second_interruption_cuts_off_what_is_under_way(interrupted):
    result, rows, _ = interrupted[1]
    assert result.returncode == ABORTED
    assert "stopping: calls under way may end; once more cuts them off" in result.stderr
    assert "Traceback" not in result.stderr
    assert "ended early: Ctrl-C\n" in result.stdout
    assert sorted(rows) == list(range(CALLS))
    lost = [row for row in rows.values() if row["outcome"] == "lost"]
    assert lost
    assert all(row["censored"] and row["error"] == "cut off" for row in lost)
    assert {row["outcome"] for row in rows.values()} <= {"ok", "lost", "unsent"}


@pytest.fixture
def on_terminal(lab_home, tmp_path):
    """A storm in the midst of its calls, on a terminal of its own; its run and its report are in tmp_path."""
    words = (*map(str, STORM), "--no-preflight", "--junit", str(tmp_path / "storm.xml"), "--runs-dir", str(tmp_path))
    with Terminal(CLI, *words, **environment(lab_home)) as terminal:
        terminal.wait_for("in flight 1")  # some of its calls are under way
        yield terminal


def ended_early(folder, by):
    """Whether the one run in a folder is complete, was judged, and has a report that tells what ended it."""
    (run,) = list_runs(folder)
    manifest, rows = run.load(), calls_of(run)
    assert sorted(rows) == list(range(CALLS))
    assert {row["outcome"] for row in rows.values()} == {"ok", "unsent"}
    assert (manifest.status, manifest.verdict["level"]) == ("aborted", "INVALID")
    return by in (folder / "storm.xml").read_text()


def test_a_storm_whose_terminal_is_closed_ends_as_on_ctrl_c_and_leaves_its_report(on_terminal, tmp_path):
    assert on_terminal.hang_up() == ABORTED
    assert ended_early(tmp_path, "SIGHUP")


def test_ctrl_backslash_ends_a_storm_as_ctrl_c_does(on_terminal, tmp_path):
    on_terminal.type("\x1c")
    on_terminal.wait_for("ended early: SIGQUIT\n")
    assert on_terminal.end() == ABORTED
    assert ended_early(tmp_path, "SIGQUIT")


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_ctrl_c_between_the_making_of_the_run_and_its_start_leaves_no_run(lab_home, runs, pause_s):
    place = runs / f"early-{pause_s}"
    with Command("storm", "--action", "noop", home=lab_home, runs=place) as storm:
        storm.folder()
        time.sleep(pause_s)
        storm.signal(signal.SIGINT)
        result = storm.end()
    assert (result.returncode, result.stdout) == (ABORTED, "")
    assert result.stderr.endswith("owray: stopped\n")
    assert "Traceback" not in result.stderr
    assert not list(place.iterdir())


def test_a_borrowed_lab_is_gone_when_its_storm_was_interrupted(tmp_path):
    home = tmp_path / "home"
    with Command("storm", "--rps", 10, "--duration", "60s", "--action", "noop", home=home, runs=tmp_path / "runs") as storm:
        folder = storm.wait_until(0.5)
        (name,) = lab_names(home)
        lab = traces(home, name)
        assert lab.left()
        storm.signal(signal.SIGINT)
        result = storm.end()
    assert result.returncode == ABORTED
    assert "ended early: Ctrl-C\n" in result.stdout
    rows = calls_of(folder)
    assert sorted(rows) == list(range(600))
    assert {row["outcome"] for row in rows.values()} == {"ok", "unsent"}
    assert lab.left() == []
    assert not lab_names(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_a_lab_comes_up_leaves_nothing(tmp_path, number):
    home = tmp_path / "home"
    with Command("storm", "--action", "noop", home=home, runs=tmp_path / "runs") as storm:
        while not lab_names(home):
            assert storm.is_alive
            time.sleep(0.01)
        (name,) = lab_names(home)
        time.sleep(1)
        lab = traces(home, name)
        storm.signal(number)
        result = storm.end()
    assert result.returncode in (ABORTED, 128 + number)
    assert "Traceback" not in result.stderr
    assert lab.left() == []
    assert not list((tmp_path / "runs").iterdir())
