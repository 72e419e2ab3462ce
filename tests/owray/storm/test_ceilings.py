"""What binds a storm, in figures: each ceiling by itself, and what is never refused by mistake."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.storm.ceilings import binds_first, cures, rate_that_fits, weigh
from owray.storm.figures import Accuracy, Ceiling, Cure, Demand, Fit, Measured, Supply

STORM = Demand(rps=100, planned=6000, length_s=60, timeout_ms=90_000)
BENCH = Supply(
    calls_a_minute=999_999,
    concurrent_calls=999_999,
    memory_mb=2048,
    payload_bytes=1 << 20,
    cores=1,
    descriptors=19_744,
    ports=28_232,
    profile="bench",
)
STANDALONE = replace(BENCH, calls_a_minute=60, concurrent_calls=30, memory_mb=1024, profile="standalone")
NOOP = Measured("noop", 1.0, 22, duration_ms=(0, 1, 0, 0, 1), service_ms=(2.0,) * 5, cpu_ms=(0.0,) * 5, memory_mb=128, time_limit_ms=10_000)
ALIGN = Measured("align", 1.0, 22, duration_ms=(15,) * 5, service_ms=(17.0,) * 5, cpu_ms=(14.0,) * 5, memory_mb=256, time_limit_ms=60_000)
SLEEP = Measured("sleep", 1.0, 22, duration_ms=(1001,) * 5, service_ms=(1003.0,) * 5, cpu_ms=(0.0,) * 5, memory_mb=128)


def one(what, asked=STORM, supply=BENCH, *actions):
    (found,) = [each for each in weigh(asked, supply, actions or (NOOP,)) if each.what == what]
    return found


def levels(asked, supply, *actions):
    return {each.what: each.level for each in weigh(asked, supply, actions)}


def planned(rps, length_s, **changes):
    return replace(STORM, rps=rps, planned=round(rps * length_s), length_s=length_s, **changes)


@pytest.mark.parametrize(
    ("asked", "action"), [(planned(20, 20), ALIGN), (planned(5000, 60), NOOP), (planned(10, 30), SLEEP), (planned(60, 1), ALIGN)]
)
def test_everyday_storms_fit_a_bench_lab(asked, action):
    assert set(levels(asked, BENCH, action).values()) == {Fit.FITS}


def test_a_storm_above_the_calls_a_minute_is_spoilt():
    found = one("calls a minute", STORM, STANDALONE)
    assert (found.level, found.asked, found.has, found.rps, found.accuracy) == (Fit.SPOILS, "6,000", "60", 1.0, Accuracy.EXACT)


def test_a_short_storm_of_few_calls_fits_a_minute_whatever_its_rate():
    assert one("calls a minute", planned(100, 0.5), STANDALONE).level is Fit.FITS
    assert one("calls a minute", planned(100, 0.7), STANDALONE).level is Fit.SPOILS


def test_calls_made_beforehand_count_in_the_same_minute():
    found = one("calls a minute", planned(10, 6, spent_calls=6), STANDALONE)
    assert found.level is Fit.DOUBTFUL
    assert found.sentence == "calls a minute: 60 asked for, 6 spent beforehand, 60 there in all"


def test_calls_at_once_follow_littles_law():
    found = one("calls at once", planned(40, 60), STANDALONE, SLEEP)
    assert (found.level, found.asked, found.has) == (Fit.SPOILS, "about 40", "30")
    assert found.rps == pytest.approx(30 / 1.001)


def test_random_arrivals_are_warned_of_what_even_ones_are_not():
    even = planned(28, 60)
    assert one("calls at once", even, STANDALONE, SLEEP).level is Fit.FITS
    assert one("calls at once", replace(even, is_random=True), STANDALONE, SLEEP).level is Fit.DOUBTFUL


def test_a_cap_of_the_users_own_keeps_calls_at_once_below_it():
    assert one("calls at once", planned(40, 60, max_in_flight=20), STANDALONE, SLEEP).level is Fit.FITS
    assert one("container memory", planned(40, 60, max_in_flight=8), STANDALONE, SLEEP).level is Fit.FITS


def test_calls_too_short_to_tell_refuse_nothing():
    short = replace(NOOP, duration_ms=(1, 1, 1, 1, 1))
    found = one("container memory", planned(100_000, 60), BENCH, short)
    assert (found.level, found.accuracy) == (Fit.DOUBTFUL, Accuracy.AT_LEAST)


def test_container_memory_is_the_actions_limits_for_as_long_as_they_run():
    found = one("container memory", planned(20, 60), BENCH, SLEEP)
    assert (found.level, found.asked, found.has) == (Fit.SPOILS, "about 2,563 MB", "2,048 MB")
    assert found.rps == pytest.approx(2048 / 128 / 1.001)


def test_a_burst_that_may_queue_for_containers_is_doubtful_and_no_reason_to_refuse():
    burst = replace(STORM, rps=40, planned=40, length_s=1, burst=40)
    quick = replace(ALIGN, duration_ms=(1,) * 5)
    found = one("container memory", burst, BENCH, quick)
    assert found.level == Fit.DOUBTFUL
    assert one("calls at once", burst, replace(BENCH, concurrent_calls=30), quick).level == Fit.SPOILS


def test_what_a_platform_does_not_tell_is_said_so_and_never_refuses():
    untold = weigh(planned(1000, 60), Supply(), (SLEEP,))
    assert {each.what for each in untold} == {"calls a minute", "calls at once", "container memory"}
    assert {(each.has, each.level) for each in untold} == {("not told", Fit.FITS)}


def test_cpu_warns_above_the_cores_and_refuses_beyond_doubt_alone():
    assert one("CPU", planned(60, 60), BENCH, ALIGN).level is Fit.FITS
    assert one("CPU", planned(100, 60), BENCH, ALIGN).level is Fit.DOUBTFUL
    assert one("CPU", planned(200, 60), BENCH, ALIGN).level is Fit.SPOILS
    assert one("CPU", planned(200, 2), BENCH, ALIGN).level is Fit.DOUBTFUL  # it is through with it soon enough


def test_a_function_that_reports_no_computing_is_never_warned_of_cpu():
    silent = replace(ALIGN, cpu_ms=())
    found = one("CPU", planned(1000, 60), BENCH, silent)
    assert (found.level, found.accuracy) == (Fit.FITS, Accuracy.AT_LEAST)
    assert not [each for each in weigh(STORM, BENCH, (SLEEP,)) if each.what.startswith("CPU")]


def test_a_mix_counts_each_action_by_its_share():
    mix = (replace(SLEEP, share=0.1), replace(NOOP, share=0.9))
    assert one("calls at once", planned(200, 60), STANDALONE, *mix).asked == "about 20"


def test_descriptors_are_for_each_invoker_and_a_pause_is_looked_ahead_to():
    few = replace(BENCH, descriptors=1280)
    assert one("descriptors", planned(900, 60), few, NOOP).level is Fit.FITS
    paused = one("descriptors", planned(2000, 60), few, NOOP)
    assert (paused.level, paused.sentence) == (Fit.DOUBTFUL, "descriptors: a platform that pauses for 1 s takes about 2,004 of 1,024")
    assert one("descriptors", planned(2000, 60, invokers=2), few, NOOP).level is Fit.FITS
    assert one("descriptors", planned(2000, 60), few, SLEEP).level is Fit.SPOILS


def test_local_ports_are_for_all_invokers_and_stay_taken_for_a_while():
    found = one("local ports", planned(30_000, 60, invokers=4), BENCH, SLEEP)
    assert found.level is Fit.SPOILS
    assert found.asked == "about 32,090"  # 30,000 times 1.003 s, and 30,000 / 900 connections a second for a minute


def test_a_trigger_has_a_limit_of_its_own():
    found = one("fires a minute", replace(STORM, is_fired=True), replace(STANDALONE, fires_a_minute=90))
    assert (found.level, found.asked, found.has, found.cure.knob) == (Fit.SPOILS, "6,000", "90", "--fires-per-minute 6000")
    theirs = one("fires a minute", replace(STORM, is_fired=True), Supply(fires_a_minute=90, namespace="guest"))
    assert theirs.cure.text.startswith("wskadmin limits set guest --firesPerMinute 6000 ")


def test_a_payload_over_the_limit_refuses_before_anything_is_measured():
    found = one("payload of big", STORM, BENCH, Measured("big", 1.0, 2 << 20))
    assert (found.level, found.asked, found.has) == (Fit.SPOILS, "2,097,152 bytes", "1,048,576 bytes")


@pytest.mark.parametrize(("timeout_ms", "limit_ms", "hinted"), [(5000, 10_000, True), (90_000, 300_000, False), (50_000, 300_000, True)])
def test_a_timeout_below_the_actions_own_is_a_hint(timeout_ms, limit_ms, hinted):
    found = levels(replace(STORM, timeout_ms=timeout_ms), BENCH, replace(NOOP, time_limit_ms=limit_ms))
    assert found.get("time-out") is (Fit.DOUBTFUL if hinted else None)


def test_the_lowest_comes_first_and_what_has_no_rate_last():
    found = weigh(replace(STORM, timeout_ms=5), STANDALONE, (ALIGN,))
    rates = [each.rps for each in found if each.rps is not None]
    assert rates == sorted(rates)
    assert [each.what for each in found if each.rps is None] == ["time-out"]
    assert binds_first(found) is found[0]


def test_knobs_of_a_lab_are_turned_in_one_go():
    spoilers = [each for each in weigh(planned(100, 60), STANDALONE, (SLEEP,)) if each.level is Fit.SPOILS]
    turned = "--invocations-per-minute 6000 --user-memory 20000m --concurrent-invocations 210"
    assert cures(spoilers, STANDALONE) == [f"owray down, then owray up local --profile standalone {turned}"]
    assert rate_that_fits(spoilers) == 1.0


def test_another_openwhisk_is_lifted_by_its_own_settings():
    theirs = replace(STANDALONE, profile=None, memory_mb=None, namespace="guest")
    spoilers = [each for each in weigh(planned(100, 60), theirs, (SLEEP,)) if each.level is Fit.SPOILS]
    rate, concurrency = cures(spoilers, theirs)
    assert rate.startswith("wskadmin limits set guest --invocationsPerMinute 6000 (noticed within 5 minutes), or ")
    assert rate.endswith("LIMITS_ACTIONS_INVOKES_PERMINUTE=6000 for its controllers")
    assert concurrency.startswith("wskadmin limits set guest --concurrentInvocations 210 ")
    assert concurrency.endswith("LIMITS_ACTIONS_INVOKES_CONCURRENT=210 for its controllers")


durations = st.lists(st.integers(0, 5000), min_size=1, max_size=6).map(tuple)


@given(st.floats(0.01, 1e6), st.floats(0.01, 7200), durations, st.booleans(), st.sampled_from([BENCH, STANDALONE, Supply()]))
def test_figures_are_finite_and_a_lower_rate_is_never_judged_worse(rps, length_s, duration_ms, is_random, supply):
    action = Measured("some", 1.0, 22, duration_ms, tuple(map(float, duration_ms)), tuple(map(float, duration_ms)), 256, 60_000)
    order = list(Fit)
    high = weigh(replace(planned(rps, length_s), is_random=is_random), supply, (action,))
    low = {each.what: each.level for each in weigh(replace(planned(rps / 2, length_s), is_random=is_random), supply, (action,))}
    for each in high:
        assert each.rps is None or 0 <= each.rps < float("inf")
        assert order.index(low[each.what]) <= order.index(each.level)


def test_a_knob_that_several_ask_for_is_turned_once_and_far_enough():
    spoilers = [Ceiling("a", "1", "1", Fit.SPOILS, cure=Cure(knob=f"--payload {size}b")) for size in (900, 5000, 1000)]
    assert cures(spoilers, STANDALONE) == ["owray down, then owray up local --profile standalone --payload 5000b"]
