"""`owray judge`: a run that is there, held against objectives."""

import json

import pytest
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe
from support.xml import tree

import cli
from owray.record.early_end import EarlyEnd, Kind

VALID = {"level": "VALID", "reasons": [], "notes": []}
INVALID = {"level": "INVALID", "reasons": ["Invoker 0 was lost."]}


@pytest.fixture
def judging(tmp_path, capsys):
    """Runs `owray judge`; gives exit code, output and errors."""

    def run(*arguments):
        code = cli.main(["judge", *map(str, arguments), "--runs-dir", str(tmp_path / "runs")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def played(tmp_path):
    def play(**values):
        return finished_run(tmp_path / "runs", recipe(rps=1000), **{"verdict": VALID, **values})

    return play


def test_a_run_is_held_against_the_objectives_that_are_given(judging, played):
    played()
    code, output, errors = judging("latest", "--slo", "p99<500ms", "--slo", "align:p50<=10ms", "--slo", "p99.9<1s")
    assert (code, errors) == (2, "")
    assert is_golden("judge.txt", output)


@pytest.mark.parametrize(
    ("verdict", "slo", "code"), [(VALID, "p99<1s", 0), (VALID, "p99<1ms", 2), (INVALID, "p99<1s", 3), (INVALID, "p99<1ms", 3)]
)
def test_the_verdict_outweighs_objectives_in_the_exit_code(judging, played, verdict, slo, code):
    played(verdict=verdict)
    assert judging("--slo", slo)[0] == code


def test_without_any_the_storms_own_are_judged_again(judging, played):
    played(options={"objectives": ["p99<1s", "max<1us"]})
    code, output, _ = judging("--json")
    assert code == 2
    assert [(each["objective"], each["state"]) for each in json.loads(output)["objectives"]] == [("p99<1s", "met"), ("max<1us", "missed")]


def test_a_run_stays_as_it_is(judging, played):
    folder = played()
    before = (folder.path / "run.json").read_bytes()
    judging("--slo", "p99<1ms")
    assert (folder.path / "run.json").read_bytes() == before


def test_json_is_the_only_thing_on_the_output_stream_and_has_its_shape(judging, played):
    folder = played()
    document = json.loads(judging(folder.run, "--json", "--slo", "ok>99%")[1])
    assert list(document) == ["version", "run", "path", "verdict", "objectives", "aborted"]
    assert (document["version"], document["run"], document["verdict"]) == (1, folder.run, VALID)
    assert document["objectives"] == [
        {
            "objective": "ok>99%",
            "state": "met",
            "value": 1.0,
            "bound": 0.99,
            "unit": "share",
            "calls": 1_000,
            "sentence": "ok>99% is met: 100 % (1,000 of 1,000 calls).",
        }
    ]


@pytest.mark.parametrize(("verdict", "slo"), [(VALID, "p99<1s"), (VALID, "p99<1ms"), (INVALID, "p99<1s")])
def test_an_early_end_outweighs_all_else_and_is_said(judging, played, verdict, slo):
    played(verdict=verdict).update(status="aborted")
    code, output, _ = judging("--slo", slo)
    assert (code, output.splitlines()[0]) == (4, "ended early: the storm was stopped")
    code, output, _ = judging("--slo", slo, "--json")
    assert (code, json.loads(output)["aborted"]) == (4, "the storm was stopped")


def test_why_a_storm_ended_early_is_said_in_its_own_words(judging, played):
    played(early_end=EarlyEnd(Kind.INVOKER_LOST, "invoker 1 was lost")).update(status="aborted")
    assert judging("--slo", "p99<1s")[1].splitlines()[0] == "ended early: invoker 1 was lost"


def test_the_report_is_written_for_a_ci_server(judging, played, tmp_path):
    played().update(status="aborted")
    report = tmp_path / "storm.xml"
    assert judging("--slo", "p99<1ms", "--junit", report)[0] == 4
    suite = tree(report.read_text())[0]
    assert [(case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")] == [
        ("verdict", ["error"]),
        ("p99<1ms", ["failure"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--slo", "p99<500"], "--slo: cannot read 'p99<500', column 8: a time needs a unit"),
        (["--slo", "p99<5ms/10s"], "has no window"),
        (["--slo", "algin:p99<1s"], "no action named 'algin'. Did you mean 'align'?"),
        ([], "has no objectives of its own.  (--slo 'p99<500ms' gives it some)"),
        (["--slo", "p99<1s", "--junit", "/proc/here.xml"], "cannot write a report to /proc/here.xml: "),
        (["20251111", "--slo", "p99<1s"], "no run named '20251111'."),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(judging, played, arguments, words):
    played()
    code, output, errors = judging(*arguments)
    assert (code, output) == (1, "")
    assert errors.startswith("owray: ")
    assert errors.count("\n") == 1
    assert words in errors


def test_a_run_without_a_verdict_is_refused_with_the_way_to_get_one(judging, tmp_path):
    folder = new_run(tmp_path / "runs")
    code, _, errors = judging("--slo", "p99<1s")
    assert code == 1
    assert f"(owray recover {folder.run} gives it one)" in errors


def test_a_run_of_a_newer_version_is_named_with_the_ways_out(judging, played):
    manifest = played().path / "run.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    code, output, errors = judging("--slo", "p99<1s")
    assert (code, output) == (1, "")
    run = manifest.parent.name.removeprefix("run=")
    assert errors.startswith(f"owray: run {run} cannot be judged, while owray judge RUN judges another: cannot read {manifest}: ")
    assert errors.endswith("it was written by a newer owray (schema 9, and this one reads 1).  (upgrade owray to read it)\n")


@pytest.mark.parametrize("own", ["p99<1s", 5, [5], None])
def test_own_objectives_that_somebody_changed_are_said_so(judging, played, own):
    played(options={"objectives": own})
    code, _, errors = judging()
    assert code == 1
    assert errors.startswith("owray: the objectives that run ")


def test_a_verdict_that_cannot_be_read_is_said_so(judging, played):
    played(verdict={"level": "SPLENDID", "reasons": [], "notes": []})
    code, _, errors = judging("--slo", "p99<1s")
    assert code == 1
    assert errors.startswith("owray: cannot read the verdict in ")
