"""Replies of every kind that OpenWhisk and what stands before it give, and what each of them is called."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.replies import (
    ACTIVATION_ID,
    CHECKSUM,
    CONCURRENCY_429,
    CONTAINER,
    LATE_503,
    NGINX_HTML,
    OVERLOADED_503,
    RATE_429,
    encode,
    record,
    refusal,
    report,
)

from owray.record.layout import NO_ID, NULL_8, NULL_32, NULL_64, PACKED_FIELDS, ROW, Outcome
from owray.wire.outcome import Reading, error_template, read

ID = bytes.fromhex(ACTIVATION_ID)
CRASHED = record({"error": "The action did not return a dictionary."}, status="action developer error")
RAN_OUT = record({"error": "The action exceeded its time limits of 60000 milliseconds."}, status="action developer error", timeout=True)
DROPPED = record({"error": "Too many concurrent requests in flight."}, status="action developer error", duration_ms=0, wait_ms=None)


def without(data, *names):
    return {name: value for name, value in data.items() if name not in names}


def reading(status, body, *, expected=None, **headers):
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return read(status, body if isinstance(body, bytes) else encode(body), named.get, expected)


TABLE = {
    "a record": (200, record(), Outcome.OK, None, ID),
    "a record of a list": (200, record([1, 2]), Outcome.OK, None, ID),
    "a record of nothing": (200, {**record(), "response": {"status": "success", "success": True}}, Outcome.OK, None, ID),
    "a bare array": (200, [1, 2, 3], Outcome.OK, None, ID),
    "a bare result": (200, {"greeting": "hi"}, Outcome.OK, None, ID),
    "a page": (200, b"<html>welcome", Outcome.PROTOCOL_ERROR, "a 200 whose body is neither object nor array", ID),
    "nothing at all": (200, b"", Outcome.PROTOCOL_ERROR, "a 200 whose body is neither object nor array", ID),
    "accepted": (202, {"activationId": ACTIVATION_ID}, Outcome.ACCEPTED, None, ID),
    "accepted, id in the header only": (202, b"", Outcome.ACCEPTED, None, ID),
    "application error": (502, record({"error": "no file 17"}, status="application error"), Outcome.APPLICATION_ERROR, "no file N", ID),
    "application error, null": (502, record({"error": None}, status="application error"), Outcome.APPLICATION_ERROR, "null", ID),
    "application error, object": (502, record({"error": {"a": 1}}, status="application error"), Outcome.APPLICATION_ERROR, '{"a":N}', ID),
    "developer error": (502, CRASHED, Outcome.DEVELOPER_ERROR, "The action did not return a dictionary.", ID),
    "the action's own time-out": (502, RAN_OUT, Outcome.DEVELOPER_ERROR, "The action exceeded its time limits of N milliseconds.", ID),
    "dropped by the scheduler": (502, DROPPED, Outcome.THROTTLED, "Too many concurrent requests in flight.", ID),
    "platform error": (500, record({"error": "No container."}, status="whisk internal error"), Outcome.PLATFORM_ERROR, "No container.", ID),
    "500 in JSON": (500, refusal("Internal error."), Outcome.PLATFORM_ERROR, "Internal error.", ID),
    "500 in text": (500, b"There was an internal server error.", Outcome.PLATFORM_ERROR, "There was an internal server error.", ID),
    "502 in JSON": (502, {"error": "unknown which"}, Outcome.PLATFORM_ERROR, "unknown which", ID),
    "502 of nginx": (502, NGINX_HTML.format("502 Bad Gateway").encode(), Outcome.UNAVAILABLE, "<html> <head><title>N Bad", ID),
    "503, no invoker": (503, refusal(OVERLOADED_503), Outcome.UNAVAILABLE, OVERLOADED_503, NO_ID),
    "503, 65 seconds": (503, LATE_503.encode(), Outcome.UNAVAILABLE, "The server was not able to produce", NO_ID),
    "504 of nginx": (504, NGINX_HTML.format("504 Gateway Time-out").encode(), Outcome.UNAVAILABLE, "<html> <head><title>N Gateway", NO_ID),
    "429, rate": (429, refusal(RATE_429), Outcome.THROTTLED_RATE, "Too many requests in the last minute (count: N,", NO_ID),
    "429, concurrency": (
        429, refusal(CONCURRENCY_429), Outcome.THROTTLED_CONCURRENCY, "Too many concurrent requests in flight (count: N", NO_ID
    ),
    "429, scheduler": (429, refusal("Too many requests"), Outcome.THROTTLED, "Too many requests", NO_ID),
    "429 of a proxy": (429, b"slow down", Outcome.THROTTLED, "slow down", NO_ID),
    "400": (400, refusal("The request content was malformed:\nbad"), Outcome.REJECTED, "The request content was malformed: bad", NO_ID),
    "401": (401, refusal("The supplied authentication is invalid."), Outcome.REJECTED, "The supplied authentication", NO_ID),
    "403": (403, refusal("The supplied authentication is not authorized."), Outcome.REJECTED, "The supplied", NO_ID),
    "404": (404, refusal("The requested resource does not exist."), Outcome.REJECTED, "The requested resource does not exist.", NO_ID),
    "409": (409, refusal("Concurrent modification to resource detected."), Outcome.REJECTED, "Concurrent modification", NO_ID),
    "413": (413, refusal("Request larger than allowed: 2000000 bytes."), Outcome.REJECTED, "Request larger than allowed: N", NO_ID),
    "413 of nginx": (413, NGINX_HTML.format("413 Too Large").encode(), Outcome.REJECTED, "<html> <head><title>N Too Large", NO_ID),
    "415": (415, refusal("The request's Content-Type is not supported."), Outcome.REJECTED, "The request's Content-Type", NO_ID),
    "204": (204, b"", Outcome.PROTOCOL_ERROR, "unexpected status 204", NO_ID),
    "302": (302, b"", Outcome.PROTOCOL_ERROR, "unexpected status 302", NO_ID),
    "418": (418, b"", Outcome.PROTOCOL_ERROR, "unexpected status 418", NO_ID),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "outcome", "error", "activation_id"), TABLE.values(), ids=TABLE.keys())
def test_every_reply_of_the_table_has_its_name(status, body, outcome, error, activation_id):
    found = reading(status, body, x_openwhisk_activation_id=ACTIVATION_ID.encode())
    assert (found.outcome, found.activation_id) == (outcome, activation_id)
    if error is None:
        assert found.error is None
    else:
        assert found.error.startswith(error)


def test_a_warm_record_gives_all_its_times_and_no_init():
    assert reading(200, record(), expected=CHECKSUM) == Reading(
        Outcome.OK, None, ID, 1700000001234, 3, NULL_32, 26, CONTAINER, 1, 11, 2200, 0, 1
    )


@pytest.mark.parametrize("init_ms", [0, 21])
def test_a_cold_start_is_known_by_its_init_time_even_of_zero(init_ms):
    assert reading(200, record(init_ms=init_ms)).init_ms == init_ms


def test_a_wait_below_zero_is_kept():
    assert reading(200, record(wait_ms=-17)).wait_ms == -17


def test_a_failed_call_keeps_its_times_too():
    found = reading(502, record({"error": "x"}, status="application error", init_ms=300, wait_ms=5), expected=CHECKSUM)
    assert (found.init_ms, found.wait_ms, found.duration_ms, found.ow_start_ms) == (300, 5, 26, 1700000001234)
    assert found.checked == NULL_8


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (report("00"), "the checksum differs from the expected one"),
        ({**report(), "ok": False}, "the function's own check failed"),
        (without(report(), "checksum"), "no checksum"),
        ({}, "no checksum"),
        ([1], "no checksum"),
        ({"checksum": 17}, "no checksum"),
    ],
)
def test_a_fast_wrong_answer_is_wrong(result, error):
    for body in (record(result), result):  # as a record, and bare
        found = reading(200, body, expected=CHECKSUM)
        assert (found.outcome, found.error, found.checked) == (Outcome.WRONG, error, 0)
    assert reading(200, record(result)).checked == NULL_8


def test_a_bare_result_with_the_right_checksum_is_right():
    found = reading(200, report(), expected=CHECKSUM)
    assert (found.outcome, found.checked, found.container, found.duration_ms) == (Outcome.OK, 1, CONTAINER, NULL_32)


@pytest.mark.parametrize(
    "result",
    [
        {"c": "a text of any length, which is no fingerprint"},
        {"c": 17},
        {"k": "many"},
        {"t": [1]},
        {"t": {"gen": 2**40}},
        {"ok": "yes"},
        "text",
        None,
    ],
)
def test_a_function_that_happens_to_use_our_words_is_left_alone(result):
    found = reading(200, record(result) if result is not None else {**record(), "response": {"status": "success", "result": None}})
    assert (found.outcome, found.container, found.activation_id) == (Outcome.OK, None, ID)


@pytest.mark.parametrize("name", ["start", "end", "duration", "annotations", "logs", "name", "version", "subject", "publish"])
def test_a_record_that_lacks_a_field_is_still_a_record(name):
    found = reading(200, without(record(init_ms=4), name), expected=CHECKSUM)
    assert (found.outcome, found.activation_id) == (Outcome.OK, ID)


@pytest.mark.parametrize("activation_id", ["", "xyz", "c1f0", ACTIVATION_ID + "00", "é" * 32])
def test_an_id_that_is_none_is_null(activation_id):
    assert reading(200, record(activation_id=activation_id)).activation_id == NO_ID
    assert reading(202, {"activationId": activation_id}).activation_id == NO_ID


@pytest.mark.parametrize("value", [1.5, "3", None, 2**31, -(2**31), 10**400])
def test_a_time_that_no_row_can_hold_is_null(value):
    data = record()
    data["annotations"] = [{"key": "waitTime", "value": value}, {"key": "initTime", "value": value}]
    found = reading(200, data)
    assert (found.wait_ms, found.init_ms) == (NULL_32, NULL_32)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
near_records = st.fixed_dictionaries(
    {},
    optional={
        "activationId": st.just(ACTIVATION_ID) | json_values,
        "response": st.fixed_dictionaries(
            {},
            optional={"status": st.sampled_from(["success", "application error"]) | json_values, "result": json_values | st.just(report())},
        ),
        "start": json_values,
        "duration": st.integers() | json_values,
        "annotations": st.lists(st.fixed_dictionaries({"key": st.sampled_from(["waitTime", "initTime", "x"]), "value": json_values}))
        | json_values,
        "error": json_values,
    },
)
bodies = st.binary(max_size=200) | st.one_of(json_values, near_records).map(lambda data: json.dumps(data).encode())
DEEP = b'{"error":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
DEEP_RECORD = b'{"activationId":"%b","response":{"status":"success","result":%b}}' % (ACTIVATION_ID.encode(), DEEP)
FIELDS_OF_A_READING = (
    "ow_start_ms",
    "wait_ms",
    "init_ms",
    "duration_ms",
    "container_calls",
    "gen_us",
    "compute_us",
    "io_us",
    "checked",
    "outcome",
)


@given(
    st.sampled_from([200, 202, 204, 400, 404, 429, 500, 502, 503, 504, 999]),
    bodies,
    st.none() | st.just(CHECKSUM),
    st.none() | st.binary(max_size=40),
)
@example(200, DEEP, None, None)
@example(502, DEEP, None, None)
@example(429, DEEP, None, None)
@example(202, DEEP, None, None)
@example(200, DEEP_RECORD, CHECKSUM, None)
@example(500, b'{"error":"\\ud800"}', None, None)
def test_whatever_is_answered_can_be_read_and_fits_a_row(status, body, expected, header):
    found = read(status, body, lambda name: header, expected)
    fields = {name: 0 for name, _ in PACKED_FIELDS} | {name: getattr(found, name) for name in FIELDS_OF_A_READING}
    ROW.pack(*{**fields, "activation_id": found.activation_id}.values())
    assert len(found.activation_id) == 16
    if found.error is not None:
        assert len(found.error) <= 200
        found.error.encode()
    assert found.container is None or len(found.container) == 16


def test_an_error_is_a_template_on_one_line():
    assert error_template("  count: 61,\r\n\tallowed: 60\n") == "count: N, allowed: N"
    assert error_template("a" * 500) == "a" * 200
    assert {error_template(f"Too many (count: {count})") for count in range(500)} == {"Too many (count: N)"}


def test_nulls_are_the_least_values_never_minus_one():
    found = reading(503, b"")
    assert (found.ow_start_ms, found.wait_ms, found.init_ms, found.checked) == (NULL_64, NULL_32, NULL_32, NULL_8)
