"""A closed loop: each user calls again when its last call has ended and it has thought for a while."""

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.replies import RATE_429, encode, refusal
from support.rows import attempt_us, end_us, response_us
from support.stage import VirtualStage, assert_conserved, recipe
from support.virtual import Served, run_virtually

from owray.wire.agenda import ClosedLoop
from owray.wire.invoker import Limits

ENDLESS = 1 << 60
REFUSED = Served(in_ms=1, status=429, body=encode(refusal(RATE_429)))


def storm(serve, *, users, think_ms=0, until_s=None, calls=None, **how):
    """(rows, stage) of a closed loop that plays to its end."""
    until_us = ENDLESS if until_s is None else round(until_s * 1e6)
    make_agenda = partial(ClosedLoop, users=users, think_us=think_ms * 1000, until_us=until_us)

    async def main(loop):
        stage = VirtualStage(loop, recipe(1000, 1000, calls=calls), serve, make_agenda=make_agenda, **how)
        rows = await stage.play()
        assert_conserved(stage.invoker, rows)
        return rows, stage

    return run_virtually(main)


def test_one_user_calls_as_soon_as_the_last_call_has_ended():
    rows, _ = storm(lambda seq, at_us: Served(in_ms=10), users=1, calls=50)
    found = [row for _, row in sorted(rows.by_seq().items())]
    assert len(found) == 50
    assert all(later.intended_us == attempt_us(later) == end_us(earlier) for earlier, later in pairwise(found))
    assert {response_us(row) for row in found[1:]} == {10_000}


def test_so_many_users_are_so_many_calls_in_flight():
    rows, stage = storm(lambda seq, at_us: Served(in_ms=10 + seq % 7), users=20, calls=2000)
    assert rows.outcomes() == {"ok": 2000}
    assert stage.invoker.counters.most_in_flight == 20
    assert stage.pool.opened <= 20 + 2000 // 900 * 20


def test_a_user_thinks_between_the_end_of_a_call_and_the_next():
    rows, _ = storm(lambda seq, at_us: Served(in_ms=10), users=1, think_ms=90, calls=20)
    found = [row for _, row in sorted(rows.by_seq().items())]
    assert all(later.intended_us - end_us(earlier) == 90_000 for earlier, later in pairwise(found))
    assert {row.lag_us for row in found[1:]} == {0}


def test_no_call_begins_after_the_duration_and_those_under_way_end():
    rows, _ = storm(lambda seq, at_us: Served(in_ms=300), users=3, until_s=2.0)
    assert max(row.intended_us for row in rows.rows) < 2_000_000
    assert max(end_us(row) for row in rows.rows) > 2_000_000
    assert sorted(rows.by_seq()) == list(range(3 * 7))


def test_users_who_all_think_beyond_the_duration_end_the_storm_at_once():
    rows, stage = storm(lambda seq, at_us: Served(in_ms=1), users=5, think_ms=60_000, until_s=2.0)
    assert len(rows.rows) == 5
    assert stage.invoker.now_us() < 1_000_000


def test_a_frozen_server_is_asked_less_which_is_why_a_closed_loop_is_never_the_default():
    def frozen(seq, at_us):
        return Served(in_ms=(4_000_000 - at_us) / 1e3) if 2_000_000 <= at_us < 4_000_000 else Served(in_ms=10)

    rows, _ = storm(frozen, users=10, until_s=6.0)
    assert sum(response_us(row) > 50_000 for row in rows.rows) == 10


def test_a_refused_call_lets_its_user_go_on():
    rows, _ = storm(lambda seq, at_us: REFUSED if seq % 2 else Served(in_ms=5), users=4, calls=100)
    assert rows.outcomes() == {"ok": 50, "throttled_rate": 50}


def test_a_user_whose_call_timed_out_calls_again():
    rows, _ = storm(lambda seq, at_us: None, users=2, calls=8, limits=Limits(timeout_ms=100))
    assert rows.outcomes() == {"timeout": 8}


@pytest.mark.parametrize("cut", [True, False])
def test_stopping_ends_it(cut):
    async def main(loop):
        agenda = partial(ClosedLoop, users=5, think_us=0, until_us=ENDLESS)
        stage = VirtualStage(loop, recipe(1000, 1000), lambda seq, at_us: Served(in_ms=50), make_agenda=agenda)
        playing = loop.create_task(stage.play())
        await stage.at(1.0)
        (stage.invoker.cut if cut else stage.invoker.stop)()
        rows = await playing
        assert_conserved(stage.invoker, rows)
        return rows

    rows = run_virtually(main)
    assert set(rows.outcomes()) == ({"ok", "lost"} if cut else {"ok"})
    assert max(end_us(row) for row in rows.rows) <= 1_050_000


@settings(max_examples=30, deadline=None)
@given(
    users=st.integers(1, 30),
    think_ms=st.integers(0, 200),
    calls=st.integers(1, 200),
    service_ms=st.lists(st.floats(0, 300), min_size=1, max_size=5),
    refused=st.sets(st.integers(0, 9), max_size=9),
)
def test_a_counted_closed_loop_makes_exactly_its_calls(users, think_ms, calls, service_ms, refused):
    rows, stage = storm(
        lambda seq, at_us: Served(in_ms=service_ms[seq % len(service_ms)]),
        users=users,
        think_ms=think_ms,
        calls=calls,
        connect_error=lambda number: OSError(111, "refused") if number % 10 in refused else None,
    )
    assert sorted(rows.by_seq()) == list(range(calls))
    assert stage.invoker.counters.most_in_flight <= users
