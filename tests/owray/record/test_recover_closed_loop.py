"""Recovery of a closed loop: what each invoker began is the plan, and every begun call has its row."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import new_run, ok, record

from owray.ask.queries import find_query
from owray.ask.session import Session
from owray.plan.closed import Closed
from owray.plan.mix import Entry
from owray.plan.recipe import Plan, Recipe, Stream
from owray.record.recover import complete


def loop(calls=None):
    return Recipe((Stream(Closed(users=8, duration_s=5.0)),), (Entry("micro", "noop", "", "noop"),), calls=calls)


def broken_off(folder, kept):
    """As if each invoker had been killed with so many rows on disk, a call each 10 ms, and some more calls attempted."""
    invokers = len(kept)
    for invoker, (rows, attempted_more) in enumerate(kept):
        seqs = [invoker + number * invokers for number in range(rows + attempted_more)]
        recorder = record(folder, [ok(seq, 10_000 * number) for number, seq in enumerate(seqs[:rows])], invoker, invokers)
        for seq in seqs[rows:]:
            recorder.mark(seq)
        recorder.close()


def rows_of(folder):
    columns = ["seq", "invoker", "intended_us", "outcome", "phase"]
    tables = [pq.read_table(part, columns=columns, partitioning=None) for part in folder.parts()]
    return pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []


def reconciled(folder):
    with Session([folder]) as session:
        return session.one(find_query("reconcile").sql), session.one("select planned, rps, arrivals from runs")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=4))
def test_each_begun_call_has_one_row_and_is_the_plan_from_then_on(tmp_path_factory, kept):
    folder = new_run(tmp_path_factory.mktemp("lost"), loop(), invokers=len(kept))
    broken_off(folder, kept)
    recovery = complete(folder, folder.load())
    began = {invoker + number * len(kept) for invoker, (rows, more) in enumerate(kept) for number in range(rows + more)}
    assert sorted(row["seq"] for row in rows_of(folder)) == sorted(began)
    assert (recovery.planned, recovery.lost, recovery.unsent) == (len(began), sum(more for _, more in kept), 0)
    assert folder.load().recipe.closed.dealt == tuple(rows + more for rows, more in kept)
    assert complete(folder, folder.load()).planned == len(began)
    assert sorted(row["seq"] for row in rows_of(folder)) == sorted(began)


def test_rows_and_plan_then_balance(tmp_path):
    folder = new_run(tmp_path, loop(), invokers=2)
    broken_off(folder, [(40, 3), (25, 0)])
    with Session([folder]) as session:
        assert session.one("select planned from runs") == {"planned": None}  # nobody knows yet
    complete(folder, folder.load())
    balance, run = reconciled(folder)
    assert balance == {"run": folder.run, "planned": 68, "rows": 68, "missing": 0, "duplicate": 0, "foreign": 0}
    assert run == {"planned": 68, "rps": None, "arrivals": "closed loop"}


def test_a_mark_that_stayed_on_a_host_that_is_gone_leaves_the_last_row(tmp_path):
    folder = new_run(tmp_path, loop(), invokers=2)
    broken_off(folder, [(10, 5), (20, 5)])
    for mark in folder.marks():
        mark.unlink()
    assert complete(folder, folder.load()).planned == 30


def test_a_lost_call_was_not_intended_before_the_one_before_it(tmp_path):
    folder = new_run(tmp_path, loop(), invokers=2)
    broken_off(folder, [(10, 2), (5, 1)])
    complete(folder, folder.load())
    lost = {row["seq"]: row["intended_us"] for row in rows_of(folder) if row["outcome"] == "lost"}
    assert lost == {20: 90_000, 22: 90_000, 11: 40_000}


def test_calls_of_a_counted_loop_that_never_began_are_unsent(tmp_path):
    folder = new_run(tmp_path, loop(calls=50))
    broken_off(folder, [(20, 4)])
    recovery = complete(folder, folder.load())
    assert (recovery.planned, recovery.found, recovery.lost, recovery.unsent) == (50, 20, 4, 26)
    assert folder.load().recipe == loop(calls=50)


@pytest.mark.parametrize("invokers", [1, 3])
def test_a_loop_that_was_stopped_before_its_first_call_has_no_call(tmp_path, invokers):
    folder = new_run(tmp_path, loop(), invokers=invokers)
    broken_off(folder, [(0, 0)] * invokers)
    assert complete(folder, folder.load()).planned == 0
    assert Plan(folder.load().recipe).count() == 0
