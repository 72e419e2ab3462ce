"""`owray query`: the list, parameters, and what is said when a name is wrong."""

import json

import pytest
from support.busy_run import busy_run
from support.commands import owray
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe

from owray.ask.queries import queries


def ask(runs, *arguments):
    return owray("query", *arguments, "--runs-dir", runs)


@pytest.mark.parametrize("name", queries())
def test_every_query_prints_what_it_always_printed_of_the_same_run(tmp_path, name):
    busy_run(tmp_path)
    result = ask(tmp_path, name)
    assert result.exit_code == 0
    assert is_golden(f"queries/{name}.txt", result.stdout)


@pytest.mark.parametrize("name", queries())
def test_every_query_tells_several_runs_apart(tmp_path, name):
    runs = [busy_run(tmp_path), busy_run(tmp_path), new_run(tmp_path)]
    alone = json.loads(ask(tmp_path, name, "--format", "json", "--run", runs[0].run).stdout)
    lines = json.loads(ask(tmp_path, name, "--format", "json", "--run", "all").stdout)
    for run in runs[:2]:
        assert [line | {"run": ""} for line in lines if line["run"] == run.run] == [line | {"run": ""} for line in alone]
    assert {line["run"] for line in lines} <= {run.run for run in runs}


@pytest.fixture
def runs(tmp_path):
    finished_run(tmp_path, recipe(duration_s=2))
    return tmp_path


def test_without_a_name_all_are_listed_with_their_questions_and_parameters(tmp_path):
    result = ask(tmp_path)
    assert result.exit_code == 0
    assert is_golden("query_list.txt", result.stdout)


def test_a_parameter_changes_the_answer(runs):
    by_second = json.loads(ask(runs, "timeline", "--format", "json").stdout)
    by_half = json.loads(ask(runs, "timeline", "--format", "json", "--param", "bucket_s=0.5").stdout)
    assert [line["due"] for line in by_second] == [100, 100]
    assert [line["due"] for line in by_half] == [50, 50, 50, 50]
    assert [repr(line["from_s"]) for line in by_second] == ["0", "1"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["timelin"], "no query named 'timelin'. Did you mean 'timeline'?"),
        (["timeline", "--param", "bucket=1"], "the query 'timeline' has no parameter 'bucket'. Did you mean 'bucket_s'? It knows bucket_s"),
        (["reconcile", "--param", "x=1"], "the query 'reconcile' has no parameter 'x'. It has none"),
        (["timeline", "--param", "bucket_s=often"], "bucket_s is a number from 0.001 to 86,400, not 'often'"),
        (["timeline", "--param", "bucket_s=0"], "bucket_s is a number from 0.001 to 86,400, not '0'"),
        (["slowest", "--param", "count=-1"], "count is a whole number from 1 to 1,000,000, not '-1'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(runs, arguments, reason):
    result = ask(runs, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("owray: ")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_parameter_without_a_value_is_a_usage_error(runs):
    result = ask(runs, "timeline", "--param", "bucket_s")
    assert result.exit_code == 1
    assert "NAME=VALUE" in result.stderr
