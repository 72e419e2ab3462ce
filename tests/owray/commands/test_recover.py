"""`owray recover`: what it did, in figures, and the verdict it leaves."""

import os

import pytest
from support.commands import owray
from support.golden import is_golden
from support.runs import finished_run, new_run, planned_rows, recipe, record

from owray.record.players import this_process


@pytest.fixture
def recovering(tmp_path):
    return lambda *arguments: owray("recover", *arguments, "--runs-dir", tmp_path)


def broken_off(runs, **values):
    folder = new_run(runs, **values)
    rows = list(planned_rows(recipe()))
    recorder = record(folder, rows[:60])
    recorder.mark(rows[74]["seq"])
    recorder.close()
    return folder


def test_a_run_that_broke_off_is_accounted_for_and_invalid(tmp_path, recovering):
    folder = broken_off(tmp_path)
    result = recovering(folder.run)
    assert result.exit_code == 0
    assert is_golden("recover.txt", result.stdout)
    manifest = folder.load()
    assert manifest.status == "recovered"
    assert manifest.verdict["level"] == "INVALID"
    assert "Invoker 0 was lost" in manifest.verdict["reasons"][0]


def test_the_second_time_there_is_nothing_to_do(tmp_path, recovering):
    folder = broken_off(tmp_path)
    recovering(folder.run)
    before = folder.load()
    for names in ((folder.run,), ()):
        result = recovering(*names)
        assert result.exit_code == 0
        assert "nothing to recover" in result.stdout
    assert folder.load() == before


def test_a_run_whose_calls_all_had_rows_only_lost_its_end(tmp_path, recovering):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    assert "VALID\n" in recovering().stdout
    assert folder.load().verdict == {"level": "VALID", "reasons": [], "notes": []}


JUDGED = {"level": "VALID", "reasons": [], "notes": []}


def newer(folder):
    manifest = folder.path / "run.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    return folder


@pytest.mark.parametrize("names", [(), ("all",)])
def test_without_a_name_all_that_broke_off_are_recovered_and_what_is_left_is_named(tmp_path, recovering, names):
    ended, one, played, other = finished_run(tmp_path), broken_off(tmp_path), new_run(tmp_path, owner=this_process()), broken_off(tmp_path)
    unreadable, latest = new_run(tmp_path), newer(new_run(tmp_path))
    (unreadable.path / "run.json").write_text("{")
    result = recovering(*names)
    assert result.exit_code == 0
    assert [run.load().status for run in (ended, one, played, other)] == ["ended", "recovered", "running", "recovered"]
    assert [line for line in result.stdout.splitlines() if line.startswith("run ")] == [
        f"run {ended.run}: it had ended with nobody there to judge it",
        f"run {one.run}: recovered from 1 journal",
        f"run {other.run}: recovered from 1 journal",
    ]
    said = result.stderr.splitlines()
    assert len(said) == 3
    assert f"run {played.run} is still being played" in said[0]
    assert f"cannot read {unreadable.path / 'run.json'}: " in said[1]
    assert f"cannot read {latest.path / 'run.json'}: it was written by a newer owray" in said[2]


def test_where_nothing_could_be_done_and_something_was_left_it_says_so_by_its_exit_code(tmp_path, recovering):
    finished_run(tmp_path, verdict=JUDGED)
    newer(new_run(tmp_path))
    result = recovering()
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_what_fails_is_named_and_keeps_no_other_from_being_recovered(tmp_path, recovering):
    damaged, good = finished_run(tmp_path), broken_off(tmp_path)
    damaged.update(status="running")
    damaged.parts()[0].write_bytes(b"no parquet")
    result = recovering()
    assert result.exit_code == 1
    assert result.stderr.startswith(f"owray: run {damaged.run} could not be recovered: cannot read {damaged.parts()[0]}: ")
    assert (damaged.load().status, good.load().status) == ("running", "recovered")


def test_force_is_for_a_run_that_is_named(tmp_path, recovering):
    folder = new_run(tmp_path, owner=this_process())
    result = recovering("--force")
    assert result.exit_code != 0
    assert "name it" in result.stderr
    assert folder.load().status == "running"


def test_a_run_that_ended_with_nobody_there_to_judge_it_is_judged_and_stays_ended(tmp_path, recovering):
    folder = finished_run(tmp_path, fleet=({"invoker": 0, "node": "0"},))
    assert "VALID\n" in recovering().stdout
    assert folder.load().verdict == {"level": "VALID", "reasons": [], "notes": []}
    assert folder.load().status == "ended"


def test_all_says_so_where_nothing_broke_off(tmp_path, recovering):
    finished_run(tmp_path, verdict=JUDGED)
    assert recovering("all").stdout == "there was nothing to recover\n"


def test_a_run_that_is_played_is_refused_with_the_way_out(tmp_path, recovering):
    folder = new_run(tmp_path, owner=this_process(), asked_by=this_process())
    result = recovering("latest")
    assert result.exit_code == 1
    assert f"process {os.getpid()}.  (Ctrl-C in its terminal or kill {os.getpid()} ends it; --force" in result.stderr
    assert folder.load().status == "running"
    assert recovering("latest", "--force").exit_code == 0
    assert folder.load().status == "recovered"


def test_a_journal_that_cannot_be_read_is_named_and_kept(tmp_path, recovering):
    folder = broken_off(tmp_path)
    (journal,) = folder.journal_files()
    journal.write_bytes(b"?" + journal.read_bytes()[1:])
    result = recovering()
    assert result.exit_code == 0
    assert "  set aside set-aside/node=0/invoker-0-0.journal: it cannot be read; its calls count as lost\n" in result.stdout
    assert "lost              75   attempted, end unknown\n" in result.stdout
    assert folder.load().status == "recovered"
    assert (folder.path / "set-aside/node=0/invoker-0-0.journal").exists()
