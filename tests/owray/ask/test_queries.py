"""Questions with a name: their files, their parameters, their answers."""

import re
from collections import Counter

import pytest
from support.busy_run import IN_FLIGHT_US, busy_run
from support.runs import finished_run, new_run, planned_rows, recipe, record

from owray.ask.queries import Numbers, UnknownQuery, WrongValue, find_query, parse, queries
from owray.ask.session import Session
from owray.record.layout import NULL_64, Outcome
from owray.record.parts import convert_closed
from owray.record.recover import complete

HEADER = """-- slow: which calls were slow?
--
-- Mind the gap.
--
-- least_ms   calls at least so slow (default 12.5, number from 0.5 to 100)
-- outcome    of this outcome (default ok, any text)
-- phase      of this phase (default measure, either measure or warmup)
-- count      how many (default 3, whole number from 1 to 1000000)

select 1;
"""


def answer(folder, name, **given):
    query = find_query(name)
    with Session([folder]) as session:
        return session.rows(query.sql, query.values(given))


def test_a_header_says_question_and_parameters():
    query = parse("slow", HEADER)
    assert query.question == "which calls were slow?"
    assert [(each.name, each.meaning, each.default, str(each.allowed)) for each in query.parameters] == [
        ("least_ms", "calls at least so slow", "12.5", "a number from 0.5 to 100"),
        ("outcome", "of this outcome", "ok", "any text"),
        ("phase", "of this phase", "measure", "measure or warmup"),
        ("count", "how many", "3", "a whole number from 1 to 1,000,000"),
    ]


def test_values_are_as_given_or_by_default():
    assert parse("slow", HEADER).values({"count": "7"}) == {"least_ms": 12.5, "outcome": "ok", "phase": "measure", "count": 7}


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        *(("least_ms", text, "a number from 0.5 to 100") for text in ("0", "-1", "100.1", "nan", "inf", "often", "")),
        *(("count", text, "a whole number from 1 to 1,000,000") for text in ("0", "-1", "2.5", "1e3", "1000001", "None", "True")),
        *(("phase", text, "measure or warmup") for text in ("", "measur", "measure or warmup")),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_those_that_are(name, text, allowed):
    with pytest.raises(WrongValue, match=re.escape(f"{name} is {allowed}, not {text!r}")):
        parse("slow", HEADER).values({name: text})


def test_a_parameter_that_the_query_does_not_know_is_refused_with_those_it_knows():
    with pytest.raises(UnknownQuery, match=r"no parameter 'most'. It knows least_ms, outcome, phase, count"):
        parse("slow", HEADER).values({"most": "1"})


def test_a_file_that_does_not_say_what_it_answers_is_refused():
    with pytest.raises(ValueError, match="does not begin with"):
        parse("slow", "select 1;")


def test_a_misspelt_query_is_guessed():
    with pytest.raises(UnknownQuery, match=r"no query named 'sumary'. Did you mean 'summary'"):
        find_query("sumary")


@pytest.mark.parametrize("name", queries())
def test_every_query_declares_just_the_parameters_it_uses_and_warns_of_its_trap(name):
    query = queries()[name]
    used = set(re.findall(r"\$(\w+)", "\n".join(line for line in query.sql.splitlines() if not line.startswith("--"))))
    assert used == {parameter.name for parameter in query.parameters}
    assert query.question.endswith("?")
    assert query.sql.startswith(f"-- {name}: {query.question}\n--\n-- ")


EXTREMES = [
    (query.name, parameter.name, f"{value:.7g}")
    for query in queries().values()
    for parameter in query.parameters
    if isinstance(parameter.allowed, Numbers)
    for value in (parameter.allowed.least, parameter.allowed.most)
]


@pytest.mark.parametrize(("name", "parameter", "value"), EXTREMES)
def test_every_query_answers_with_the_least_and_the_greatest_that_it_can_be_told(tmp_path, name, parameter, value):
    assert isinstance(answer(busy_run(tmp_path), name, **{parameter: value}), list)


@pytest.mark.parametrize("name", queries())
def test_every_query_answers_for_a_run_with_and_without_rows(tmp_path, name):
    assert answer(busy_run(tmp_path), name)
    answer(new_run(tmp_path), name)


def throttled_every_fourth(row):
    if row["seq"] % 4:
        return row
    kept = {name: row[name] for name in ("seq", "intended_us", "lag_us", "entry", "conn", "conn_reused")}
    refused = {"service_us": 900, "http_status": 429, "outcome": Outcome.THROTTLED_RATE, "error": "Too many requests (count: N)"}
    return kept | refused | {"censored": 0}


def test_the_summary_does_not_let_fast_refusals_flatter(tmp_path):
    plan = recipe(rps=400, entries=recipe().entries[:1])
    (line,) = answer(finished_run(tmp_path, plan, throttled_every_fourth), "summary")
    assert (line["planned"], line["attempted"], line["ok"], line["ok_percent"]) == (400, 400, 300, 75.0)
    assert line["ok_p50_ms"] == line["all_p50_ms"] == 12.0
    assert (line["ok_p99_ms"], line["all_p99_ms"]) == (None, None)
    plan = recipe(rps=4000, entries=recipe().entries[:1])
    (line,) = answer(finished_run(tmp_path, plan, throttled_every_fourth), "summary")
    assert (line["ok_p99_ms"], line["all_p99_ms"]) == (12.0, float("inf"))


def test_the_outcomes_have_their_texts_and_an_example(tmp_path):
    lines = answer(finished_run(tmp_path, change=throttled_every_fourth), "outcomes")
    assert [(line["outcome"], line["http_status"], line["error"], line["calls"], line["percent"]) for line in lines] == [
        ("ok", 200, None, 75, 75.0),
        ("throttled_rate", 429, "Too many requests (count: N)", 25, 25.0),
    ]
    assert lines[0]["activations"] == [f"{1:032x}"]
    assert not lines[1]["activations"]


def test_the_timeline_puts_a_call_in_the_second_in_which_it_was_due(tmp_path):
    frozen = {"service_us": 2_000_000}
    folder = finished_run(tmp_path, recipe(duration_s=3), lambda row: row | frozen if 1_000_000 <= row["intended_us"] < 2_000_000 else row)
    lines = answer(folder, "timeline")
    assert [(line["from_s"], line["due"], line["worst_ms"]) for line in lines] == [(0, 100, 12.0), (1, 100, 2000.0), (2, 100, 12.0)]
    assert [line["from_s"] for line in answer(folder, "timeline", bucket_s="0.5")] == [0, 0.5, 1, 1.5, 2, 2.5]


def test_the_phases_of_a_call_add_up_to_its_response(tmp_path):
    def change(row):
        cold = {"init_ms": 80, "duration_ms": 90, "service_us": 200_000, "held_us": 3_000, "connect_us": 500}
        return row | cold if row["seq"] % 3 == 0 else row

    for line in answer(finished_run(tmp_path, change=change), "phases"):
        parts = ("lag_ms", "held_ms", "connect_ms", "wait_ms", "init_ms", "run_ms", "overhead_ms")
        assert sum(line[part] for part in parts) == pytest.approx(line["response_ms"], abs=0.05)


def test_reconcile_finds_missing_duplicate_and_foreign_rows(tmp_path):
    folder = new_run(tmp_path)
    rows = list(planned_rows(recipe()))
    stranger = rows[0] | {"seq": 1_000}
    record(folder, [*rows[:90], rows[3], rows[3], stranger]).close()
    convert_closed(folder.journals("0"), folder.calls("0"), recipe())
    assert answer(folder, "reconcile") == [{"run": folder.run, "planned": 100, "rows": 93, "missing": 10, "duplicate": 2, "foreign": 1}]


def test_reconcile_balances_after_a_recovery(tmp_path):
    folder = new_run(tmp_path, invokers=2)
    record(folder, list(planned_rows(recipe(), invokers=2))[:20], 0, 2).close()
    complete(folder, folder.load())
    assert answer(folder, "reconcile") == [{"run": folder.run, "planned": 100, "rows": 100, "missing": 0, "duplicate": 0, "foreign": 0}]


def test_the_wait_of_a_call_that_never_connected_is_in_no_phase_of_ok_calls(tmp_path):
    def change(row):
        return row | {"outcome": Outcome.CONNECT_ERROR, "service_us": NULL_64} if row["seq"] % 2 else row

    assert Counter(line["calls"] for line in answer(finished_run(tmp_path, change=change), "phases")).total() == 2


def test_an_even_spread_has_no_gini_and_one_container_that_serves_all_others_too_has_nearly_one(tmp_path):
    plan = recipe(entries=recipe().entries[:1])
    even = finished_run(tmp_path, plan, lambda row: row | {"container": f"{row['seq'] % 10:016x}"})
    (line,) = answer(even, "by_container")
    assert (line["containers"], line["calls_min"], line["calls_max"], line["gini"]) == (10, 10, 10, 0)
    uneven = finished_run(tmp_path, plan, lambda row: row | {"container": f"{max(0, row['seq'] - 81):016x}"})
    (line,) = answer(uneven, "by_container")
    assert (line["containers"], line["calls_min"], line["calls_max"]) == (19, 1, 82)
    assert line["gini"] == pytest.approx(82 / 100 - 1 / 19, abs=0.001)


def test_calls_in_flight_are_counted_from_every_start_and_end(tmp_path):
    plan = recipe(rps=10, duration_s=2, entries=recipe().entries[:1])
    lasting = finished_run(tmp_path, plan, lambda row: row | {"lag_us": 0, "service_us": 250_000})
    lines = answer(lasting, "concurrency")
    # Ten calls a second of 250 ms each: 2.5 in flight; the last two of each second reach 100 and 200 ms into the next.
    assert [(line["from_s"], line["calls_mean"], line["calls_most"]) for line in lines] == [(0, 2.2, 3), (1, 2.5, 3), (2, 0.3, 2)]


def test_the_two_sides_of_little_s_law_come_from_two_witnesses(tmp_path):
    folder = busy_run(tmp_path)
    (line,) = answer(folder, "little")
    assert line["counted"] == pytest.approx(IN_FLIGHT_US / 1e6 / line["span_s"], abs=0.05)
    assert line["by_the_law"] == pytest.approx(line["rate_rps"] * line["in_system_ms"] / 1e3, abs=0.05)
    (line,) = answer(finished_run(tmp_path), "little")
    assert (line["counted"], line["off_percent"]) == (None, None)
