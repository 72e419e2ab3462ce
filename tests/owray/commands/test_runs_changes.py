"""`owray runs rm`, `tag`, `untag`: what is asked, what is refused, and what is left."""

import json

import pytest
from support import commands
from support.runs import finished_run, new_run

from owray.commands import runs_changes
from owray.record.players import this_process
from owray.record.run import ManifestError, find_run, list_runs


@pytest.fixture
def owray(tmp_path):
    return lambda *arguments, answer=None: commands.owray(*arguments, "--runs-dir", tmp_path, answer=answer)


@pytest.fixture
def terminal(monkeypatch):
    """Somebody who can be asked: the runner's standard input is no terminal."""

    class Terminal:
        @property
        def stdin(self):
            return self

        def isatty(self):
            return True

    monkeypatch.setattr(runs_changes, "sys", Terminal())


def one_line(result):
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    return result.stderr


def test_a_tag_is_a_name_by_which_the_run_is_found_and_it_is_shown(tmp_path, owray):
    tagged, _ = finished_run(tmp_path), new_run(tmp_path)
    assert owray("runs", "tag", tagged.run, "before-tuning").stdout == f"run {tagged.run} is before-tuning\n"
    counted = owray("sql", "select count(*) as n, any_value(tags) as tags from calls, runs", "--run", "before-tuning", "--format", "json")
    assert json.loads(counted.stdout) == [{"n": 100, "tags": ["before-tuning"]}]
    assert "before-tuning" in owray("runs").stdout
    assert [line["tags"] for line in json.loads(owray("runs", "--json").stdout)["runs"]] == [["before-tuning"], []]


def test_a_tag_that_is_taken_away_finds_nothing_any_more(tmp_path, owray):
    run = finished_run(tmp_path)
    owray("runs", "tag", "latest", "base")
    assert json.loads(owray("runs", "untag", "base", "--json").stdout) == {"version": 1, "run": run.run, "tags": []}
    assert "no run named 'base'" in one_line(owray("sql", "from calls", "--run", "base"))
    assert "no run has the tag 'base'" in one_line(owray("runs", "untag", "base"))


def test_a_tag_given_twice_is_there_once(tmp_path, owray):
    finished_run(tmp_path)
    owray("runs", "tag", "latest", "base")
    assert json.loads(owray("runs", "tag", "base", "base", "--json").stdout)["tags"] == ["base"]


def test_a_tag_of_another_run_is_refused_and_says_how_to_free_it(tmp_path, owray):
    one, _ = finished_run(tmp_path), finished_run(tmp_path)
    owray("runs", "tag", one.run, "base")
    assert f"'base' is the tag of run {one.run}.  (owray runs untag base)" in one_line(owray("runs", "tag", "latest", "base"))


@pytest.mark.parametrize("label", ["latest", "all", "2026", "a,b", "a b", "", "x" * 65])
def test_a_tag_that_could_mean_something_else_is_refused(tmp_path, owray, label):
    finished_run(tmp_path)
    assert "a tag is a letter and up to 63" in one_line(owray("runs", "tag", "latest", label))


def test_a_misspelt_tag_is_guessed(tmp_path, owray):
    finished_run(tmp_path)
    owray("runs", "tag", "latest", "before-tuning")
    assert "Did you mean 'before-tuning'?" in one_line(owray("sql", "from calls", "--run", "befor-tuning"))


def test_runs_are_removed_when_told_so(tmp_path, owray):
    one, other, kept = finished_run(tmp_path), new_run(tmp_path), finished_run(tmp_path)
    told = json.loads(owray("runs", "rm", f"{one.run},{other.run}", other.run, "--yes", "--json").stdout)
    assert [each["run"] for each in told["removed"]] == [one.run, other.run]
    assert list(tmp_path.iterdir()) == [kept.path]


def test_a_run_whose_manifest_is_broken_can_be_removed(tmp_path, owray):
    broken = finished_run(tmp_path)
    (broken.path / "run.json").write_text("{")
    with pytest.raises(ManifestError):
        find_run(tmp_path).load()
    assert owray("runs", "rm", broken.run, "--yes").exit_code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_it_asks(tmp_path, owray, terminal, answer, left):
    finished_run(tmp_path)
    result = owray("runs", "rm", "latest", answer=answer)
    assert "for good? [y/N]" in result.stderr
    assert len(list_runs(tmp_path)) == left
    assert result.exit_code == left


def test_where_nobody_can_be_asked_nothing_is_removed(tmp_path, owray):
    run = finished_run(tmp_path)
    assert one_line(owray("runs", "rm", "latest")).endswith("(--yes removes without asking)\n")
    assert list_runs(tmp_path) == [run]


@pytest.mark.parametrize("command", [("rm", "latest", "--yes"), ("tag", "latest", "base")])
def test_a_run_that_is_being_played_is_left_alone(tmp_path, owray, command):
    run = new_run(tmp_path, owner=this_process())
    assert f"run {run.run} is still being played by process" in one_line(owray("runs", *command))
    assert list_runs(tmp_path) == [run]
    assert run.tags() == ()
