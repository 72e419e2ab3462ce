"""The view `seconds`: every call is in it once by each clock, and quiet seconds are there too."""

from support.busy_run import busy_run
from support.runs import finished_run, new_run, recipe

from owray.ask.session import Session

TOTALS = """
select sum(planned) as planned, sum(unsent) as unsent, sum(lost) as lost, sum(sent) as sent, sum(done) as done, sum(ok) as ok,
    sum(cold) as cold
from seconds
"""


def test_every_planned_call_ends_or_is_unsent_or_lost(tmp_path):
    with Session([busy_run(tmp_path)]) as session:
        totals = session.one(TOTALS)
        told = session.one(
            "select count(*) as planned, count(*) filter (where outcome = 'ok') as ok, count(*) filter (where cold) as cold from calls"
        )
        last = session.rows("from seconds order by second")[-1]
    assert (totals["unsent"], totals["lost"]) == (1, 1)
    assert totals["planned"] == totals["done"] + totals["unsent"] + totals["lost"]
    assert totals["sent"] == totals["done"]
    assert {name: int(totals[name]) for name in told} == told
    assert last["in_flight"] == 0


def test_a_stall_shows_in_the_seconds_in_which_it_was(tmp_path):
    plan = recipe(rps=10, duration_s=1)
    folder = finished_run(tmp_path, plan, lambda row: row | {"lag_us": 0, "service_us": 3_200_000} if row["seq"] < 5 else row)
    with Session([folder]) as session:
        lines = session.rows("select second, planned, sent, done, in_flight from seconds order by second")
    assert [tuple(line.values()) for line in lines] == [(0, 10, 10, 5, 5), (1, 0, 0, 0, 5), (2, 0, 0, 0, 5), (3, 0, 0, 5, 0)]


def test_a_percentile_of_a_second_needs_ten_calls_beyond_it(tmp_path):
    with Session([finished_run(tmp_path, recipe(rps=2000))]) as session:
        first, second = session.rows("select p50_us, p99_us from seconds order by second")
    assert first == {"p50_us": 12_020, "p99_us": 12_020}
    assert second == {"p50_us": 12_020, "p99_us": None}


def test_runs_are_told_apart_and_a_run_without_rows_has_no_seconds(tmp_path):
    one, other, empty = finished_run(tmp_path, recipe(rps=7)), finished_run(tmp_path, recipe(rps=9)), new_run(tmp_path)
    with Session([one, other, empty]) as session:
        counts = session.rows("select run, sum(planned)::bigint as planned from seconds group by run order by run")
        full = session.table("from seconds")
    assert [tuple(line.values()) for line in counts] == [(one.run, 7), (other.run, 9)]
    with Session([empty]) as session:
        assert session.table("from seconds").num_rows == 0
        assert session.table("from seconds").schema == full.schema
