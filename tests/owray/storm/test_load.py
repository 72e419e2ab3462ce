"""The options that say how many calls are due when: what they stand for, and what is said of those that cannot be."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.closed import LONGEST_S, Closed
from owray.plan.shapes import Bursts, Ramp, Sine, Stages
from owray.storm.bad_request import BadRequest
from owray.storm.load import LoadRequest, drop_after


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, Ramp(10, 10, 10)),
        ({"rps": 500.0, "duration_s": 3.0}, Ramp(500, 500, 3)),
        ({"ramp": "0:5000:60s"}, Ramp(0, 5000, 60)),
        ({"ramp": " 5000 : 0 : 500ms "}, Ramp(5000, 0, 0.5)),
        ({"stages": "1000:30s,5000:60s,500:30s"}, Stages((Ramp(1000, 1000, 30), Ramp(5000, 5000, 60), Ramp(500, 500, 30)))),
        ({"stages": "0:100:1m, 100:1h, 0:5s"}, Stages((Ramp(0, 100, 60), Ramp(100, 100, 3600), Ramp(0, 0, 5)))),
        ({"stages": "0.5:10s"}, Stages((Ramp(0.5, 0.5, 10),))),
        ({"sine": "1000:500:60s"}, Sine(1000, 500, 60, 60)),
        ({"sine": "1000:500:60s", "duration_s": 600.0}, Sine(1000, 500, 60, 600)),
        ({"burst": "500,1000, 2000", "gap_s": 10.0}, Bursts((500, 1000, 2000), 10)),
        ({"burst": "7"}, Bursts((7,), 1)),
        ({"at_once": True, "calls": 1000}, Bursts((1000,), 1)),
        ({"concurrency": 16}, Closed(16, 0.0, 10.0)),
        ({"concurrency": 16, "think_s": 0.1, "duration_s": 30.0}, Closed(16, 0.1, 30.0)),
        ({"concurrency": 16, "calls": 1000}, Closed(16, 0.0, LONGEST_S)),
    ],
)
def test_options_stand_for_a_shape(options, shape):
    assert LoadRequest(**options).shape() == shape


def test_a_count_of_calls_at_a_rate_is_given_time_enough_whatever_the_arrivals():
    load = LoadRequest(rps=100.0, calls=1000, arrivals="poisson")
    assert load.shape().duration_s > 13
    assert load.planned_s == 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rps": 0.0}, "--rps is to be above zero and at most 1,000,000, not 0"),
        ({"rps": float("nan")}, "--rps is to be above zero"),
        ({"calls": 0}, "--calls is to be at least 1, not 0"),
        ({"duration_s": 0.0}, "--duration is to be above zero, not 0 s"),
        ({"rps": 5.0, "ramp": "0:1:1s", "at_once": True}, "--rps and --ramp and --at-once: one of them says how many calls are due when"),
        ({"ramp": "0:1:1s", "duration_s": 5.0}, "--duration: --ramp says itself how long it lasts"),
        ({"ramp": "5000:60s"}, "--ramp '5000:60s': one looks like 0:5000:60s"),
        ({"ramp": "0:fast:60s"}, "--ramp: 'fast' is no number of calls a second"),
        ({"ramp": "0:-5:60s"}, "--ramp: a rate lies between 0 and 1,000,000 calls a second, not -5"),
        ({"ramp": "0:nan:60s"}, "--ramp: a rate lies between"),
        ({"ramp": "0:5:60"}, "--ramp: '60' has no unit"),
        ({"ramp": "0:5:0s"}, "--ramp: a duration is above zero, not '0s'"),
        ({"ramp": "0:0:5s"}, "--ramp: this plans no call"),
        ({"stages": "10:5s,,10:5s"}, "--stages, part 2: '' is no stage; one looks like 1000:30s (a level) or 0:1000:30s (a line)"),
        ({"stages": "10:5s,1:2:3:4s"}, "--stages, part 2: '1:2:3:4s' is no stage"),
        ({"stages": "10:5s,5:soon"}, "--stages, part 2: 'soon' is no duration"),
        ({"stages": "0:5s"}, "--stages: this plans no call"),
        ({"sine": "10:5"}, "--sine '10:5': one looks like 1000:500:60s"),
        ({"sine": "10:11:5s"}, "--sine '10:11:5s': the swing is at most the mean, which is above zero"),
        ({"burst": "5,x", "gap_s": 1.0}, "--burst: 'x' is no number of calls"),
        ({"burst": "5,-5", "gap_s": 1.0}, "--burst: '-5' is no number of calls"),
        ({"burst": "5,5"}, "--burst of several needs --gap, the time from one to the next"),
        ({"burst": "5,5", "gap_s": 0.0}, "--gap is to be above zero, not 0 s"),
        ({"burst": "0"}, "--burst: this plans no call"),
        ({"burst": "5", "arrivals": "poisson"}, "--arrivals poisson: the calls of a burst are due at once; there is nothing to space"),
        ({"gap_s": 5.0}, "--gap lies between bursts: --burst says how many calls each has"),
        ({"at_once": True}, "--at-once needs --calls, how many"),
        ({"concurrency": 0}, "--concurrency is to be between 1 and 100,000 users, not 0"),
        ({"concurrency": 5, "rps": 5.0}, "--rps and --concurrency: one of them says how many calls are due when"),
        ({"concurrency": 5, "arrivals": "poisson"}, "--arrivals poisson: a user of --concurrency calls when it is free"),
        ({"concurrency": 5, "calls": 5, "duration_s": 5.0}, "--calls and --duration: one of them ends a closed loop (--concurrency)"),
        ({"concurrency": 5, "calls": 2_000_000_000}, "a storm of 2,000,000,000 calls is more than the 1,000,000,000"),
        ({"think_s": 0.1}, "--think is between two calls of a user: --concurrency says how many users there are"),
        ({"rps": 1e6, "duration_s": 1e6}, "a storm of 1,000,000,000,000 calls is more than the 1,000,000,000 that one run may have"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(options, said):
    with pytest.raises(BadRequest) as refused:
        LoadRequest(**options)
    assert str(refused.value).startswith(said)


texts = st.text("0123456789.:,-smhe x", max_size=15)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("ramp", "stages", "sine", "burst"), texts)))
def test_any_text_is_a_shape_or_refused(options):
    with contextlib.suppress(BadRequest):
        assert LoadRequest(**options).shape().expected_calls() > 0


@pytest.mark.parametrize(("late", "after_s"), [("send", None), ("drop:2s", 2.0), (" drop:500ms", 0.5), ("drop:0s", 0.0)])
def test_late_calls_are_sent_or_dropped_after_a_time(late, after_s):
    assert drop_after(late) == after_s


@pytest.mark.parametrize("late", ["", "drop", "send:2s", "drop:", "drop:2", "later", "drop:-2s"])
def test_another_word_for_late_calls_is_refused(late):
    with pytest.raises(BadRequest, match="--late"):
        drop_after(late)
