"""`owray runs`: one line a run, whatever state it is in."""

import json

import pytest
import typer
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe
from typer.testing import CliRunner

from owray.commands import runs


@pytest.fixture
def listed(tmp_path):
    def run(*arguments):
        app = typer.Typer()
        runs.mount(app)
        return CliRunner().invoke(app, [*arguments, "--runs-dir", str(tmp_path)], catch_exceptions=False)

    return run


def test_runs_are_listed_oldest_first_with_what_became_of_them(tmp_path, listed):
    finished_run(tmp_path, verdict={"level": "VALID", "reasons": []})
    finished_run(tmp_path, recipe(calls=50), verdict={"level": "INVALID", "reasons": ["late"]}, target={"source": "lab 'local'"})
    new_run(tmp_path)
    assert is_golden("runs.txt", listed().stdout)


def test_a_run_whose_manifest_is_broken_does_not_hide_the_others(tmp_path, listed):
    broken, good = new_run(tmp_path), new_run(tmp_path)
    (broken.path / "run.json").write_text("{")
    found = json.loads(listed("--json").stdout)
    assert [(line["run"], line["status"]) for line in found] == [(broken.run, "unreadable"), (good.run, "running")]


def test_where_there_are_no_runs_it_says_how_to_make_one(listed):
    result = listed()
    assert result.exit_code == 0
    assert "owray storm makes one" in result.stdout
    assert listed("--json").stdout == "[]\n"
