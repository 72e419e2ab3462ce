"""The throttles by themselves, with a clock that the test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.openwhisk.embedded.answers import Refused
from cluster.openwhisk.embedded.throttles import MINUTE_MS, ConcurrencyThrottle, RateThrottle


class Clock:
    now_ms = 0

    def __call__(self):
        return self.now_ms


def admitted(throttle, namespace="guest"):
    try:
        throttle.admit(namespace)
    except Refused:
        return False
    return True


@given(limit=st.integers(0, 20), times_ms=st.lists(st.integers(0, 3 * MINUTE_MS), max_size=100).map(sorted))
def test_each_calendar_minute_admits_its_first_calls_and_no_more(limit, times_ms):
    clock = Clock()
    throttle = RateThrottle(limit, clock)
    seen = {}
    for clock.now_ms in times_ms:
        minute = clock.now_ms // MINUTE_MS
        seen[minute] = seen.get(minute, 0) + 1
        assert admitted(throttle) == (seen[minute] <= limit)


def test_twice_the_limit_passes_around_the_turn_of_a_minute():
    clock = Clock()
    throttle = RateThrottle(60, clock)
    clock.now_ms = MINUTE_MS - 1
    before = [admitted(throttle) for _ in range(61)]
    clock.now_ms = MINUTE_MS
    assert before == [True] * 60 + [False]
    assert all(admitted(throttle) for _ in range(60))


def test_a_refused_call_also_costs_a_token_and_the_text_counts_on():
    throttle = RateThrottle(1, Clock())
    throttle.admit("guest")
    for count in (2, 3, 4):
        with pytest.raises(Refused, match=rf"^Too many requests in the last minute \(count: {count}, allowed: 1\)\.$") as refused:
            throttle.admit("guest")
        assert refused.value.status == 429


def test_namespaces_do_not_share_their_allowance():
    rate, concurrency = RateThrottle(1, Clock()), ConcurrencyThrottle(1)
    assert admitted(rate, "a")
    assert admitted(rate, "b")
    concurrency.published("a")
    assert not admitted(concurrency, "a")
    assert admitted(concurrency, "b")


def test_in_flight_counts_from_publishing_to_completion():
    throttle = ConcurrencyThrottle(2)
    throttle.published("guest")
    assert admitted(throttle)
    throttle.published("guest")
    with pytest.raises(Refused, match=r"^Too many concurrent requests in flight \(count: 2, allowed: 2\)\.$"):
        throttle.admit("guest")
    throttle.completed("guest")
    assert admitted(throttle)
    assert throttle.in_flight("guest") == 1
