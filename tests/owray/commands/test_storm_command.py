"""`owray storm` as users have it: a process of its own, on a real lab."""

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.storms import Command, calls_of, command_line, environment, lab_of, owray

from cluster.lab import LocalOptions, up_local
from owray.openwhisk.target import read_wskprops
from owray.plan.recipe import Plan
from owray.record.run import RunFolder, list_runs

SEED_STORM = ("storm", "--rps", 60, "--calls", 60, "--arrivals", "poisson", "--workload", "micro", "--seed", 7, "--json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def played(lab_home, runs):
    """A storm of align that was watched while it was played: (result, every command line there was meanwhile).

    Nothing is called beforehand, so that its first call is cold.
    """
    options = ("--rps", 10, "--duration", "4s", "--action", "align", "--size", "small", "--no-preflight", "--json")
    with Command("storm", *options, home=lab_home, runs=runs) as storm:
        storm.wait_until(1.0)
        lines = [command_line(pid) for pid in psutil.pids()]
        return storm.end(), lines


@pytest.fixture(scope="module")
def document(played):
    return json.loads(played[0].stdout)


def test_a_storm_leaves_one_checked_row_per_planned_call(document):
    rows = calls_of(folder_of(document))
    assert sorted(rows) == list(range(40))
    assert {(row["outcome"], row["checked"], row["phase"]) for row in rows.values()} == {("ok", True, "measure")}
    assert any(row["cold"] for row in rows.values())
    assert len({row["activation_id"] for row in rows.values()}) == 40


def test_the_exit_code_says_what_the_verdict_says(played, document):
    assert document["verdict"]["level"] in ("VALID", "DEGRADED", "INVALID")
    assert played[0].returncode == (3 if document["verdict"]["level"] == "INVALID" else 0)
    assert folder_of(document).load().verdict == document["verdict"]


def test_json_is_the_only_thing_on_the_output_stream_and_has_its_shape(document):
    assert list(document) == ["version", "run", "path", "verdict", "objectives", "aborted", "summary", "invokers", "lost_invokers"]
    assert (document["version"], document["aborted"], document["lost_invokers"]) == (1, None, [])
    summary = document["summary"]
    assert (summary["planned"], summary["attempted"], summary["checked"], summary["outcomes"]) == (40, 40, 40, [["ok", 40]])
    assert summary["response_all"]["count"] == summary["response_ok"]["count"] == 40
    assert [invoker["counters"]["attempted"] for invoker in document["invokers"]] == [40]


def test_the_rows_balance_against_the_plan(lab_home, runs, played):
    asked = owray("query", "reconcile", "--format", "json", home=lab_home, runs=runs)
    (balance,) = json.loads(asked.stdout)
    balance.pop("run")
    assert balance == {"planned": 40, "rows": 40, "missing": 0, "duplicate": 0, "foreign": 0}


def test_the_rows_answer_questions_in_sql(lab_home, runs, played):
    asked = owray("sql", "select outcome, count(*) as calls from calls group by 1", "--format", "csv", home=lab_home, runs=runs)
    assert asked.stdout == '"outcome","calls"\n"ok",40\n'


def test_runs_lists_it(lab_home, runs, document):
    (line,) = json.loads(owray("runs", "--json", home=lab_home, runs=runs).stdout)["runs"]
    assert (line["run"], line["status"], line["calls"]) == (document["run"], "ended", "align/small")


def test_the_labs_key_is_nowhere_but_in_its_own_files(lab_home, document, played):
    lab = lab_of(lab_home)
    auth = read_wskprops(lab.wskprops).auth
    secrets = [auth.partition(":")[2].encode(), base64.b64encode(auth.encode())]
    result, lines = played
    assert not any(secret in text.encode() for secret in secrets for text in (*lines, result.stdout, result.stderr))
    places = (folder_of(document).path, lab.logs, lab.ray_temp_dir)
    files = [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name == "run.json" for path in files)
    assert any(path.suffix == ".log" for path in files)
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []


def planned(folder):
    """The plan, made from the manifest as one invoker would play it: (seq, due, action, size)."""
    recipe = folder.load().recipe
    calls = [call for window in Plan(recipe).windows() for call in zip(window.seqs, window.due_us, window.entries, strict=True)]
    return [(int(seq), int(due_us), recipe.entries[entry].action, recipe.entries[entry].size) for seq, due_us, entry in calls]


def as_played(folder):
    return [(seq, row["intended_us"], row["action"], row["size"]) for seq, row in sorted(calls_of(folder).items())]


def test_the_same_seed_plays_the_same_calls_on_1_2_and_4_invokers(lab_home, tmp_path, document):
    with (
        Command(*SEED_STORM, "--invokers", 2, home=lab_home, runs=tmp_path / "2") as two,
        Command(*SEED_STORM, "--invokers", 4, home=lab_home, runs=tmp_path / "4") as four,
    ):
        folders = {2: two.folder(), 4: four.folder()}
        assert {two.end().returncode, four.end().returncode} <= {0, 3}
    plan = planned(folders[2])
    assert len(plan) == 60
    assert len({action for _, _, action, _ in plan}) > 1
    assert as_played(folders[2]) == as_played(folders[4]) == plan
    assert as_played(folder_of(document)) == planned(folder_of(document))  # by one invoker
    for invokers, folder in folders.items():
        assert {seq: row["invoker"] for seq, row in calls_of(folder).items()} == {seq: seq % invokers for seq in range(60)}


REFUSED = {
    "no workload named 'genomic'. Did you mean 'genomics'?": ("--workload", "genomic"),
    "no size of align named 'smal'. Did you mean 'small'?": ("--action", "align", "--size", "smal"),
    "--rps is to be above zero": ("--action", "noop", "--rps", 0),
    "--rps is to be above zero and at most 1,000,000, not nan": ("--action", "noop", "--rps", "nan"),
    "name what is to be called: one of --workload, --action, --mix, --web, --trigger": (),
    "one of --workload, --action, --mix, --web, --trigger.": ("--action", "noop", "--workload", "micro"),
    "owray: --duration: 'soon' is no duration; one looks like 500ms, 10s, 2m or 1h": ("--action", "noop", "--duration", "soon"),
    "--warmup: '5 parsecs' is no duration": ("--action", "noop", "--warmup", "5 parsecs"),
    "--timeout: '' is no duration": ("--action", "noop", "--timeout", ""),
    "Invalid value for '--rps'": ("--action", "noop", "--rps", "abc"),
    "owray: Invalid value for '--arrivals': 'even' is not one of 'constant', 'uniform', 'poisson'": (
        "--action",
        "noop",
        "--arrivals",
        "even",
    ),
    "no size of noop named 'huge'.  (it has small)": ("--action", "noop", "--size", "huge"),
    "--duration: '5' has no unit; 5 seconds are 5s, and there are ms, m and h": ("--action", "noop", "--duration", 5),
    "--timeout: '1.5' has no unit; 1.5 seconds are 1.5s": ("--action", "noop", "--timeout", 1.5),
    "--warmup: '0' has no unit; 0 seconds are 0s": ("--action", "noop", "--warmup", 0),
    "--duration: '' is no duration": ("--action", "noop", "--duration", ""),
    "--force plays what the preflight would refuse": ("--action", "noop", "--force", "--no-preflight"),
    "--max-in-flight 1 cannot be shared by 2 invokers": ("--action", "noop", "--invokers", 2, "--max-in-flight", 1),
    "--concurrency 1 cannot be shared by 2 invokers": ("--action", "noop", "--invokers", 2, "--concurrency", 1),
    "--late drop is of no use in a closed loop": ("--action", "noop", "--concurrency", 5, "--late", "drop:1s"),
    "--max-in-flight: leave it out; a closed loop": ("--action", "noop", "--concurrency", 5, "--max-in-flight", 5),
    "--rps and --concurrency: one of them says": ("--action", "noop", "--concurrency", 5, "--rps", 5),
    "--prewarm is to be between 0 and 1,000, not -1": ("--action", "noop", "--prewarm", -1),
    "a warm-up of 10 s leaves nothing": ("--action", "noop", "--warmup", "10s"),
    "Invalid value for '--calls'": ("--action", "noop", "--calls", "many"),
    "no action named 'algin'. Did you mean 'align'?  (owray workloads lists them; one that is there already is written /_/algin)": (
        "--action",
        "algin",
    ),
    "'a/b/c/d' cannot be the name of an action; one looks like /_/NAME or /_/PACKAGE/NAME": ("--action", "a/b/c/d"),
    "'a/b' cannot be the name of a trigger": ("--trigger", "a/b"),
    "--web 'https://h/x' is no web action": ("--web", "https://h/x"),
    "--param is to be KEY=VALUE, not 'a'": ("--action", "/_/x", "--param", "a"),
    "--params /nonexistent/x.json: No such file or directory": ("--action", "/_/x", "--params", "/nonexistent/x.json"),
    "--params x.toml: a file of parameters ends in .json, .jsonl, .parquet, .csv": ("--action", "/_/x", "--params", "x.toml"),
    "--expect '{': it is no JSON": ("--action", "/_/x", "--expect", "{"),
    "--expect-schema /nonexistent: No such file or directory": ("--action", "/_/x", "--expect-schema", "/nonexistent"),
    "no actions in /nonexistent: No such file or directory": ("--action", "x", "--actions-dir", "/nonexistent"),
    "--size is one of a catalogue's action": ("--action", "/_/x", "--size", "small"),
    "--method is for --web": ("--action", "/_/x", "--method", "GET"),
    "a trigger has no result that --expect or --expect-schema could look at": ("--trigger", "x", "--expect", "1"),
    "cannot keep a run in /proc/here": ("--action", "noop", "--runs-dir", "/proc/here"),
    "no lab named 'elsewhere' is up.": ("--action", "noop", "--lab", "elsewhere"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What each of these storms says, all asked for at once, in a home where no lab is up; and that home."""
    home = tmp_path_factory.mktemp("refusals") / "home"
    commands = {words: Command("storm", *arguments, home=home) for words, arguments in REFUSED.items()}
    return {words: command.end() for words, command in commands.items()}, home


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_played_is_refused_in_one_line(refusals, words):
    result = refusals[0][words]
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("owray: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


def test_no_lab_is_brought_up_for_what_is_refused(refusals):
    _, home = refusals
    assert not list(home.glob("labs/*/state.json"))
    assert not list(home.glob("runs/*"))


def test_a_dead_platform_is_said_so_and_leaves_no_run(lab_home, tmp_path):
    for pid in lab_of(lab_home).platform_pids:
        os.kill(pid, signal.SIGKILL)
    try:
        result = owray("storm", "--action", "noop", home=lab_home, runs=tmp_path / "runs")
    finally:
        up_local(lab_home, "local", LocalOptions(), lambda line: None)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("owray: lab 'local' is damaged: the platform has died.")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("runs/run=*"))


def folder_of(document):
    return RunFolder(Path(document["path"]))


def test_an_output_that_takes_nothing_changes_neither_the_run_nor_the_exit_code(lab_home, tmp_path, checkout):
    report = tmp_path / "storm.xml"
    words = ["storm", "--rps", "20", "--calls", "10", "--action", "noop", "--slo", "in-flight<1", "--junit", str(report)]
    command = [sys.executable, str(checkout / "cli.py"), *words, "--runs-dir", str(tmp_path / "runs")]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, env=environment(lab_home), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    (run,) = list_runs(tmp_path / "runs")
    level = (run.load().verdict or {}).get("level")
    assert ended.returncode == (3 if level == "INVALID" else 2)
    assert ended.stderr.endswith(f"owray: cannot print what was found: No space left on device.  (owray runs show {run.run})\n")
    assert report.exists()


def test_a_reader_who_has_gone_away_changes_neither_the_run_nor_the_exit_code(lab_home, tmp_path, checkout):
    report = tmp_path / "storm.xml"
    words = ["storm", "--rps", "20", "--calls", "10", "--action", "noop", "--slo", "in-flight<1", "--junit", str(report)]
    command = [sys.executable, str(checkout / "cli.py"), *words, "--runs-dir", str(tmp_path / "runs")]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:  # noqa: PTH123 - a descriptor
        ended = subprocess.run(command, env=environment(lab_home), stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    (run,) = list_runs(tmp_path / "runs")
    level = (run.load().verdict or {}).get("level")
    assert ended.returncode == (3 if level == "INVALID" else 2)
    assert "owray: " not in ended.stderr
    assert report.exists()
