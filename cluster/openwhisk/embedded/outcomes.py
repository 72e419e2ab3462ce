"""What an activation came to, judged from what was heard from its container. Pure.

heard from                                      status  result.error                                  container
/run   200, object without `error`, or array    0       -                                             kept
/run   200, object with `error`                 1       that value, all other fields dropped          kept
/run   a reply longer than the limit            1       exceeded the allowed length                   kept
/run   200, anything else                       2       did not produce a valid JSON ... response     destroyed
/run   not 200, JSON object with `error`        2       that value                                    destroyed
/run   not 200, anything else                   2       did not produce a valid JSON ... response     destroyed
/run   took as long as the limit or longer      2       exceeded its time limits, answer or not       destroyed
/run   connection broke                         2       did not produce ... and exited unexpectedly   destroyed
/init  not 200                                  2       its `error`, or failed during initialization  destroyed
/init  not 200 and took as long as the limit    2       exceeded its time limits ... initialization   destroyed
/init  connection broke                         2       did not initialize and exited unexpectedly    destroyed
no container                                    3       failed to provision resources                 -
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from cluster.openwhisk.embedded.answers import encode
from owray.http1.client import Reply


class Ending(enum.Enum):
    """How a call to a container ended without a reply."""

    BROKEN = "the connection broke"
    OUT_OF_TIME = "the time limit passed"


Heard = Reply | Ending


class Status(enum.IntEnum):
    SUCCESS = 0
    APPLICATION_ERROR = 1
    DEVELOPER_ERROR = 2
    PLATFORM_ERROR = 3


STATUS_TEXTS: Final = ("success", "application error", "action developer error", "whisk internal error")
HTTP_STATUSES: Final = (200, 502, 502, 500)
"""What a blocking call is answered with, by `Status`."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """`result` is compact JSON, an object or an array; `size` counts the characters of the runtime's reply, None where there was none."""

    status: Status
    result: bytes
    size: int | None = None
    keeps_container: bool = False
    out_of_time: bool = False

    @property
    def is_array(self) -> bool:
        return self.result.startswith(b"[")


_result_shape = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw])


def after_init(heard: Heard, elapsed_ms: int, limit_ms: int) -> Outcome | None:
    """None where the container is ready to run."""
    if isinstance(heard, Reply) and heard.status == 200:
        return None
    if heard is Ending.OUT_OF_TIME or elapsed_ms >= limit_ms:
        return _failed(f"The action exceeded its time limits of {limit_ms} milliseconds during initialization.", out_of_time=True)
    if not isinstance(heard, Reply):
        return _failed("The action did not initialize and exited unexpectedly.")
    error = _error_in(heard.body)
    if error is None:
        return _failed(f"The action failed during initialization: {_text(heard.body)}", size=_characters(heard.body))
    return Outcome(Status.DEVELOPER_ERROR, error, _characters(heard.body))


def after_run(heard: Heard, elapsed_ms: int, limit_ms: int, result_bytes: int) -> Outcome:
    if heard is Ending.OUT_OF_TIME or elapsed_ms >= limit_ms:
        return _failed(f"The action exceeded its time limits of {limit_ms} milliseconds.", out_of_time=True)
    if not isinstance(heard, Reply):
        return _failed("The action did not produce a valid response and exited unexpectedly.")
    if len(heard.body) > result_bytes:
        return _too_long(heard.body, result_bytes)
    if heard.status == 200:
        return _judged(heard.body)
    error = _error_in(heard.body)
    if error is None:
        return _invalid(heard.body)
    return Outcome(Status.DEVELOPER_ERROR, error, _characters(heard.body))


def no_container() -> Outcome:
    return Outcome(Status.PLATFORM_ERROR, encode({"error": "Failed to provision resources to run the action."}))


def defect() -> Outcome:
    """The platform itself could not go on."""
    return Outcome(Status.PLATFORM_ERROR, encode({"error": "The platform failed to carry out the activation."}))


def _judged(body: bytes) -> Outcome:
    """The reply of a run that came in time and with 200."""
    try:
        compact = msgspec.json.format(body, indent=-1)
        result = None if _is_plain(compact) else _result_shape.decode(compact)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _invalid(body)
    if isinstance(result, dict) and "error" in result:
        return Outcome(Status.APPLICATION_ERROR, _error_only(result["error"]), _characters(body), keeps_container=True)
    return Outcome(Status.SUCCESS, compact, _characters(body), keeps_container=True)


def _is_plain(compact: bytes) -> bool:
    """Whether it is certain at a glance that this is an object or array without an `error`: then its fields need not be told apart."""
    return compact[:1] in b"{[" and b'"error"' not in compact and b"\\" not in compact and compact.isascii()


def _too_long(body: bytes, allowed: int) -> Outcome:
    text = (
        f"The action produced a response that exceeded the allowed length: {len(body)} > {allowed} bytes. "
        f"The truncated response was: {_text(body[:allowed])}"
    )
    return Outcome(Status.APPLICATION_ERROR, encode({"error": text}), len(body), keeps_container=True)


def _invalid(body: bytes) -> Outcome:
    return _failed(f"The action did not produce a valid JSON or JSON Array response: {_text(body)}", size=_characters(body))


def _failed(text: str, *, size: int | None = None, out_of_time: bool = False) -> Outcome:
    return Outcome(Status.DEVELOPER_ERROR, encode({"error": text}), size, out_of_time=out_of_time)


def _error_in(body: bytes) -> bytes | None:
    """`{"error": value}` of a reply that has one."""
    try:
        result = _result_shape.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _error_only(result["error"]) if isinstance(result, dict) and "error" in result else None


def _error_only(value: msgspec.Raw) -> bytes:
    return b'{"error":' + msgspec.json.format(bytes(value), indent=-1) + b"}"


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace").rstrip("\n")


def _characters(body: bytes) -> int:
    return len(body) if body.isascii() else len(body.decode("utf-8", "replace"))
