"""A reply of OpenWhisk, read: what became of the call, and what the platform and the function say about it.

Other tools see a status code. OpenWhisk says more: a 502 is mostly the function's own error, a 202 on a blocking call is "not finished
within the wait", and a 429 has three causes with three texts. The table is OpenWhisk's controller seen from outside:

    200   record, success                          ok, or wrong where the checksum is not the expected one
    200   anything else                            the same: an array comes bare; the id is in a header
    202                                            accepted: it runs, or will; the record tells later
    502   record, application error                application_error
    502   record, action developer error           developer_error, but throttled where the FPC scheduler dropped it unrun
    500   record (whisk internal error), or none   platform_error
    502   JSON without a record                    platform_error
    502, 503, 504 otherwise                        unavailable: proxy, overload, or the controller's own 65 s
    429   by prefix of the text                    throttled_rate, throttled_concurrency, throttled
    400 401 403 404 409 413 415                    rejected
    others, or a body that is no JSON              protocol_error

Errors are kept as templates, their numbers replaced by N: a 429 has a count in it, and a million counts are not a million errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec

from owray.record.layout import NO_ID, NULL_8, NULL_32, NULL_64, Outcome

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises of a body that is no JSON, not the JSON looked for, or nested beyond Python's recursion limit."""

_CONTAINER_LENGTH = 16

_Int32 = Annotated[int, msgspec.Meta(gt=NULL_32, lt=1 << 31)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]

Header = Callable[[bytes], bytes | None]
"""Finds a header of a reply by lower-case name."""

_NUMBER = re.compile(r"\d+")
_ERROR_LENGTH = 200
REJECTIONS = frozenset({400, 401, 403, 404, 409, 413, 415})
_RATE_PREFIX = "Too many requests in the last minute"
_CONCURRENCY_PREFIX = "Too many concurrent requests in flight"


class _Response(msgspec.Struct):
    status: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Annotation(msgspec.Struct):
    key: str
    value: msgspec.Raw


class _Record(msgspec.Struct, rename={"activation_id": "activationId"}):
    activation_id: str
    response: _Response
    start: _Milliseconds | None = None
    duration: _Int32 | None = None
    annotations: list[_Annotation] = []


class _Accepted(msgspec.Struct, rename={"activation_id": "activationId"}):
    activation_id: str


class _Refusal(msgspec.Struct):
    error: Any = None


class _Times(msgspec.Struct):
    gen: _Int32 | None = None
    compute: _Int32 | None = None
    io: _Int32 | None = None


class _Report(msgspec.Struct):
    """What a self-checking function says of itself; other functions say none of it."""

    checksum: str | None = None
    ok: bool = True
    c: str | None = None
    """The container's fingerprint: 16 hex characters. A `c` of another length is some function's own business."""
    k: _Int32 | None = None
    t: _Times | None = None


_NO_TIMES = _Times()

_decode_record = msgspec.json.Decoder(_Record).decode
_decode_accepted = msgspec.json.Decoder(_Accepted).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode
_decode_report = msgspec.json.Decoder(_Report).decode


class Reading(NamedTuple):
    """What a row takes from a reply; nulls as in packed rows, texts still as texts."""

    outcome: Outcome
    error: str | None = None
    activation_id: bytes = NO_ID
    ow_start_ms: int = NULL_64
    wait_ms: int = NULL_32
    init_ms: int = NULL_32
    duration_ms: int = NULL_32
    container: str | None = None
    container_calls: int = NULL_32
    gen_us: int = NULL_32
    compute_us: int = NULL_32
    io_us: int = NULL_32
    checked: int = NULL_8


Read = Callable[[int, bytes, Header, str | None], Reading]
"""Reads a reply: of an action (`read`), a web action, a trigger, or one of these and checks the result."""


def read(status: int, body: bytes, header: Header, expected: str | None) -> Reading:
    """Read one reply. `expected` is a right answer's checksum, None if not known."""
    if status in {200, 500, 502}:
        try:
            record = _decode_record(body)
        except UNREADABLE:  # also where it is JSON, but no record
            return _without_record(status, body, header_id(header), expected)
        return _of_record(record, expected)
    if status == 202:
        return _accepted(body, header)
    if status == 429:
        return throttled(body)
    if status in REJECTIONS:
        return Reading(Outcome.REJECTED, error_template(error_text(body)))
    if status in {503, 504}:
        return Reading(Outcome.UNAVAILABLE, error_template(error_text(body)))
    return Reading(Outcome.PROTOCOL_ERROR, f"unexpected status {status}")


def error_template(text: str) -> str:
    """An error without its numbers, on one line, cut at 200 characters."""
    return " ".join(_NUMBER.sub("N", text[: 2 * _ERROR_LENGTH]).split())[:_ERROR_LENGTH]


def _of_record(record: _Record, expected: str | None) -> Reading:
    wait = init = NULL_32
    for annotation in record.annotations:
        if annotation.key == "waitTime":
            wait = _integer(annotation.value)
        elif annotation.key == "initTime":
            init = _integer(annotation.value)
    response = record.response
    start = NULL_64 if record.start is None else record.start
    duration = _or_null(record.duration)
    activation_id = _id(record.activation_id)
    if response.status != "success":
        outcome, error = _failure(response)
        return Reading(outcome, error, activation_id, start, wait, init, duration)
    return _of_report(_report(response.result), expected, activation_id, start, wait, init, duration)


def _report(result: bytes | msgspec.Raw) -> _Report:
    try:
        return _decode_report(result)
    except UNREADABLE:
        return _Report()


def _of_report(
    report: _Report,
    expected: str | None,
    activation_id: bytes,
    start: int = NULL_64,
    wait: int = NULL_32,
    init: int = NULL_32,
    duration: int = NULL_32,
) -> Reading:
    right = expected is None or (report.ok and report.checksum == expected)
    times = report.t or _NO_TIMES
    return Reading(
        Outcome.OK if right else Outcome.WRONG,
        None if right else _what_is_wrong(report),
        activation_id,
        start,
        wait,
        init,
        duration,
        report.c if report.c is not None and len(report.c) == _CONTAINER_LENGTH else None,
        _or_null(report.k),
        _or_null(times.gen),
        _or_null(times.compute),
        _or_null(times.io),
        NULL_8 if expected is None else right,
    )


def _or_null(value: int | None) -> int:
    return NULL_32 if value is None else value


def _what_is_wrong(report: _Report) -> str:
    if not report.ok:
        return "the function's own check failed"
    return "no checksum" if report.checksum is None else "the checksum differs from the expected one"


def result_of(body: bytes) -> bytes | msgspec.Raw:
    """The result within a reply that was ok: the record's, or the whole body where there is no record."""
    try:
        return _decode_record(body).response.result
    except UNREADABLE:
        return body


def _failure(response: _Response) -> tuple[Outcome, str]:
    text = error_text(bytes(response.result))
    template = error_template(text)
    if response.status == "application error":
        return Outcome.APPLICATION_ERROR, template
    if response.status == "action developer error":
        dropped = text.startswith(_CONCURRENCY_PREFIX)
        return (Outcome.THROTTLED if dropped else Outcome.DEVELOPER_ERROR), template
    return Outcome.PLATFORM_ERROR, template


def _without_record(status: int, body: bytes, activation_id: bytes, expected: str | None) -> Reading:
    if status == 200:
        if body[:1] in {b"[", b"{"}:
            if expected is None:
                return Reading(Outcome.OK, activation_id=activation_id)
            return _of_report(_report(body), expected, activation_id)
        return Reading(Outcome.PROTOCOL_ERROR, "a 200 whose body is neither object nor array", activation_id)
    is_json = body[:1] == b"{"
    outcome = Outcome.PLATFORM_ERROR if status == 500 or is_json else Outcome.UNAVAILABLE
    return Reading(outcome, error_template(error_text(body)), activation_id)


def _accepted(body: bytes, header: Header) -> Reading:
    try:
        return Reading(Outcome.ACCEPTED, activation_id=_id(_decode_accepted(body).activation_id))
    except UNREADABLE:
        return Reading(Outcome.ACCEPTED, activation_id=header_id(header))


def throttled(body: bytes) -> Reading:
    """A 429, by its text."""
    text = error_text(body)
    if text.startswith(_RATE_PREFIX):
        outcome = Outcome.THROTTLED_RATE
    elif text.startswith(_CONCURRENCY_PREFIX):
        outcome = Outcome.THROTTLED_CONCURRENCY
    else:
        outcome = Outcome.THROTTLED
    return Reading(outcome, error_template(text))


def error_text(body: bytes) -> str:
    """The `error` of a JSON body, whatever its type; else the body itself."""
    try:
        error = _decode_refusal(body).error
    except UNREADABLE:
        return body[: 2 * _ERROR_LENGTH].decode("utf-8", "replace")
    return error if isinstance(error, str) else msgspec.json.encode(error).decode()


def header_id(header: Header) -> bytes:
    """The activation id that stands in a reply's header."""
    value = header(b"x-openwhisk-activation-id")
    return NO_ID if value is None else _id(value.decode("latin-1"))


def _id(text: str) -> bytes:
    """Sixteen bytes of an activation id's 32 hex characters; none where it is not one."""
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return NO_ID
    return packed if len(packed) == len(NO_ID) else NO_ID


def _integer(raw: msgspec.Raw) -> int:
    try:
        value = int(bytes(raw))
    except ValueError:
        return NULL_32
    return value if NULL_32 < value < 1 << 31 else NULL_32
