"""A run keeps its listed plan, and every reader means the same calls."""

import numpy as np
import pytest
from support.runs import add, new_run, ok, recipe, record

from owray.ask.session import Session
from owray.plan.recipe import Plan, Recipe, Stream
from owray.plan.shapes import Listed, Steps
from owray.record.listed import PlanError, plan_of, write_plan
from owray.record.parts import convert_closed
from owray.record.recover import complete, recovering

ENTRIES = recipe().entries


def calls_of(windows):
    columns = ("seqs", "due_us", "entries", "variants")
    return [call for window in windows for call in zip(*(getattr(window, name).tolist() for name in columns), strict=True)]


def pieces(calls, size):
    """Calls that are due every 250 us, to both entries in turn, in pieces of so many."""
    for begin in range(0, calls, size):
        seqs = np.arange(begin, min(begin + size, calls), dtype=np.int64)
        yield seqs * 250, (seqs % 2).astype(np.int16), np.zeros(len(seqs), np.int16)


def listed_run(runs, calls=10_000, **values):
    """A run with a plan of so many calls, and no rows."""
    staged = runs / "staged.parquet"
    runs.mkdir(parents=True, exist_ok=True)
    written = write_plan(staged, pieces(calls, 3000), 2)
    folder = new_run(runs, Recipe((Stream(written.listed),), ENTRIES), **values)
    staged.rename(folder.plan)
    return folder, written


def test_what_was_written_is_played_in_order(tmp_path):
    folder, written = listed_run(tmp_path)
    chosen = folder.load().recipe
    plan = plan_of(folder, chosen)
    assert calls_of(plan.windows()) == [(seq, seq * 250, seq % 2, 0) for seq in range(10_000)]
    assert (plan.count(), plan.length_us()) == (10_000, 9999 * 250)
    assert (chosen.arrivals, chosen.told()) == ("listed", "10,000 listed calls, up to 4000 a second")
    assert written.per_entry.tolist() == [5000, 5000]
    assert max(len(window) for window in plan.windows()) <= 4096
    assert plan.outline(1.0).per_bin.tolist() == [4000, 4000, 2000]


@pytest.mark.parametrize("invokers", [2, 3, 7])
def test_shares_partition_the_list(tmp_path, invokers):
    folder, _ = listed_run(tmp_path)
    plan = plan_of(folder, folder.load().recipe)
    shares = [calls_of(plan.share(invoker, invokers)) for invoker in range(invokers)]
    assert all(seq % invokers == invoker for invoker, share in enumerate(shares) for seq, *_ in share)
    assert sorted(call for share in shares for call in share) == calls_of(plan.windows())


def test_the_peak_is_that_of_the_fullest_second_across_pieces(tmp_path):
    due = [np.array([0, 999_999]), np.array([1_000_000, 1_500_000]), np.array([1_999_999, 2_000_000])]
    some = [(times.astype(np.int64), np.zeros(2, np.int16), np.zeros(2, np.int16)) for times in due]
    assert write_plan(tmp_path / "plan.parquet", some, 1).listed.peak_rps == 3


def test_a_plan_without_a_call_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="it plans no call"):
        write_plan(tmp_path / "plan.parquet", [], 1)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_is_gone_or_changed_is_told_in_one_line(tmp_path):
    folder, _ = listed_run(tmp_path, 10)
    chosen = folder.load().recipe
    folder.plan.write_bytes(folder.plan.read_bytes()[:-1] + b"!")
    with pytest.raises(PlanError, match=r"plan.parquet is not the plan that the run played: its SHA-256 is not that of run.json"):
        plan_of(folder, chosen)
    folder.plan.unlink()
    with pytest.raises(PlanError, match=r"plan.parquet, the calls that the run planned: No such file or directory"):
        plan_of(folder, chosen)
    with Session([folder]) as session, pytest.raises(PlanError):
        session.rows("from plan")


def test_a_list_is_all_of_a_storm():
    listed = Listed(5, 1.0, 5.0, "00")
    with pytest.raises(ValueError, match="a listed plan is all of a storm"):
        Recipe((Stream(listed), Stream(Steps((1,), 1.0), name="other")), ENTRIES)
    with pytest.raises(ValueError, match="a listed plan is all of a storm"):
        Recipe((Stream(listed),), ENTRIES, calls=3)
    with pytest.raises(TypeError, match="was not given"):
        list(Plan(Recipe((Stream(listed),), ENTRIES)).windows())


def test_a_recovery_gives_each_call_of_the_list_its_row(tmp_path):
    folder, _ = listed_run(tmp_path, 100)
    rows = [ok(seq, seq * 250, seq % 2) for seq in range(40)]
    recorder = record(folder, rows[:-1])
    add(recorder, rows[-1])
    recorder.close()
    convert_closed(folder.journals("0"), folder.calls("0"), folder.load().recipe)
    with recovering(folder, force=True) as manifest:
        recovery = complete(folder, manifest)
    assert (recovery.planned, recovery.found, recovery.lost + recovery.unsent) == (100, 40, 60)
    with Session([folder]) as session:
        off = "select count(*) as calls from plan anti join calls using (run, seq, intended_us, action)"
        assert session.one(off) == {"calls": 0}
        assert session.one("select count(*) as calls from calls") == {"calls": 100}
