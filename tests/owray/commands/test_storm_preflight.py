"""`owray storm` with what comes before it, as users have it: on a lab with OpenWhisk's own limits, and on one without."""

import os
import signal

import pytest
from support.labs import running_lab
from support.storms import Command, calls_of, owray

from cluster.lab import LocalOptions
from cluster.state import lab_names
from owray.record.run import list_runs

STORM = ("storm", "--rps", 100, "--calls", 80, "--action", "noop")


@pytest.fixture(scope="module")
def standalone(tmp_path_factory):
    """A home whose lab has the limits of a standalone server."""
    home = tmp_path_factory.mktemp("standalone") / "home"
    with running_lab(home, "local", LocalOptions(profile="standalone")):
        yield home


def test_a_storm_above_the_limits_is_refused_with_the_cure_and_leaves_no_run(standalone, tmp_path):
    result = owray(*STORM, home=standalone, runs=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    told = result.stderr.splitlines()
    assert [line.split()[0] for line in told[:2]] == ["target", "preflight"]
    last = told[-1]
    assert last.startswith("owray: not played: calls a minute: 80 asked for, 60 there.  (owray down, then owray up local ")
    assert "--profile standalone --invocations-per-minute 86; --force plays it all the same)" in last
    assert list_runs(tmp_path) == []


def test_forced_it_is_played_and_the_run_says_so(standalone, tmp_path):
    result = owray(*STORM, "--force", home=standalone, runs=tmp_path)
    assert result.returncode in (0, 3)
    assert "forced     " in result.stderr
    (folder,) = list_runs(tmp_path)
    kept = folder.load().preflight
    assert kept["forced"] is True
    assert [each["level"] for each in kept["ceilings"] if each["what"] == "calls a minute"] == ["spoils"]
    assert len(calls_of(folder)) == 80


def test_what_fits_is_told_in_one_line_and_its_calls_are_no_part_of_the_storm(lab_home, tmp_path):
    result = owray("storm", "--rps", 20, "--calls", 20, "--action", "align", "--size", "small", home=lab_home, runs=tmp_path)
    (folder,) = list_runs(tmp_path)
    told = [line for line in result.stderr.splitlines() if line.startswith("preflight  ")]
    assert len(told) == 1
    assert "; binds first: " in told[0]
    assert sorted(calls_of(folder)) == list(range(20))
    assert folder.load().preflight["actions"][0]["name"] == "align"
    assert folder.load().prewarm == ()


def test_a_prewarmed_storm_starts_no_container(lab_home, tmp_path):
    options = ("--rps", 20, "--calls", 20, "--action", "sleep", "--size", "medium", "--prewarm", 6)
    result = owray("storm", *options, home=lab_home, runs=tmp_path)
    (folder,) = list_runs(tmp_path)
    (kept,) = folder.load().prewarm
    assert "prewarm    sleep: 6 of 6 containers warm; 6 calls at once started none anew\n" in result.stderr
    assert kept["warm"] >= 6
    assert not any(row["cold"] for row in calls_of(folder).values())


def test_without_a_preflight_the_first_call_is_the_storms(lab_home, tmp_path):
    result = owray("storm", "--rps", 20, "--calls", 5, "--action", "noop", "--no-preflight", home=lab_home, runs=tmp_path)
    (folder,) = list_runs(tmp_path)
    assert "preflight" not in result.stderr
    assert folder.load().preflight is None


def interrupted(number, home, runs):
    """(exit code, the rest of the error stream) of a storm that is told to end while it makes its calls beforehand."""
    reader, writer = os.pipe()
    options = ("--rps", 1, "--calls", 5, "--action", "sleep", "--size", "large")
    with Command("storm", *options, home=home, runs=runs, errors=writer) as storm, os.fdopen(reader) as errors:
        os.close(writer)
        assert any("of 6 calls answered" in line for line in errors)  # it takes longer than nobody minds
        storm.signal(number)
        rest = errors.read()
        return storm.end().returncode, rest


def test_interrupted_while_it_calls_it_stops_and_leaves_no_run(lab_home, tmp_path):
    assert interrupted(signal.SIGINT, lab_home, tmp_path) == (4, "owray: stopped\n")
    assert list_runs(tmp_path) == []


def test_killed_while_it_calls_it_takes_its_borrowed_lab_away(tmp_path):
    code, rest = interrupted(signal.SIGTERM, tmp_path / "home", tmp_path / "runs")
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in rest
    assert list_runs(tmp_path / "runs") == []
    assert lab_names(tmp_path / "home") == []
