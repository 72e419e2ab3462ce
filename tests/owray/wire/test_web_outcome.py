"""Replies of web actions and triggers, and what each of them is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.replies import ACTIVATION_ID, CONCURRENCY_429, NGINX_HTML, OVERLOADED_503, RATE_429, encode, refusal

from owray.record.layout import NO_ID, NULL_8, Outcome
from owray.wire.web_outcome import read_trigger, read_web

ID = bytes.fromhex(ACTIVATION_ID)
RAN = {b"x-openwhisk-activation-id": ACTIVATION_ID.encode()}.get
NOTHING_RAN = {}.get

WEB = {
    "a page": (RAN, 200, b"<html>", Outcome.OK, None),
    "nothing to say": (RAN, 204, b"", Outcome.OK, None),
    "elsewhere": (RAN, 302, b"", Outcome.OK, None),
    "its own 202": (RAN, 202, b'{"queued":1}', Outcome.OK, None),
    "not ready": (RAN, 202, refusal("Response not yet ready."), Outcome.ACCEPTED, None),
    "a front that keeps the header": (NOTHING_RAN, 200, b"hi", Outcome.OK, None),
    "failed": (RAN, 400, refusal("There was an error processing your request."), Outcome.DEVELOPER_ERROR, "There was an error processing"),
    "unfit for .http": (RAN, 400, refusal("Response is not valid 'message/http'."), Outcome.APPLICATION_ERROR, "Response is not valid"),
    "its own 404": (RAN, 404, b'{"error":"no user 7"}', Outcome.APPLICATION_ERROR, "no user N"),
    "its own 429": (RAN, 429, b"slow down", Outcome.APPLICATION_ERROR, "slow down"),
    "its own 503": (RAN, 503, b"", Outcome.APPLICATION_ERROR, "status 503 without a body"),
    "no such action": (NOTHING_RAN, 404, refusal("The requested resource does not exist."), Outcome.REJECTED, "The requested resource"),
    "not for everybody": (NOTHING_RAN, 401, refusal("Authentication is required."), Outcome.REJECTED, "Authentication"),
    "too large": (NOTHING_RAN, 413, NGINX_HTML.format("413 Too Large").encode(), Outcome.REJECTED, "<html>"),
    "429, rate": (NOTHING_RAN, 429, refusal(RATE_429), Outcome.THROTTLED_RATE, "Too many requests in the last minute (count: N,"),
    "429, concurrency": (NOTHING_RAN, 429, refusal(CONCURRENCY_429), Outcome.THROTTLED_CONCURRENCY, "Too many concurrent"),
    "429, scheduler": (NOTHING_RAN, 429, refusal("Too many requests"), Outcome.THROTTLED, "Too many requests"),
    "an array": (NOTHING_RAN, 500, b"There was an internal server error.", Outcome.PLATFORM_ERROR, "There was an internal"),
    "no invoker": (NOTHING_RAN, 503, refusal(OVERLOADED_503), Outcome.UNAVAILABLE, OVERLOADED_503),
    "nginx": (NOTHING_RAN, 504, NGINX_HTML.format("504").encode(), Outcome.UNAVAILABLE, "<html>"),
    "a teapot": (NOTHING_RAN, 418, b"", Outcome.PROTOCOL_ERROR, "unexpected status 418"),
}

TRIGGER = {
    "fired": (202, {"activationId": ACTIVATION_ID}, Outcome.OK, None),
    "no rule": (204, b"", Outcome.WRONG, "no rule of the trigger is active: nothing ran"),
    "a 202 of something else": (202, b"", Outcome.PROTOCOL_ERROR, "a 202 without an activation id"),
    "no such trigger": (404, refusal("The requested resource does not exist."), Outcome.REJECTED, "The requested resource"),
    "429": (429, refusal(RATE_429), Outcome.THROTTLED_RATE, "Too many requests in the last minute"),
    "500": (500, refusal("Internal error."), Outcome.PLATFORM_ERROR, "Internal error."),
    "503": (503, refusal(OVERLOADED_503), Outcome.UNAVAILABLE, OVERLOADED_503),
    "200": (200, b"{}", Outcome.PROTOCOL_ERROR, "unexpected status 200"),
}


def as_bytes(body):
    return body if isinstance(body, bytes) else encode(body)


@pytest.mark.parametrize(("header", "status", "body", "outcome", "error"), WEB.values(), ids=WEB.keys())
def test_every_reply_of_a_web_action_has_its_name(header, status, body, outcome, error):
    found = read_web(status, as_bytes(body), header, None)
    assert (found.outcome, found.activation_id, found.checked) == (outcome, ID if header is RAN else NO_ID, NULL_8)
    assert found.error is None if error is None else found.error.startswith(error)


@pytest.mark.parametrize(("status", "body", "outcome", "error"), TRIGGER.values(), ids=TRIGGER.keys())
def test_every_reply_to_a_fired_trigger_has_its_name(status, body, outcome, error):
    found = read_trigger(status, as_bytes(body), NOTHING_RAN, None)
    assert (found.outcome, found.checked) == (outcome, NULL_8)
    assert found.activation_id == (ID if outcome == Outcome.OK else NO_ID)
    assert found.error is None if error is None else found.error.startswith(error)


@given(st.sampled_from([read_web, read_trigger]), st.integers(200, 999), st.binary(max_size=100), st.none() | st.binary(max_size=40))
def test_whatever_is_answered_can_be_read(reader, status, body, header):
    found = reader(status, body, lambda name: header, None)
    assert len(found.activation_id) == 16
    assert (found.error is None) == (found.outcome in (Outcome.OK, Outcome.ACCEPTED))
