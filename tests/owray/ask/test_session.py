"""The session's views: what follows from a row, and runs that are empty, unfinished or many."""

import tempfile
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import T0, ManualClock, finished_run, new_run, planned_rows, recipe, record

from owray.ask.session import QueryError, Session
from owray.judge.statistics import percentile
from owray.plan.recipe import Plan
from owray.record.layout import ARROW_SCHEMA, NULL_64, Outcome
from owray.record.recover import complete
from owray.record.samples import Sampler


def first_call(folder):
    with Session([folder]) as session:
        return session.one("select * from calls where seq = 0")


def test_calls_have_the_columns_of_the_schema_and_the_derived_ones(tmp_path):
    with Session([finished_run(tmp_path)]) as session:
        names = session.table("select * from calls").column_names
    assert names == ["run", "node", *ARROW_SCHEMA.names, "at", "response_us", "ow_end_ms", "cold"]


def test_a_response_is_the_sum_of_its_parts_from_the_intended_time(tmp_path):
    parts = {"lag_us": 5, "held_us": 70, "connect_us": 900, "service_us": 11_000}
    assert first_call(finished_run(tmp_path, change=lambda row: row | parts))["response_us"] == 11_975


def test_a_part_that_did_not_happen_counts_as_nothing(tmp_path):
    refused = {"outcome": Outcome.CONNECT_ERROR, "lag_us": 5, "connect_us": 900, "service_us": NULL_64}
    assert first_call(finished_run(tmp_path, change=lambda row: row | refused))["response_us"] == 905


@pytest.mark.parametrize("unknown", [{"lag_us": NULL_64}, {"outcome": Outcome.UNSENT}])
def test_a_call_that_was_not_attempted_has_no_response(tmp_path, unknown):
    assert first_call(finished_run(tmp_path, change=lambda row: row | unknown))["response_us"] is None


@pytest.mark.parametrize(
    ("record_of_it", "cold"), [({}, False), ({"init_ms": 80}, True), ({"init_ms": 0}, True), ({"duration_ms": None}, None)]
)
def test_a_call_is_cold_if_its_record_has_an_init_time(tmp_path, record_of_it, cold):
    def change(row):
        return {name: value for name, value in (row | record_of_it).items() if value is not None}

    assert first_call(finished_run(tmp_path, change=change))["cold"] is cold


def test_at_is_the_intended_time_in_utc(tmp_path):
    call = first_call(finished_run(tmp_path))
    assert call["at"] == (T0 + timedelta(microseconds=call["intended_us"])).replace(tzinfo=None)


def test_before_t0_is_agreed_at_is_not_known(tmp_path):
    assert first_call(finished_run(tmp_path, t0_utc=None))["at"] is None


def test_ids_are_hex_and_the_platform_s_end_is_derived(tmp_path):
    call = first_call(finished_run(tmp_path, change=lambda row: row | {"activation_id": bytes(range(16))}))
    assert call["activation_id"] == "000102030405060708090a0b0c0d0e0f"
    assert call["ow_end_ms"] == call["ow_start_ms"] + call["duration_ms"]


def test_a_run_without_rows_answers_with_empty_tables_of_the_same_types(tmp_path):
    query = "select * from calls"
    with Session([new_run(tmp_path)]) as empty, Session([finished_run(tmp_path)]) as full:
        assert empty.table(query).num_rows == 0
        assert empty.table(query).schema == full.table(query).schema
        assert empty.rows("select * from hosts") == []
        assert "cpu" in empty.table("select * from hosts").column_names


def test_a_session_over_no_runs_answers_too():
    with Session([]) as session:
        assert [session.rows(f"from {name}") for name in ("calls", "runs", "hosts", "plan")] == [[], [], [], []]


def test_a_run_under_way_answers_with_the_parts_it_has(tmp_path):
    folder = new_run(tmp_path)
    recorder = record(folder, planned_rows(recipe()))
    recorder.tick(ManualClock().pass_ms(1000))
    with Session([folder]) as session:
        assert session.rows("select * from calls") == []
    recorder.close()


def test_several_runs_are_told_apart_by_their_names_and_start_times(tmp_path):
    one, other = finished_run(tmp_path), finished_run(tmp_path, recipe(rps=7), t0_utc=(T0 + timedelta(hours=1)).isoformat())
    with Session([one, other]) as session:
        counts = session.rows('select run, count(*) as calls, count(distinct "at") as moments from calls group by run order by run')
        planned = session.rows("select run, count(*) as calls from plan group by run order by run")
        assert [(row["run"], row["calls"], row["moments"]) for row in counts] == [(one.run, 100, 100), (other.run, 7, 7)]
        assert [(row["run"], row["calls"]) for row in planned] == [(one.run, 100), (other.run, 7)]
        assert session.rows("select run, planned from runs order by run") == [
            {"run": one.run, "planned": 100},
            {"run": other.run, "planned": 7},
        ]


def test_nodes_are_named_as_their_folders_even_where_they_look_like_numbers(tmp_path):
    folder = new_run(tmp_path, invokers=2)
    for invoker, node in ((0, "007"), (1, "b")):
        record(folder, planned_rows(recipe(), invoker=invoker, invokers=2), invoker, 2, node).close()
    complete(folder, folder.load())
    with Session([folder]) as session:
        assert session.rows("select node, count(*) as calls from calls group by node order by node") == [
            {"node": "007", "calls": 50},
            {"node": "b", "calls": 50},
        ]


def test_the_plan_has_the_calls_of_the_rows(tmp_path):
    columns = "select seq, intended_us, stream, workload, action, size order by seq"
    with Session([finished_run(tmp_path, recipe(arrivals="poisson"))]) as session:
        assert session.rows(f"from plan {columns}") == session.rows(f"from calls {columns}")


@pytest.mark.parametrize("name", ["a[1]", "what?", "s*r", "it's"])
def test_a_folder_s_name_is_no_pattern(tmp_path, name):
    folder = finished_run(tmp_path / name)
    with Session([folder]) as session:
        assert session.one("select count(*) as calls from calls") == {"calls": 100}


def test_an_error_is_one_line_that_says_what_was_meant(tmp_path):
    reason = r'^Binder Error: Referenced column "servce_us" not found.*service_us'
    with Session([finished_run(tmp_path)]) as session, pytest.raises(QueryError, match=reason) as refused:
        session.rows("select servce_us from calls")
    assert "\n" not in str(refused.value)


def test_this_program_s_variables_are_no_tables(tmp_path):
    folders = [finished_run(tmp_path)]
    with Session(folders) as session, pytest.raises(QueryError, match="folders does not exist"):
        session.rows("select * from folders")


def test_samples_of_the_machines_are_there_to_ask(tmp_path):
    folder = finished_run(tmp_path)
    sampler = Sampler("0")
    sampler.sample()
    sampler.write(folder.hosts)
    with Session([folder]) as session:
        (sample,) = session.rows("select run, node, memory_total_mb > 0 as has_memory, len(cpu) > 0 as has_cores from hosts")
    assert sample == {"run": folder.run, "node": "0", "has_memory": True, "has_cores": True}


def test_what_does_not_fit_in_memory_goes_to_a_folder_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spill").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spill"))
    with Session([]) as session:
        session.rows("set memory_limit = '100MB'")
        session.rows("set threads = 1")
        # Some 200 MB of text cannot be kept in 100 MB.
        session.rows("create table texts as select repeat(i::varchar, 20) as t from range(1500000) r(i)")
        assert list((tmp_path / "spill").glob("*/*"))
    assert not list(tmp_path.glob("**/*.tmp"))
    assert not list((tmp_path / "spill").glob("*"))


def test_parameters_are_given_by_name(tmp_path):
    with Session([finished_run(tmp_path)]) as session:
        assert session.one("select count(*) as calls from calls where seq < $limit", {"limit": 5}) == {"calls": 5}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 10**6), max_size=60).flatmap(
        lambda values: st.tuples(st.just(sorted(values * 3)), st.sampled_from([0.5, 0.9, 0.99]))
    )
)
def test_the_percentile_in_sql_is_the_percentile_of_the_judge(case):
    values, share = case
    with Session([]) as session:
        found = session.one(f"from (select unnest($values::bigint[]) as value) select percentile(value, {share}) as p", {"values": values})
    assert found["p"] == percentile(values, share)


def test_a_plan_is_counted_only_for_a_query_that_names_runs(tmp_path, monkeypatch):
    folder, counted = finished_run(tmp_path), []
    monkeypatch.setattr(Plan, "count", lambda plan: counted.append(plan.recipe.mean_rps) or 100)
    with Session([folder]) as session:
        session.one("select count(*) from calls")
        assert not counted
        for _ in range(2):
            assert session.one("select planned from Runs") == {"planned": 100}
        assert counted == [100]
