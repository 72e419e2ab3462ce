"""Rules as texts: what they mean, that they can be written and read again, and what is said of those that cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.judge.objectives import MOST_BOUND, Objective, ObjectiveError, parse
from owray.judge.statistics import LEAST_BEYOND, is_shown
from owray.record.metrics import GREATEST, IN_FLIGHT, RATES, SHARES, TIMES, Kind, Metric

percentiles = st.one_of(st.just(GREATEST), st.integers(1, 99_999).map(lambda thousandths: thousandths / 100_000))
actions = st.one_of(st.none(), st.from_regex(r"[A-Za-z0-9_/@.:-]*[A-Za-z0-9_/@.-]", fullmatch=True))
bounds = st.floats(0.001, MOST_BOUND / 2)
shares = st.floats(0.001, 0.999)
windows = st.one_of(st.none(), st.floats(0.001, MOST_BOUND / 2))
signs = st.sampled_from(["<", "<=", ">", ">="])


def rules(kind, names, bounds, percentiles):
    metrics = st.builds(Metric, st.just(kind), st.sampled_from(names), percentiles, actions)
    return st.builds(Objective, metrics, signs, bounds, windows)


anything = st.one_of(
    rules(Kind.TIME, TIMES, bounds, percentiles),
    rules(Kind.SHARE, SHARES, shares, st.none()),
    rules(Kind.RATE, RATES, bounds, st.none()),
    rules(Kind.COUNT, (IN_FLIGHT,), bounds, st.none()),
)


@given(anything)
def test_a_rule_that_was_written_is_read_as_the_same(rule):
    assert parse(str(rule), windows=True) == rule


@given(st.one_of(st.text(max_size=30), st.text(alphabet="p9.<>=%/ms10:okrate-", max_size=16)))
def test_any_text_is_a_rule_or_is_refused_with_its_place(text):
    try:
        rule = parse(text, windows=True)
    except ObjectiveError as problem:
        refusal = str(problem)
    else:
        refusal = ""
        assert parse(str(rule), windows=True) == rule
    assert not refusal or refusal.startswith(f"cannot read {text!r}, column ")


@pytest.mark.parametrize(
    ("text", "name", "percentile", "sign", "bound", "action"),
    [
        ("p99<500ms", "response", 0.99, "<", 500_000, None),
        ("p99.9 <= 1.5 s", "response", 0.999, "<=", 1_500_000, None),
        ("max<2m", "response", GREATEST, "<", 120_000_000, None),
        ("response.p50<80us", "response", 0.5, "<", 80, None),
        ("lag>100ms", "lag", GREATEST, ">", 100_000, None),
        ("lag.p99<1ms", "lag", 0.99, "<", 1_000, None),
        ("ok>99.9%", "ok", None, ">", 0.999, None),
        ("align:cold<1%", "cold", None, "<", 0.01, "align"),
        ("/whisk.system/a/b:p95<1s", "response", 0.95, "<", 1_000_000, "/whisk.system/a/b"),
        ("RPS>=4900", "rps", None, ">=", 4_900, None),
        ("sent>4900/s", "sent", None, ">", 4_900, None),
        ("in-flight<20000", "in-flight", None, "<", 20_000, None),
    ],
)
def test_what_a_rule_means(text, name, percentile, sign, bound, action):
    rule = parse(text)
    assert (rule.metric.name, rule.metric.percentile, rule.operator, rule.bound, rule.metric.action) == (
        name,
        percentile,
        sign,
        bound,
        action,
    )


@pytest.mark.parametrize(
    ("text", "window_us", "written"),
    [
        ("error>20%/10s", 10_000_000, "error>20%/10s"),
        ("p99>5s / 30s", 30_000_000, "p99>5s/30s"),
        ("lag>100ms/5s", 5_000_000, "lag.max>100ms/5s"),
        ("sent<90/s/1m", 60_000_000, "sent<90/s/1m"),
        ("in-flight>20000", None, "in-flight>20000"),
    ],
)
def test_a_rule_to_be_watched_may_have_a_window(text, window_us, written):
    rule = parse(text, windows=True)
    assert (rule.window_us, str(rule)) == (window_us, written)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "here goes <, <=, > or >="),
        ("p99", 4, "here goes <, <=, > or >="),
        ("p99=5s", 4, "here goes <, <=, > or >="),
        ("p99<", 5, "here goes a bound"),
        ("p99<fast", 5, "here goes a bound"),
        ("p99<500", 8, "a time needs a unit: us, ms, s or m, as in 500ms"),
        ("p99<5h", 6, "a time needs a unit"),
        ("ok>99", 6, "a share is in per cent, as in 99%"),
        ("rps>5%", 6, "a rate is in calls a second, as in 5/s"),
        ("in-flight<5s", 12, "this is a number of calls, without a unit, as in 5"),
        ("  foo<1%", 3, "no metric named 'foo'."),
        ("svice.p99<2s", 1, "no metric named 'svice.p99'. Did you mean 'service.p99'?"),
        ("throtled<1%", 1, "no metric named 'throtled'. Did you mean 'throttled'?"),
        ("align: p100<2s", 8, "no metric named 'p100'"),
        ("p0<2s", 1, "a percentile lies above 0 and below 100"),
        (":p99<2s", 1, "before a colon goes the name of an action"),
        ("ok>101%", 4, "a share is at most 100%"),
        ("ok>100%", 4, ">=100% asks for all"),
        ("error<0%", 7, "<=0 asks for none"),
        ("p99<2s or so", 7, "nothing is expected after the bound"),
        ("p99<2s/10s", 7, "has no window"),
        ("p99<99999999999999s", 5, "no storm goes so far"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_column_and_what_is_possible(text, column, reason):
    with pytest.raises(ObjectiveError) as raised:
        parse(text)
    assert str(raised.value).startswith(f"cannot read {text!r}, column {column}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "reason"), [("p99>5s/0s", "a window is above zero"), ("p99>5s/2s!", "nothing is expected after the window")]
)
def test_a_wrong_window_is_said(text, reason):
    with pytest.raises(ObjectiveError, match=reason):
        parse(text, windows=True)


@pytest.mark.parametrize(
    ("text", "calls"),
    [("p50<1s", 20), ("p90<1s", 100), ("p99<1s", 1_000), ("p99.9<1s", 10_000), ("max<1s", 1), ("ok>99.9%", 1), ("rps>5", 1)],
)
def test_how_many_calls_it_takes(text, calls):
    assert parse(text).samples_needed == calls


@given(st.integers(1, 99_999).map(lambda thousandths: thousandths / 100_000))
def test_as_many_calls_are_needed_as_leave_ten_beyond_and_not_one_more(share):
    needed = Objective(Metric(Kind.TIME, "response", share), "<", 1.0).samples_needed
    assert is_shown(needed, share)
    assert not is_shown(needed - 1, share)
    assert needed > LEAST_BEYOND


@pytest.mark.parametrize(("sign", "held"), [("<", [1]), ("<=", [1, 2]), (">", [3]), (">=", [2, 3])])
def test_a_bound_belongs_to_its_rule_only_with_an_equals_sign(sign, held):
    rule = parse(f"in-flight{sign}2")
    assert [value for value in (1, 2, 3) if rule.holds(value)] == held
