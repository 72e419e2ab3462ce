"""`owray recover`: what it did, in figures, and the verdict it leaves."""

import pytest
from support.commands import owray
from support.golden import is_golden
from support.runs import finished_run, new_run, planned_rows, recipe, record

from owray.record.recover import this_process


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
    result = recovering(folder.run)
    assert result.exit_code == 0
    assert "nothing to recover" in result.stdout
    assert folder.load() == before


def test_a_run_whose_calls_all_had_rows_only_lost_its_end(tmp_path, recovering):
    folder = new_run(tmp_path)
    record(folder, planned_rows(recipe())).close()
    assert "VALID\n" in recovering().stdout
    assert folder.load().verdict == {"level": "VALID", "reasons": []}


JUDGED = {"level": "VALID", "reasons": []}


def test_all_recovers_what_broke_off_and_leaves_what_is_played_or_ended(tmp_path, recovering):
    ended, one, played, other = finished_run(tmp_path), broken_off(tmp_path), new_run(tmp_path, owner=this_process()), broken_off(tmp_path)
    result = recovering("all")
    assert result.exit_code == 0
    assert [run.load().status for run in (ended, one, played, other)] == ["ended", "recovered", "running", "recovered"]
    assert f"run {played.run} is still being played" in result.stderr


def test_a_run_that_ended_with_nobody_there_to_judge_it_is_judged_and_stays_ended(tmp_path, recovering):
    folder = finished_run(tmp_path, fleet=({"invoker": 0, "node": "0"},))
    assert "VALID\n" in recovering().stdout
    assert folder.load().verdict == {"level": "VALID", "reasons": []}
    assert folder.load().status == "ended"


def test_all_says_so_where_nothing_broke_off(tmp_path, recovering):
    finished_run(tmp_path, verdict=JUDGED)
    assert recovering("all").stdout == "there was nothing to recover\n"


def test_a_run_that_is_played_is_refused_with_the_way_out(tmp_path, recovering):
    folder = new_run(tmp_path, owner=this_process())
    result = recovering()
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert folder.load().status == "running"
    assert recovering("--force").exit_code == 0
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
