"""Recovery: each planned call has exactly one row afterwards, whatever was lost, and however often it is done."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import finished_run, new_run, planned_rows, recipe, record

from owray.record.early_end import BROKE_OFF, EarlyEnd, Kind
from owray.record.journal import OtherVersion
from owray.record.parts import convert_closed
from owray.record.players import this_process
from owray.record.recover import (
    MISSING_PART,
    UNKNOWN_NODE,
    NothingToRecover,
    StillPlaying,
    complete,
    recovering,
    seal,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
INVALID = {"level": "INVALID", "reasons": ["Invoker 0 was lost."]}


def rows_of(folder):
    columns = ["seq", "invoker", "intended_us", "outcome", "action"]
    tables = [pq.read_table(part, columns=columns, partitioning=None) for part in folder.parts()]
    return pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []


def outcomes(folder):
    return Counter(row["outcome"] for row in rows_of(folder))


def broken_off(folder, plan, invokers, kept):
    """As if each invoker had been killed with so many rows on disk, and some more calls attempted."""
    for invoker, (rows, attempted_more) in enumerate(kept):
        if rows is None:
            continue  # this one never started
        mine = list(planned_rows(plan, invoker=invoker, invokers=invokers))
        recorder = record(folder, mine[:rows], invoker, invokers)
        for row in mine[rows : rows + attempted_more]:
            recorder.mark(row["seq"])
        recorder.close()


@settings(max_examples=30, deadline=None)
@given(
    kept=st.lists(st.tuples(st.none() | st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=4),
    arrivals=st.sampled_from(["constant", "poisson"]),
)
def test_every_planned_call_has_one_row_whatever_was_lost(tmp_path_factory, kept, arrivals):
    invokers = len(kept)
    plan = recipe(arrivals=arrivals)
    folder = new_run(tmp_path_factory.mktemp("lost"), plan, invokers=invokers)
    broken_off(folder, plan, invokers, kept)
    recovery = complete(folder, folder.load())
    planned = {row["seq"]: row for row in planned_rows(plan)}
    rows = rows_of(folder)
    assert sorted(row["seq"] for row in rows) == sorted(planned)
    assert all(row["intended_us"] == planned[row["seq"]]["intended_us"] for row in rows)
    assert all(row["invoker"] == row["seq"] % invokers for row in rows)
    counted = outcomes(folder)
    assert (recovery.found, recovery.lost, recovery.unsent) == (counted["ok"], counted["lost"], counted["unsent"])
    assert recovery.planned == len(planned) == recovery.found + recovery.lost + recovery.unsent


def test_what_was_attempted_is_lost_and_the_rest_unsent(tmp_path):
    plan = recipe()
    folder = new_run(tmp_path, plan)
    broken_off(folder, plan, 1, [(60, 15)])
    recovery = complete(folder, folder.load())
    assert (recovery.found, recovery.lost, recovery.unsent) == (60, 15, 25)
    seqs = {name: [row["seq"] for row in rows_of(folder) if row["outcome"] == name] for name in ("lost", "unsent")}
    assert seqs == {"lost": list(range(60, 75)), "unsent": list(range(75, 100))}


def test_an_answer_that_overtook_an_older_call_shows_that_the_older_was_attempted(tmp_path):
    plan = recipe()
    folder = new_run(tmp_path, plan)
    rows = list(planned_rows(plan))
    record(folder, rows[:10] + rows[12:20]).close()
    for mark in folder.marks():
        mark.unlink()  # it stayed on a host that is gone
    complete(folder, folder.load())
    assert [row["seq"] for row in rows_of(folder) if row["outcome"] == "lost"] == [10, 11]


def test_rows_go_to_the_node_of_their_invoker(tmp_path):
    plan = recipe()
    folder = new_run(tmp_path, plan, invokers=3, fleet=({"invoker": 1, "node": "b"},))
    broken_off(folder, plan, 3, [(5, 0), (None, 0), (None, 0)])
    complete(folder, folder.load())
    missing = {part.parent.name: pq.read_metadata(part).num_rows for part in folder.parts() if part.name == MISSING_PART}
    assert missing == {"node=0": 29, "node=b": 33, f"node={UNKNOWN_NODE}": 33}


def test_the_incomplete_invokers_are_named(tmp_path):
    plan = recipe()
    folder = new_run(tmp_path, plan, invokers=2)
    broken_off(folder, plan, 2, [(50, 0), (49, 1)])
    assert complete(folder, folder.load()).incomplete_invokers == (1,)


def test_completing_again_changes_nothing(tmp_path):
    plan = recipe()
    folder = new_run(tmp_path, plan)
    broken_off(folder, plan, 1, [(60, 15)])
    first = complete(folder, folder.load())
    rows = rows_of(folder)
    again = complete(folder, folder.load())
    assert rows_of(folder) == rows
    assert (again.found, again.lost, again.unsent) == (first.found, first.lost, first.unsent)


@pytest.mark.parametrize("killed_at", ["parts", "missing", "manifest"])
def test_a_recovery_that_was_killed_is_simply_run_again(tmp_path, monkeypatch, killed_at):
    plan = recipe()
    folder = new_run(tmp_path, plan)
    broken_off(folder, plan, 1, [(60, 15)])
    (journal,) = folder.journal_files()
    content = journal.read_bytes()
    if killed_at == "parts":
        convert_closed(folder.journals("0"), folder.calls("0"), plan)
        journal.write_bytes(content)  # the part was there, the journal not yet gone
    if killed_at in {"missing", "manifest"}:
        complete(folder, folder.load())
    if killed_at == "missing":
        (folder.calls("0") / f"{MISSING_PART}.tmp").write_bytes(b"PAR1")
    with recovering(folder) as manifest:
        seal(folder, complete(folder, manifest), INVALID, NOW)
    assert outcomes(folder) == {"ok": 60, "lost": 15, "unsent": 25}
    assert not (folder.path / "journal").exists()


def test_sealing_writes_the_outcome_and_takes_the_marks_away(tmp_path):
    folder = new_run(tmp_path)
    broken_off(folder, recipe(), 1, [(60, 15)])
    with recovering(folder) as manifest:
        seal(folder, complete(folder, manifest), INVALID, NOW)
    manifest = folder.load()
    assert (manifest.status, manifest.verdict, manifest.ended_at) == ("recovered", INVALID, NOW.isoformat())
    assert manifest.early_end == BROKE_OFF
    assert manifest.recovery["lost"] == 15
    assert not folder.marks()


def test_a_reason_that_was_told_before_the_run_broke_off_stays(tmp_path):
    folder = new_run(tmp_path, early_end=EarlyEnd(Kind.INTERRUPTED, "Ctrl-C"))
    with recovering(folder) as manifest:
        seal(folder, complete(folder, manifest), INVALID, NOW)
    assert folder.load().early_end == EarlyEnd("interrupted", "Ctrl-C")


def test_a_run_that_ended_and_was_judged_is_left_alone(tmp_path):
    with pytest.raises(NothingToRecover, match="is ended"), recovering(finished_run(tmp_path, verdict=INVALID)):
        pass


def test_a_run_whose_process_lives_is_not_recovered_unless_forced(tmp_path):
    folder = new_run(tmp_path, owner=this_process())
    with pytest.raises(StillPlaying, match=f"process {os.getpid()}"), recovering(folder):
        pass
    with recovering(folder, force=True):
        pass


def test_who_refuses_says_how_to_end_the_storm(tmp_path):
    me = this_process()
    gone = me | {"created": 1.0}
    told = {
        f"Ctrl-C in its terminal or kill {os.getpid()} ends it; --force recovers it anyway": {"owner": me, "asked_by": me},
        f"its command is gone: wait for its end, or kill -9 {os.getpid()} breaks it off; --force": {"owner": me, "asked_by": gone},
    }
    for way, processes in told.items():
        folder = new_run(tmp_path, **processes)
        with pytest.raises(StillPlaying, match=re.escape(f"  ({way}")), recovering(folder):
            pass


def test_a_process_that_only_has_the_number_of_the_owner_is_somebody_else(tmp_path):
    folder = new_run(tmp_path, owner=this_process() | {"created": 1.0})
    with recovering(folder) as manifest:
        assert manifest.status == "running"


def test_a_run_whose_invoker_lives_is_not_recovered(tmp_path):
    folder = new_run(tmp_path)
    recorder = record(folder, [])
    with pytest.raises(StillPlaying, match="invoker 0"), recovering(folder):
        pass
    recorder.close()
    with recovering(folder):
        pass


def test_two_recoveries_do_not_meet(tmp_path):
    folder = new_run(tmp_path)
    with recovering(folder), pytest.raises(StillPlaying, match="being recovered"), recovering(folder):
        pass


def test_a_recovery_does_not_meet_a_scribe_that_outlives_its_storm(tmp_path):
    folder = new_run(tmp_path)
    broken_off(folder, recipe(), 1, [(60, 15)])
    (journal,) = folder.journal_files()
    with recovering(folder) as manifest:
        with journal.open("rb") as scribe:
            fcntl.flock(scribe, fcntl.LOCK_EX)
            with pytest.raises(StillPlaying, match="not at rest"):
                complete(folder, manifest)
        recovery = complete(folder, manifest)
    assert (recovery.journals, recovery.found, recovery.lost, recovery.unsent) == (1, 60, 15, 25)


def test_what_a_torn_journal_held_beyond_its_last_block_is_told(tmp_path):
    folder = new_run(tmp_path)
    broken_off(folder, recipe(), 1, [(60, 0)])
    (journal,) = folder.journal_files()
    journal.write_bytes(journal.read_bytes() + b"half a block")
    recovery = complete(folder, folder.load())
    assert (recovery.journals, recovery.left_over_bytes) == (1, 12)


@pytest.mark.parametrize("damage", [b"\x00", b"[]\n"])
def test_a_journal_that_cannot_be_read_is_set_aside_and_the_rest_completes_the_run(tmp_path, damage):
    folder = new_run(tmp_path, invokers=2)
    broken_off(folder, recipe(), 2, [(30, 5), (40, 0)])
    journal, _ = folder.journal_files()
    damaged = damage + journal.read_bytes()[len(damage) :]
    journal.write_bytes(damaged)
    recovery = complete(folder, folder.load())
    assert recovery.set_aside == ("set-aside/node=0/invoker-0-0.journal",)
    assert (folder.path / recovery.set_aside[0]).read_bytes() == damaged
    assert outcomes(folder) == {"ok": 40, "lost": 35, "unsent": 25}
    assert complete(folder, folder.load()).set_aside == recovery.set_aside
    seal(folder, recovery, INVALID, NOW)
    assert not folder.journal_files()
    assert folder.journals_set_aside()


def test_a_journal_of_another_version_is_left_to_that_version(tmp_path):
    folder = new_run(tmp_path)
    broken_off(folder, recipe(), 1, [(60, 0)])
    (journal,) = folder.journal_files()
    journal.write_bytes(journal.read_bytes().replace(b'"owray_journal": ', b'"owray_journal": 9', 1))
    with pytest.raises(OtherVersion, match="recover the run with that version"):
        complete(folder, folder.load())
    assert folder.journal_files() == [journal]


KILLED = """
    import sys, time
    from pathlib import Path
    from support.runs import add, planned_rows, recipe
    from owray.record.journal import Header, Recorder
    from owray.record.players import this_process
    from owray.record.run import RunFolder

    folder = RunFolder(Path(sys.argv[1]))
    folder.update(owner=this_process())
    recorder = Recorder(folder.journals("0"), Header(folder.run, 0, 1, "0"), time.monotonic_ns)
    rows = list(planned_rows(folder.load().recipe))
    for row in rows[:70]:
        add(recorder, row)
    recorder.tick(time.monotonic_ns() + 250_000_000)
    for row in rows[70:80]:
        add(recorder, row)
    recorder.mark(rows[84]["seq"])
    print("ready", flush=True)
    time.sleep(600)
"""


def test_after_kill_9_of_the_invoker_all_calls_are_accounted_for(tmp_path):
    folder = new_run(tmp_path)
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(folder.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(StillPlaying), recovering(folder):
            pass
        process.send_signal(signal.SIGKILL)
    with recovering(folder) as manifest:
        recovery = complete(folder, manifest)
    assert (recovery.found, recovery.lost, recovery.unsent) == (70, 15, 15)
    assert outcomes(folder) == {"ok": 70, "lost": 15, "unsent": 15}
