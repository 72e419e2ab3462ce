"""`owray storm --slo`, played on a real lab."""

import json
from pathlib import Path

import pytest
from support.storms import Command, owray
from support.xml import tree

from owray.record.run import RunFolder

STORM = ("storm", "--rps", 50, "--duration", "2s", "--action", "noop", "--json")
MET = ("--slo", "ok>=50%", "--slo", "p50<1m", "--slo", "noop:error<50%")
TRIES = 5


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def believed(lab_home, runs):
    """Plays until the run can be believed: a busy machine may make the generator late."""

    def play(*arguments):
        for _ in range(TRIES):
            result = owray(*STORM, *arguments, home=lab_home, runs=runs)
            document = json.loads(result.stdout)
            if document["verdict"]["level"] != "INVALID":
                return result.returncode, document
        raise AssertionError(f"of {TRIES} storms not one could be believed: {document['verdict']}")

    return play


def states(document):
    return [(result["objective"], result["state"]) for result in document["objectives"]]


def test_a_storm_that_meets_its_objectives_exits_0_and_says_so_for_ci(believed, tmp_path):
    report = tmp_path / "storm.xml"
    code, document = believed(*MET, "--junit", report)
    assert code == 0
    assert states(document) == [("ok>=50%", "met"), ("p50<1m", "met"), ("noop:error<50%", "met")]
    root = tree(report.read_text())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "0", "0")
    assert float(root.get("time")) > 0


def test_a_storm_that_misses_one_exits_2_and_its_run_keeps_the_result(believed, lab_home, runs, tmp_path):
    report = tmp_path / "storm.xml"
    code, document = believed(*MET, "--slo", "max<=1us", "--slo", "p99.9<1m", "--force", "--junit", report)
    assert code == 2
    assert states(document)[-2:] == [("max<=1us", "missed"), ("p99.9<1m", "undecided")]
    assert [dict(result) for result in RunFolder(Path(document["path"])).load().objectives] == document["objectives"]
    assert tree(report.read_text()).get("failures") == "2"
    again = owray("judge", document["run"], "--json", home=lab_home, runs=runs)
    assert (again.returncode, json.loads(again.stdout)["objectives"]) == (2, document["objectives"])


REFUSED = {
    "--slo: cannot read 'p99<500', column 8: a time needs a unit: us, ms, s or m, as in 500ms": ("--slo", "p99<500"),
    "owray: too few calls: an objective takes 1,000 after the warm-up, and 100 are planned.  "
    "(--calls 1000, or a --duration of 100s; --force plays it all the same)": ("--slo", "p99<1s"),
    "column 1: no metric named 'p99th'. Did you mean 'p99'?": ("--slo", "ok>99%", "--slo", "p99th<1s"),
    "no action named 'nop'. Did you mean 'noop'?": ("--slo", "nop:p99<1s"),
    "cannot write a report to /proc/here/storm.xml: ": ("--junit", "/proc/here/storm.xml"),
    "cannot write a report to /: it is there, and no plain file.": ("--junit", "/"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What each of these storms says, all asked for at once, in a home where no lab is up; and that home."""
    home = tmp_path_factory.mktemp("refusals") / "home"
    commands = {words: Command("storm", "--action", "noop", *arguments, home=home) for words, arguments in REFUSED.items()}
    return {words: command.end() for words, command in commands.items()}, home


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_judged_or_reported_is_refused_before_any_load(refusals, words):
    results, home = refusals
    result = results[words]
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("owray: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert not list(home.glob("labs/*/state.json"))
    assert not list(home.glob("runs/*"))


def test_a_report_that_cannot_be_written_after_the_storm_is_said_and_no_success(lab_home, tmp_path):
    """Its folder goes while the storm is played."""
    place, runs = tmp_path / "reports", tmp_path / "runs"
    place.mkdir()
    with Command(*STORM, *MET, "--junit", place / "storm.xml", home=lab_home, runs=runs) as storm:
        folder = storm.started()
        place.rmdir()
        result = storm.end()
    assert result.returncode == 4
    assert json.loads(result.stdout)["run"] == folder.run
    assert (
        f"owray: cannot write a report to {place}/storm.xml: No such file or directory.  (owray judge {folder.run} --junit" in result.stderr
    )
