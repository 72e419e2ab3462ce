"""Replies that are no activation records: those of web actions and of triggers.

A web action chooses its status itself, so a status alone does not tell whether the platform or the function speaks. Whether there was
an activation does, and `x-openwhisk-activation-id` says so:

    with an activation
    202   "Response not yet ready."                accepted: it ran on when the platform stopped waiting
    400   "There was an error processing ..."      developer_error: it failed, or could not be run; the platform does not say which
    2xx, 3xx                                       ok, or wrong where the check says so
    4xx, 5xx otherwise                             application_error: the function's own status, or a result unfit for the extension

    without
    429   by prefix of the text                    throttled_rate, throttled_concurrency, throttled (the limits are the owner's)
    400 401 403 404 409 413 415                    rejected: no such web action, not for everybody, too large
    500                                            platform_error
    502 503 504                                    unavailable
    2xx, 3xx                                       as with one: a front may keep the header to itself
    others                                         protocol_error

A trigger that is fired answers at once, and for itself only. What becomes of its rules' actions is in their own activations.

    202   with an activation id                    ok
    204   no rule of it is active                  wrong: well answered, but nothing ran, and that is quicker than firing
    others                                         as an action's replies are read; what is no refusal is a protocol_error
"""

from __future__ import annotations

from owray.record.layout import NO_ID, Outcome
from owray.wire.outcome import REJECTIONS, Header, Reading, error_template, error_text, header_id, read, throttled

_NOT_READY = "Response not yet ready"
_FAILED = "There was an error processing your request"
_REFUSALS = REJECTIONS | {429, 500, 502, 503, 504}


def read_web(status: int, body: bytes, header: Header, expected: str | None) -> Reading:
    """Read the reply of a web action. The checksum does not count: what the body is, is up to the extension."""
    activation_id = header_id(header)
    if 200 <= status < 400:
        pending = status == 202 and error_text(body).startswith(_NOT_READY)
        return Reading(Outcome.ACCEPTED if pending else Outcome.OK, activation_id=activation_id)
    text = error_text(body)
    if status == 400 and text.startswith(_FAILED):
        return Reading(Outcome.DEVELOPER_ERROR, error_template(text), activation_id)
    if activation_id != NO_ID and 400 <= status < 600:
        return Reading(Outcome.APPLICATION_ERROR, error_template(text) or f"status {status} without a body", activation_id)
    return _refused(status, body, text)


def _refused(status: int, body: bytes, text: str) -> Reading:
    if status == 429:
        return throttled(body)
    if status in REJECTIONS:
        return Reading(Outcome.REJECTED, error_template(text))
    if status == 500:
        return Reading(Outcome.PLATFORM_ERROR, error_template(text))
    if status in {502, 503, 504}:
        return Reading(Outcome.UNAVAILABLE, error_template(text))
    return Reading(Outcome.PROTOCOL_ERROR, f"unexpected status {status}")


def read_trigger(status: int, body: bytes, header: Header, expected: str | None) -> Reading:
    """Read the reply to a trigger that was fired."""
    if status in _REFUSALS:
        return read(status, body, header, expected)
    if status == 204:
        return Reading(Outcome.WRONG, "no rule of the trigger is active: nothing ran")
    if status == 202:
        fired = read(status, body, header, expected)
        if fired.activation_id != NO_ID:
            return fired._replace(outcome=Outcome.OK)
        return Reading(Outcome.PROTOCOL_ERROR, "a 202 without an activation id")
    return Reading(Outcome.PROTOCOL_ERROR, f"unexpected status {status}")
