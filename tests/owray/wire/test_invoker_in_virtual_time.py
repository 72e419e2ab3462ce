"""The invoker in virtual time: storms of minutes, exact to the microsecond."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.replies import RATE_429, encode, record, refusal, report
from support.rows import MemoryRows, attempt_us, end_us, response_us
from support.rows import given as is_given
from support.stage import VirtualStage, assert_conserved, recipe
from support.virtual import Served, run_virtually

from owray.http1.connection import ProtocolError
from owray.record.layout import Outcome
from owray.wire.invoker import BATCH_CALLS, COALESCE_US, TICK_S, Limits

QUICK = Served(in_ms=10)
REFUSED = Served(in_ms=1, status=429, body=encode(refusal(RATE_429)))
SILENCE = None
TICK_US = round(TICK_S * 1e6)


def storm(chosen, serve, **how):
    """(rows, invoker) of a storm that plays to its end."""

    async def main(loop):
        stage = VirtualStage(loop, chosen, serve, **how)
        rows = await stage.play()
        assert_conserved(stage.invoker, rows)
        return rows, stage

    return run_virtually(main)


def frozen_between(start_s, end_s, service_ms=10.0):
    """A server that answers nothing within these seconds of the storm."""

    def serve(seq, at_us):
        due_us = at_us + service_ms * 1e3
        if start_s * 1e6 <= due_us < end_s * 1e6:
            due_us = end_s * 1e6
        return Served(in_ms=(due_us - at_us) / 1e3)

    return serve


def test_ten_minutes_of_calls_go_out_to_the_microsecond():
    rows, stage = storm(recipe(20, 600), lambda seq, at_us: QUICK)
    found = rows.by_seq()
    assert sorted(found) == list(range(12_000))
    assert rows.outcomes() == {"ok": 12_000}
    assert {row.lag_us for row in rows.rows} == {0}
    assert [found[seq].intended_us for seq in (0, 1, 11_999)] == [25_000, 75_000, 599_975_000]
    first, *others = (found[seq] for seq in range(12_000))
    assert (first.connect_us, response_us(first)) == (1000, 11_000)
    assert {response_us(row) for row in others} == {10_000}
    assert not any(is_given(row, "connect_us") for row in others)
    assert stage.pool.opened == 12_000 // 900 + 1  # connections are renewed after 900 uses


def test_poisson_arrivals_are_kept_to_the_alarm_and_no_call_is_early():
    rows, stage = storm(recipe(500, 30, arrivals="poisson", seed=5), lambda seq, at_us: QUICK)
    assert len(rows.rows) == stage.plan.count()
    assert min(row.lag_us for row in rows.rows) >= 0
    assert max(row.lag_us for row in rows.rows) <= COALESCE_US


def test_a_frozen_server_shows_in_the_response_of_every_call_and_in_no_lag():
    rows, _ = storm(recipe(500, 6), frozen_between(2, 4))
    found = rows.by_seq()
    assert len(found) == 3000
    assert {row.lag_us for row in rows.rows} == {0}
    struck = [row for row in rows.rows if response_us(row) > 50_000]
    assert len(struck) == pytest.approx(980, abs=10)
    for row in struck:
        assert end_us(row) == 4_000_000


def test_with_a_cap_the_same_calls_show_the_freeze_as_held():
    rows, stage = storm(recipe(500, 6), frozen_between(2, 4), limits=Limits(max_in_flight=50))
    assert {row.lag_us for row in rows.rows} == {0}
    assert stage.invoker.counters.most_in_flight == 50
    struck = [row for row in rows.rows if response_us(row) > 50_000]
    held = [row for row in struck if is_given(row, "held_us")]
    assert len(struck) > 980
    assert len(struck) - len(held) <= 55  # those that filled the cap
    first_held = min(held, key=lambda row: row.seq)
    assert first_held.held_us == 4_000_000 - first_held.intended_us
    assert stage.invoker.counters.held >= len(held)


def test_held_calls_go_out_in_the_order_of_the_plan():
    rows, _ = storm(recipe(1000, 1), lambda seq, at_us: QUICK, limits=Limits(max_in_flight=3))
    attempts = [attempt_us(row) for _, row in sorted(rows.by_seq().items())]
    assert attempts == sorted(attempts)
    assert rows.outcomes() == {"ok": 1000}


def stalled_for_a_second(limits=None):
    """(rows, counters) of 2,000 calls in 4 s whose invoker is kept from running from 1 s on."""

    async def main(loop):
        stage = VirtualStage(loop, recipe(500, 4), lambda seq, at_us: QUICK, limits=limits)

        async def stall():
            await stage.at(1.0)
            loop.spend(1_000_000_000)

        stalling = asyncio.ensure_future(stall())
        rows = await stage.play()
        await stalling
        assert_conserved(stage.invoker, rows)
        return rows, stage.invoker.counters

    return run_virtually(main)


def test_an_invoker_that_was_kept_from_running_is_late_and_says_so():
    rows, counters = stalled_for_a_second()
    late = [row for row in rows.rows if row.lag_us > 0]
    assert len(rows.rows) == 2000
    assert len(late) == pytest.approx(500, abs=2)
    assert counters.lag_max_us == max(row.lag_us for row in rows.rows) == pytest.approx(999_000, abs=2000)
    backlog = sorted(late, key=lambda row: row.seq)
    batches = Counter(attempt_us(row) for row in backlog)
    assert max(batches.values()) <= BATCH_CALLS  # the loop may turn to replies in between


def test_a_slow_alarm_is_lag():
    rows, _ = storm(recipe(100, 2), lambda seq, at_us: QUICK, alarm_late_ns=3_000_000)
    assert {row.lag_us for row in rows.rows} == {3000}


def test_above_ten_thousand_calls_a_second_calls_go_out_together_at_most_a_coalescing_late():
    rows, _ = storm(recipe(40_000, 0.25), lambda seq, at_us: QUICK)
    assert len(rows.rows) == 10_000
    assert max(row.lag_us for row in rows.rows) <= COALESCE_US


def test_a_plan_that_outruns_the_look_ahead_is_still_whole():
    rows, _ = storm(recipe(400_000, 0.03), lambda seq, at_us: QUICK)  # three windows within one tick
    assert sorted(rows.by_seq()) == list(range(12_000))


def test_a_call_without_an_answer_ends_at_its_time_out_as_a_lower_bound():
    rows, _ = storm(recipe(50, 2), lambda seq, at_us: SILENCE if seq % 2 else QUICK, limits=Limits(timeout_ms=700))
    assert rows.outcomes() == {"ok": 50, "timeout": 50}
    for row in rows.rows:
        if row.seq % 2:
            assert row.censored == 1
            assert 700_000 <= row.service_us <= 700_000 + TICK_US
            assert (is_given(row, "ttfb_us"), is_given(row, "http_status")) == (False, False)
            assert rows.error_of(row) == "no answer within the time-out"


def test_a_call_that_waits_for_a_connection_times_out_too():
    rows, _ = storm(recipe(10, 1), lambda seq, at_us: QUICK, limits=Limits(timeout_ms=300), connect_ms=60_000)
    assert rows.outcomes() == {"timeout": 10}
    for row in rows.rows:
        assert 300_000 <= row.connect_us <= 300_000 + TICK_US
        assert not is_given(row, "service_us")
        assert not is_given(row, "conn")


def test_an_answer_after_the_time_out_changes_nothing():
    rows, _ = storm(recipe(50, 1), lambda seq, at_us: Served(in_ms=900), limits=Limits(timeout_ms=300, max_in_flight=5))
    assert set(rows.outcomes()) == {"timeout"}
    assert len(rows.rows) == 50


def test_an_answer_between_the_time_out_and_the_tick_that_looks_for_it_is_late_too():
    rows, _ = storm(recipe(50, 1), lambda seq, at_us: Served(in_ms=1 if seq % 2 else 3), limits=Limits(timeout_ms=2))
    assert rows.outcomes() == {"ok": 25, "timeout": 25}
    for row in rows.rows:
        assert row.censored == (row.seq % 2 == 0)
        if row.censored:
            assert row.service_us >= 2_000
            assert not is_given(row, "http_status")


def test_a_time_out_counts_from_the_attempt_and_makes_room_for_a_held_call():
    rows, _ = storm(recipe(10, 1), lambda seq, at_us: SILENCE, limits=Limits(timeout_ms=500, max_in_flight=1))
    found = rows.by_seq()
    assert rows.outcomes() == {"timeout": 10}
    for seq in range(1, 10):
        assert attempt_us(found[seq]) == end_us(found[seq - 1])


def test_connections_that_cannot_be_opened_are_the_calls_outcome_and_no_retry():
    rows, stage = storm(recipe(100, 1), lambda seq, at_us: QUICK, connect_error=lambda number: ConnectionRefusedError(111, "refused"))
    assert rows.outcomes() == {"connect_error": 100}
    assert stage.pool.opened == stage.pool.failed == 100
    row = rows.rows[0]
    assert (row.connect_us, rows.error_of(row)) == (1000, "ConnectionRefusedError: [Errno N] refused")


def test_a_lost_connection_is_the_outcome_of_one_call():
    def serve(seq, at_us):
        if seq == 7:
            return Served(in_ms=5, body=None)
        return Served(in_ms=5, body=None, error=ProtocolError("not an HTTP reply: 8 bytes")) if seq == 8 else QUICK

    rows, _ = storm(recipe(20, 1), serve)
    found = rows.by_seq()
    assert rows.outcomes() == {"connection_lost": 1, "ok": 18, "protocol_error": 1}
    assert rows.error_of(found[7]) == "closed by the server"
    assert rows.error_of(found[8]) == "ProtocolError: not an HTTP reply: N bytes"
    assert (found[7].service_us, found[7].censored) == (5000, 0)
    assert is_given(found[9], "connect_us")  # a new one was needed


def test_what_the_server_says_is_in_the_row():
    cold = encode(record(report(served=3), init_ms=21, wait_ms=-4, duration_ms=99, start_ms=1_700_000_000_000))
    rows, stage = storm(recipe(2, 1), lambda seq, at_us: REFUSED if seq else Served(body=cold))
    first, second = (rows.by_seq()[seq] for seq in (0, 1))
    assert (first.http_status, first.init_ms, first.wait_ms, first.duration_ms) == (200, 21, -4, 99)
    assert (first.ow_start_ms, first.container_calls, first.compute_us, first.checked) == (1_700_000_000_000, 3, 2200, 1)
    assert rows.container_of(first) == "0123456789abcdef"
    assert (Outcome(second.outcome), second.http_status) == (Outcome.THROTTLED_RATE, 429)
    assert rows.error_of(second) == "Too many requests in the last minute (count: N, allowed: N)."
    assert stage.invoker.counters.cold == 1


def interrupted(act_at_s, act, *, limits=None, serve=lambda seq, at_us: Served(in_ms=400)):
    """(rows, plan) of a storm of 100 calls a second that something happens to."""

    async def main(loop):
        stage = VirtualStage(loop, recipe(100, 5), serve, limits=limits)
        playing = asyncio.ensure_future(stage.play())
        await stage.at(act_at_s)
        act(stage.invoker)
        rows = await playing
        assert_conserved(stage.invoker, rows)
        return rows, loop.clock_ns() - stage.t0_ns

    return run_virtually(main)


def test_a_held_call_that_gets_too_late_is_dropped_and_its_row_says_so():
    limits = Limits(max_in_flight=1, drop_after_ms=200)
    rows, stage = storm(recipe(100, 1), lambda seq, at_us: Served(in_ms=100), limits=limits)
    assert set(rows.outcomes()) == {"ok", "unsent"}
    assert (len(rows.rows), stage.invoker.counters.attempted) == (100, rows.outcomes()["ok"])
    for row in rows.rows:
        if row.censored:
            assert 200_000 < row.lag_us + row.held_us <= 200_000 + 2 * TICK_US
            assert rows.error_of(row) == "dropped: later than --late allows"
        else:
            assert attempt_us(row) - row.intended_us <= 200_000


def test_calls_that_come_too_late_to_be_dispatched_are_dropped():
    rows, _ = stalled_for_a_second(Limits(drop_after_ms=400))
    assert rows.outcomes() == {"ok": pytest.approx(1700, abs=2), "unsent": pytest.approx(300, abs=2)}
    assert all(row.lag_us > 400_000 for row in rows.rows if row.censored)


def test_stopping_lets_calls_under_way_end_and_dispatches_no_more():
    rows, ended_ns = interrupted(2.0, lambda invoker: invoker.stop())
    assert rows.outcomes() == {"ok": 200}
    assert ended_ns / 1e9 == pytest.approx(2.4, abs=0.01)


def test_stopping_gives_up_held_calls_as_unsent():
    rows, _ = interrupted(2.0, lambda invoker: invoker.stop(), limits=Limits(max_in_flight=10))
    outcomes = rows.outcomes()
    assert sum(outcomes.values()) == 200
    assert outcomes == {"ok": 50, "unsent": 150}  # ten every 401 ms, the fifth ten under way when the storm is stopped
    for row in rows.rows:
        if row.outcome == Outcome.UNSENT:
            assert end_us(row) == 2_000_000
            assert not is_given(row, "service_us")
            assert not is_given(row, "connect_us")
            assert rows.error_of(row) == "the storm was stopped"


def test_cutting_ends_calls_under_way_at_once_as_lost():
    rows, ended_ns = interrupted(2.0, lambda invoker: invoker.cut(), limits=Limits(max_in_flight=10))
    assert rows.outcomes() == {"lost": 10, "ok": 40, "unsent": 150}
    assert ended_ns / 1e9 == pytest.approx(2.0, abs=0.001)
    for row in rows.rows:
        if row.outcome == Outcome.LOST:
            assert (row.censored, end_us(row)) == (1, 2_000_000)


def test_stopping_twice_and_cutting_after_stopping_is_allowed():
    def act(invoker):
        invoker.stop()
        invoker.stop()
        invoker.cut()
        invoker.cut()

    rows, _ = interrupted(2.0, act)
    assert rows.outcomes() == {"lost": 40, "ok": 160}


def test_stopping_before_the_first_call_ends_the_storm_without_a_row():
    rows, ended_ns = interrupted(-1.0, lambda invoker: invoker.stop())
    assert rows.rows == []
    assert ended_ns < 0


def test_a_full_disk_ends_the_storm_with_its_error():
    async def main(loop):
        rows = MemoryRows(full_from_ns=loop.clock_ns() + 4_000_000_000)
        stage = VirtualStage(loop, recipe(100, 60), lambda seq, at_us: QUICK, rows=rows)
        with pytest.raises(OSError, match="No space left"):
            await stage.play()
        dispatched = stage.invoker.counters.dispatched
        await asyncio.sleep(5)
        assert stage.invoker.counters.dispatched == dispatched == len(rows.rows)
        assert dispatched == pytest.approx(200, abs=6)
        stage.pool.close()

    run_virtually(main)


def test_a_share_of_no_calls_is_over_at_once():
    rows, _ = storm(recipe(0.1, 1), lambda seq, at_us: QUICK)
    assert rows.rows == []


def test_the_journal_is_looked_after_as_often_as_it_needs():
    rows, _ = storm(recipe(10, 5), lambda seq, at_us: QUICK)
    gaps = {second - first for first, second in zip(rows.ticks, rows.ticks[1:], strict=False)}
    assert max(gaps) < 100_000_000


faults = st.sampled_from(
    [
        QUICK,
        Served(in_ms=0.0),
        Served(in_ms=250.0),
        REFUSED,
        Served(in_ms=3, status=502, body=b"<html>"),
        Served(in_ms=3, status=202, body=b"{}"),
        Served(in_ms=7, body=None),
        Served(in_ms=0.0, body=None, error=ConnectionResetError(104, "reset")),
        SILENCE,
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    script=st.lists(faults, min_size=1, max_size=8),
    refused=st.sets(st.integers(0, 9), max_size=8),
    cap=st.none() | st.integers(1, 12),
    drop_after_ms=st.none() | st.integers(0, 150),
    rps=st.integers(20, 800),
    kind=st.sampled_from(["constant", "poisson"]),
    stop_at_s=st.none() | st.floats(0.0, 0.6),
    cut=st.booleans(),
)
def test_every_dispatched_call_has_exactly_one_row_whatever_happens(script, refused, cap, drop_after_ms, rps, kind, stop_at_s, cut):
    async def main(loop):
        stage = VirtualStage(
            loop,
            recipe(rps, 0.5, arrivals=kind, seed=3),
            lambda seq, at_us: script[seq % len(script)],
            limits=Limits(200, cap, drop_after_ms),
            connect_error=lambda number: OSError(111, "refused") if number % 10 in refused else None,
        )
        playing = asyncio.ensure_future(stage.play())
        if stop_at_s is not None:
            await stage.at(stop_at_s)
            (stage.invoker.cut if cut else stage.invoker.stop)()
        rows = await playing
        assert_conserved(stage.invoker, rows)
        planned = stage.plan.count()
        assert sorted(rows.by_seq()) == list(range(stage.invoker.counters.dispatched))
        assert stop_at_s is not None or len(rows.rows) == planned

    run_virtually(main)
