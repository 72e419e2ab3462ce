"""What an invoker counts: buckets that cover every value, and sums over invokers."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from owray.record.layout import Outcome
from owray.wire.counters import BUCKETS, Counters, bucket_of, bucket_start_us


@given(st.integers(0, 2**62))
def test_a_bucket_is_at_most_an_eighth_wide_and_holds_its_values(response_us):
    bucket = bucket_of(response_us)
    start = bucket_start_us(bucket)
    assert start <= response_us < bucket_start_us(bucket + 1)
    assert response_us - start <= start / 8


@given(st.integers(-1000, 2**40), st.integers(0, 2**40))
def test_a_longer_response_never_falls_into_a_lower_bucket(response_us, more_us):
    assert bucket_of(response_us) <= bucket_of(response_us + more_us)


def test_every_value_has_a_bucket():
    assert [bucket_of(value) for value in (-5, 0, 7, 8, 15, 16)] == [0, 0, 7, 8, 15, 16]
    assert bucket_of(2**63) < BUCKETS
    assert bucket_of(2**200) == BUCKETS - 1


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_percentile_is_that_of_the_responses_to_a_buckets_width(responses, share):
    counters = Counters()
    for response_us in responses:
        counters.responses[bucket_of(response_us)] += 1
    exact = sorted(responses)[max(0, -int(-share * len(responses) // 1) - 1)]
    found = counters.response_percentile_us(share)
    neighbours = sorted(responses)
    index = neighbours.index(exact)
    near = neighbours[max(0, index - 1) : index + 2]
    assert found in {bucket_start_us(bucket_of(value)) for value in near}


def test_before_the_first_response_there_is_no_percentile():
    assert Counters().response_percentile_us(0.5) is None


def counters(seed):
    made = Counters(
        dispatched=seed, attempted=seed, finished=seed - 1, in_flight=1, most_in_flight=2, held=3, lag_max_us=seed, area_call_us=10
    )
    made.outcomes[Outcome.OK] = seed
    made.responses[5] = seed
    return made


def test_sums_add_up_and_maxima_are_the_greatest():
    total = Counters.sum([counters(10), counters(30), counters(20)])
    assert (total.dispatched, total.finished, total.in_flight, total.held, total.area_call_us) == (60, 57, 3, 9, 30)
    assert (total.lag_max_us, total.outcomes[Outcome.OK], total.responses[5]) == (30, 60, 60)
    assert Counters.sum([]) == Counters()


def test_a_snapshot_can_be_sent_elsewhere():
    assert copy.deepcopy(counters(7)) == counters(7)  # by way of what pickle uses


def test_invokers_meet_the_same_containers_so_these_do_not_add_up():
    assert Counters.sum([Counters(containers=3), Counters(containers=5)]).containers == 5
