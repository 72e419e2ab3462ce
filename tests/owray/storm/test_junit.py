"""The report for CI servers: its form, and what becomes of the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.golden import is_golden
from support.runs import START, T0, recipe
from support.xml import tree

from owray.judge.objectives import Objective, parse
from owray.judge.results import judge_objectives
from owray.judge.verdict import Level, Verdict
from owray.record.metrics import Kind, Measurement, Metric
from owray.record.run import Manifest
from owray.storm.junit import Findings, check_place, document, write_report

RUN = Manifest("20261123-111203-a7ae", recipe(), START.isoformat(), "ended", T0.isoformat(), T0.replace(second=45).isoformat())

# What Jenkins' schema (jenkins-junit.xsd) allows where; the other readers take less.
ALLOWED = {
    "testsuites": ({"testsuite"}, {"name", "tests", "failures", "errors", "time", "disabled"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
    ),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": ({"skipped", "error", "failure", "system-out", "system-err"}, {"name", "classname", "time", "status", "assertions"}),
    "failure": (set(), {"message", "type"}),
    "error": (set(), {"message", "type"}),
    "system-out": (set(), set()),
}


def findings(*measured, level=Level.VALID, reasons=(), **values):
    results = judge_objectives([parse(text) for text, _ in measured], [measurement for _, measurement in measured])
    return Findings(RUN, Verdict(level, tuple(reasons)), results, **values)


ALL_STATES = (
    ("p99<500ms", Measurement(12_020.0, 1_000)),
    ("align:ok>99.9%", Measurement(0.95, 1_000, 950)),
    ("p99.9<1s", Measurement(None, 1_000)),
)


def counts(suite):
    return {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}


def test_a_report_has_a_case_for_the_verdict_and_one_for_each_objective():
    report = document(findings(*ALL_STATES, level=Level.DEGRADED, reasons=["The generator was late: lag p99 2 ms, at most 1 ms allowed."]))
    assert is_golden("junit.xml", report)


def test_a_run_that_is_invalid_or_ended_early_is_an_error():
    invalid = tree(document(findings(*ALL_STATES, level=Level.INVALID, reasons=["Invoker 3 was lost.", "And more."])))
    assert counts(invalid[0]) == {"tests": 4, "failures": 2, "errors": 1, "skipped": 0}
    error = invalid.find("testsuite/testcase/error")
    assert (error.get("type"), error.get("message"), error.text) == ("INVALID", "Invoker 3 was lost.", "Invoker 3 was lost.\nAnd more.")
    stopped = tree(document(findings(aborted="Ctrl-C"))).find("testsuite/testcase/error")
    assert (stopped.get("type"), stopped.get("message")) == ("aborted", "ended early: Ctrl-C")


@given(st.text(min_size=1), st.text(), st.sampled_from(Level))
def test_any_text_makes_a_well_formed_report_with_only_what_readers_know(action, reason, level):
    objective = Objective(Metric(Kind.TIME, "response", 0.99, action), "<", 1.0)
    results = judge_objectives([objective], [Measurement(2.0, 1_000)])
    report = document(Findings(RUN, Verdict(level, (reason,)), results, aborted=reason))
    assert report.isascii()
    for element in (root := tree(report)).iter():
        children, attributes = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children
        assert set(element.keys()) <= attributes
    assert counts(root[0]) == {"tests": 2, "failures": 1, "errors": 1, "skipped": 0}


def test_a_report_takes_the_place_of_an_older_one_at_once(tmp_path):
    path = tmp_path / "storm.xml"
    check_place(path)
    assert not path.exists()
    write_report(path, findings(*ALL_STATES))
    assert tree(path.read_text()).get("tests") == "4"
    assert list(path.parent.iterdir()) == [path]


def test_an_older_report_is_gone_before_the_storm_so_that_nobody_takes_it_for_this_ones(tmp_path):
    path = tmp_path / "storm.xml"
    path.write_text("old")
    check_place(path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_take_a_report_is_refused_and_left_alone(tmp_path):
    target, link = tmp_path / "kept.xml", tmp_path / "link.xml"
    target.write_text("kept")
    link.symlink_to(target)
    for place in (tmp_path, link, target / "below.xml", tmp_path / "nowhere" / "x.xml", "/dev/null"):
        with pytest.raises(OSError):  # noqa: PT011 - a different one for each
            check_place(tmp_path / place)
    assert (target.read_text(), link.is_symlink()) == ("kept", True)
