"""The invoker in real time against a scripted gateway: what happens on real sockets, asserted as widely as the machine may be slow."""

import asyncio
import socket
import ssl
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.certificates import self_signed
from support.gateway import Gateway, Script, Step
from support.loops import LOOPS, run
from support.replies import CONCURRENCY_429, NGINX_HTML, RATE_429, encode, record, refusal
from support.rows import given as is_given
from support.rows import response_us
from support.stage import RealStage, assert_conserved, recipe

from owray.record.layout import Outcome
from owray.wire.invoker import Limits


@pytest.fixture(params=sorted(LOOPS))
def loop_kind(request):
    return request.param


def text(data):
    return encode(data).decode()


async def played(script, chosen, *, limits=None, warm_connections=0):
    """(rows, gateway, stage) of a whole storm; conservation holds of every one."""
    async with Gateway(script) as gateway:
        stage = RealStage(gateway, chosen, limits=limits)
        rows = await stage.play(warm_connections=warm_connections)
        assert_conserved(stage.invoker, rows)
        assert sorted(rows.by_seq()) == list(range(stage.plan.count()))
        return rows, gateway, stage


def test_a_quiet_storm_is_all_ok_and_the_gateways_log_agrees(loop_kind):
    rows, gateway, stage = run(played(Script(), recipe(400, 0.5, arrivals="poisson")), loop_kind)
    assert set(rows.outcomes()) == {"ok"}
    assert sorted(gateway.ids) == sorted(f"run-{seq}" for seq in rows.by_seq())
    assert sum(is_given(row, "init_ms") for row in rows.rows) == 1  # the gateway's first call was cold
    assert all(row.checked == 1 and row.http_status == 200 for row in rows.rows)
    assert all(row.bytes_in > row.bytes_out > 0 for row in rows.rows)
    assert {int.from_bytes(row.activation_id, "big") for row in rows.rows} == set(range(1, len(rows.rows) + 1))
    assert gateway.connections == stage.pool.opened


def test_a_freeze_of_two_seconds_shows_in_a_thousand_rows_as_response_and_not_as_lag():
    frozen = Script(freezes=((1.0, 3.0),))
    rows, _, _ = run(played(frozen, recipe(500, 3.5), warm_connections=20))
    assert rows.outcomes() == {"ok": 1750}
    struck = [row for row in rows.rows if response_us(row) > 100_000]
    assert 900 <= len(struck) <= 1100
    # Whoever came while the server was frozen waited for its end: the waits are spread over all of the two seconds.
    waited_s = sorted(response_us(row) / 1e6 for row in struck)
    assert waited_s[-1] == pytest.approx(2.0, abs=0.5)
    assert waited_s[len(waited_s) // 2] == pytest.approx(1.05, abs=0.4)
    lags_us = sorted(row.lag_us for row in struck)
    assert lags_us[len(lags_us) // 2] < 50_000
    assert not any(is_given(row, "held_us") for row in rows.rows)


def test_with_a_cap_the_same_freeze_shows_as_held():
    frozen = Script(freezes=((1.0, 3.0),))
    rows, gateway, _ = run(played(frozen, recipe(500, 3.5), limits=Limits(max_in_flight=50), warm_connections=20))
    assert rows.outcomes() == {"ok": 1750}
    assert gateway.connections <= 50
    struck = [row for row in rows.rows if response_us(row) > 100_000]
    held = [row for row in struck if is_given(row, "held_us") and row.held_us > 50_000]
    assert 900 <= len(struck) <= 1200
    assert len(held) > len(struck) - 110
    assert max(row.held_us for row in held) > 1_400_000
    lags_us = sorted(row.lag_us for row in struck)
    assert lags_us[len(lags_us) // 2] < 50_000


FAULTS = {
    "wrong": (Step(checksum="0bad"), Outcome.WRONG, 200),
    "application error": (Step(status=502, body=text(record({"error": "e"}, status="application error"))), Outcome.APPLICATION_ERROR, 502),
    "developer error": (Step(status=502, body=text(record({"error": "e"}, status="action developer error"))), Outcome.DEVELOPER_ERROR, 502),
    "throttled by rate": (Step(status=429, body=text(refusal(RATE_429))), Outcome.THROTTLED_RATE, 429),
    "throttled by concurrency": (Step(status=429, body=text(refusal(CONCURRENCY_429))), Outcome.THROTTLED_CONCURRENCY, 429),
    "accepted": (Step(status=202, body='{"activationId":"' + "0" * 31 + '1"}'), Outcome.ACCEPTED, 202),
    "unavailable": (Step(status=503, body=NGINX_HTML.format("503"), content_type="text/html"), Outcome.UNAVAILABLE, 503),
    "rejected": (Step(status=401, body=text(refusal("no"))), Outcome.REJECTED, 401),
    "chunked": (Step(framing="chunked"), Outcome.OK, 200),
    "dripping": (Step(framing="drip"), Outcome.OK, 200),
    "to the end of the connection": (Step(framing="close"), Outcome.OK, 200),
    "the last of its connection": (Step(last=True), Outcome.OK, 200),
    "after 100 Continue": (Step(do="interim"), Outcome.OK, 200),
    "hang-up unread": (Step(do="hang_up_unread"), Outcome.CONNECTION_LOST, None),
    "hang-up": (Step(do="hang_up"), Outcome.CONNECTION_LOST, None),
    "hang-up midway": (Step(do="hang_up_midway"), Outcome.CONNECTION_LOST, None),
    "reset": (Step(do="reset"), Outcome.CONNECTION_LOST, None),
    "reset midway": (Step(do="reset_midway"), Outcome.CONNECTION_LOST, None),
    "garbage": (Step(do="garbage"), Outcome.PROTOCOL_ERROR, None),
    "twice": (Step(do="twice"), Outcome.PROTOCOL_ERROR, None),
    "silence": (Step(do="silence"), Outcome.TIMEOUT, None),
}


@pytest.mark.parametrize(("step", "outcome", "status"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_the_outcome_of_its_own_calls_and_of_no_other(step, outcome, status):
    script = Script(steps=(step, Step()))  # each second call meets a gateway that behaves
    limits = Limits(timeout_ms=400 if outcome is Outcome.TIMEOUT else 10_000)
    rows, gateway, _ = run(played(script, recipe(100, 0.2), limits=limits))
    found = rows.by_seq()
    assert {Outcome(found[seq].outcome) for seq in range(0, 20, 2)} == {outcome}
    assert {Outcome(found[seq].outcome) for seq in range(1, 20, 2)} == {Outcome.OK}
    assert {found[seq].http_status if is_given(found[seq], "http_status") else None for seq in range(0, 20, 2)} == {status}
    assert sorted(gateway.ids) == sorted(f"run-{seq}" for seq in range(20))  # each was sent once: an invocation is never repeated


def test_unsolicited_bytes_cost_a_connection_and_at_most_the_call_they_fall_into():
    rows, gateway, _ = run(played(Script(steps=(Step(do="chatter"),)), recipe(20, 0.5)))
    assert set(rows.outcomes()) <= {"ok", "protocol_error"}
    assert rows.outcomes()["ok"] > 0
    assert gateway.connections > 1


def test_a_gateway_that_ends_connections_after_some_requests_costs_no_call_when_it_says_so(loop_kind):
    rows, gateway, _ = run(played(Script(close_after=10), recipe(400, 0.25)), loop_kind)
    assert rows.outcomes() == {"ok": 100}
    assert gateway.connections >= 10


def test_connections_opened_are_far_fewer_than_calls():
    rows, gateway, _ = run(played(Script(steps=(Step(delay_ms=2),)), recipe(1000, 0.5), warm_connections=10))
    assert rows.outcomes() == {"ok": 500}
    assert gateway.connections < 150
    assert sum(row.conn_reused for row in rows.rows) > 300


def test_two_hundred_calls_are_in_flight_at_once_if_so_planned():
    rows, _, stage = run(played(Script(steps=(Step(delay_ms=1500),)), recipe(1000, 0.3)))
    assert rows.outcomes() == {"ok": 300}
    assert stage.invoker.counters.most_in_flight >= 200


def test_nobody_listening_is_a_connect_error_of_every_call(loop_kind):
    async def main():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            gateway = Gateway()
            gateway.port = taken.getsockname()[1]
            stage = RealStage(gateway, recipe(200, 0.2))
            rows = await stage.play()
            assert_conserved(stage.invoker, rows)
            assert rows.outcomes() == {"connect_error": 40}
            assert all(is_given(row, "connect_us") and not is_given(row, "service_us") for row in rows.rows)
            assert "ConnectionRefusedError" in rows.error_of(rows.rows[0])

    run(main(), loop_kind)


def test_a_gateway_that_hangs_up_on_connect_loses_no_row(loop_kind):
    rows, _, _ = run(played(Script(hang_up_on_connect=True), recipe(200, 0.2), limits=Limits(timeout_ms=3000)), loop_kind)
    assert set(rows.outcomes()) <= {"connection_lost", "connect_error"}


def test_tls_is_no_different(tmp_path):
    async def main():
        server, path = self_signed(tmp_path)

        async with Gateway(Script(steps=(Step(), Step(do="hang_up"))), tls=server) as gateway:
            stage = RealStage(gateway, recipe(100, 0.2), tls=ssl.create_default_context(cafile=path))
            rows = await stage.play(warm_connections=2)
            assert_conserved(stage.invoker, rows)
            assert rows.outcomes() == {"connection_lost": 10, "ok": 10}

    run(main())


def test_a_certificate_that_is_not_trusted_is_a_connect_error(tmp_path):
    async def main():
        server, _ = self_signed(tmp_path)

        async with Gateway(tls=server) as gateway:
            stage = RealStage(gateway, recipe(50, 0.2), tls=ssl.create_default_context())
            rows = await stage.play()
            assert rows.outcomes() == {"connect_error": 10}
            assert "SSLCertVerificationError" in rows.error_of(rows.rows[0])

    run(main())


def test_cutting_a_storm_off_ends_it_at_once(loop_kind):
    async def main():
        async with Gateway(Script(steps=(Step(do="silence"),))) as gateway:
            stage = RealStage(gateway, recipe(200, 30))
            playing = asyncio.ensure_future(stage.play())
            await asyncio.sleep(0.3)
            began = time.monotonic()
            stage.invoker.cut()
            rows = await playing
            assert time.monotonic() - began < 2
            assert set(rows.outcomes()) == {"lost"}
            assert_conserved(stage.invoker, rows)

    run(main(), loop_kind)


steps = st.sampled_from([step for step, _, _ in FAULTS.values()] + [Step(), Step(delay_ms=5), Step(do="chatter")])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=st.lists(steps, min_size=1, max_size=6).map(tuple),
    cap=st.none() | st.integers(1, 5),
    close_after=st.none() | st.integers(1, 4),
    kind=st.sampled_from(sorted(LOOPS)),
)
def test_one_row_per_planned_call_whatever_the_gateway_does(script, cap, close_after, kind):
    how = Script(steps=script, close_after=close_after, abrupt=True)
    rows, gateway, _ = run(played(how, recipe(300, 0.1), limits=Limits(timeout_ms=100, max_in_flight=cap)), kind)
    assert len(rows.rows) == 30
    assert len(set(gateway.ids)) == len(gateway.ids)  # none was sent twice
