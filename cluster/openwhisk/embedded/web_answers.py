"""What a web action's result becomes for the client, by the extension that the client asked for. Pure.

extension   takes of the result                      and answers
.http       statusCode, headers, body                as they say; 204 where there is no body and no status
.json       all of it, an object or an array         200, application/json, indented
.text       body, else text; any JSON value          200, text/plain
.html       body, else html; a string                200, text/html
.svg        body, else svg; a string                 200, image/svg+xml

Of an application error the value of `error` is taken as the result. What cannot be answered that way is a 400 that says so. The action
chooses headers and status freely, but not what would make another response of it, or another message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from cluster.openwhisk.embedded.actions import is_binary
from cluster.openwhisk.embedded.answers import JSON, TEXT, Answer, Headers, encode, refusal

UNKNOWN_TYPE: Final = "Response did not specify a known content-type."
OTHER_TYPE: Final = "Response type in header did not match generated content type."
NO_PROPERTY: Final = "Response does not include requested property."

HTML: Final = "text/html; charset=UTF-8"
SVG: Final = "image/svg+xml"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for what a header's name is made of
_NAME = re.compile(_TOKEN)
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})\s*(;.*)?")
_TEXTUAL = frozenset(("application/javascript", "application/xml", "application/x-www-form-urlencoded"))
_OF_THE_FRONT = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade", "x-request-id"))
"""Headers that say how the message is sent: an action's are dropped, as the framework drops them."""

_STATUSES = frozenset(status.value for status in HTTPStatus if status >= HTTPStatus.OK)
_BODILESS = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED))

Fields = Mapping[str, msgspec.Raw]


def pretty(value: bytes) -> bytes:
    """JSON as web actions answer it."""
    return msgspec.json.format(value, indent=2)


def is_json(media: str) -> bool:
    return media == JSON or media.endswith("+json")


def is_textual(media: str) -> bool:
    """Whether a body of this type goes as it is. All else travels in base64, both ways."""
    return media.startswith("text/") or media in _TEXTUAL or is_json(media) or (media.endswith("+xml") and media != SVG)


def _as_http(result: bytes) -> Answer:
    fields = _fields(result)
    if fields is None:
        raise _invalid("message/http")
    status = _status(fields.get("statusCode"))
    headers = tuple(_headers(fields.get("headers")))
    body = bytes(fields["body"]) if "body" in fields else b"null"
    if body in (b"null", b'""') or status in _BODILESS:
        return _untyped(status or HTTPStatus.NO_CONTENT, b"", headers)
    named = next((value for name, value in headers if name.lower() == "content-type"), None)
    if body.startswith(b'"'):
        content_type, data = _string_body(msgspec.json.decode(body, type=str), named or "text/html")
    else:
        content_type, data = _json_body(body, named or JSON)
    return _untyped(status or HTTPStatus.OK, data, (("Content-Type", content_type), *headers))


def _as_json(result: bytes) -> Answer:
    if result[:1] not in (b"{", b"["):
        raise _invalid(JSON)
    return Answer(200, pretty(result), cors=False)


def _as_text(result: bytes) -> Answer:
    value = _body_or(result, "text")
    if value is None:
        raise refusal(404, NO_PROPERTY)
    return Answer(200, msgspec.json.decode(value, type=str).encode() if value.startswith(b'"') else pretty(value), TEXT, cors=False)


def _as_html(result: bytes) -> Answer:
    return _string_only(result, "html", HTML)


def _as_svg(result: bytes) -> Answer:
    return _string_only(result, "svg", SVG)


EXTENSIONS: Final[Mapping[str, Callable[[bytes], Answer]]] = {
    ".http": _as_http,
    ".json": _as_json,
    ".text": _as_text,
    ".html": _as_html,
    ".svg": _as_svg,
}
"""From a result, as compact JSON, to its answer. Each raises the 400 or 404 of a result that cannot be answered so."""


def _fields(result: bytes) -> Fields | None:
    return msgspec.json.decode(result, type=dict[str, msgspec.Raw]) if result.startswith(b"{") else None


def _body_or(result: bytes, name: str) -> bytes | None:
    """What is to be shown of a result; one that is no object is shown itself."""
    fields = _fields(result)
    if fields is None:
        return result
    shown = fields.get("body", fields.get(name))
    return None if shown is None else bytes(shown)


def _string_only(result: bytes, name: str, content_type: str) -> Answer:
    value = _body_or(result, name)
    if value is None or not value.startswith(b'"'):
        raise _invalid(content_type.partition(";")[0])
    return Answer(200, msgspec.json.decode(value, type=str).encode(), content_type, cors=False)


def _status(field: msgspec.Raw | None) -> int | None:
    """A whole number, or the digits of one, that HTTP knows as the status of a response."""
    if field is None:
        return None
    value = msgspec.json.decode(field)
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number not in _STATUSES:
        raise _invalid("message/http")
    return int(number)


def _headers(field: msgspec.Raw | None) -> Iterator[tuple[str, str]]:
    if field is None:
        return
    fields = msgspec.json.decode(field)
    if not isinstance(fields, dict):
        raise _invalid("message/http")
    for name, value in fields.items():
        for text in _header_texts(value):
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
                raise _invalid("message/http")
            if name.lower() not in _OF_THE_FRONT:
                yield name, text


def _header_texts(value: Any) -> list[str]:
    """One header each: an array stands for the same header several times."""
    if isinstance(value, list):
        return [text for item in value for text in _header_texts(item)]
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool | int | float):
        return [encode(value).decode()]
    raise _invalid("message/http")


def _string_body(text: str, content_type: str) -> tuple[str, bytes]:
    """Content type and bytes of a string. JSON may come in base64 too: it once had to."""
    media, parameters = _media_type(content_type)
    if is_textual(media) and not (is_json(media) and is_binary(text)):
        return _with_charset(media, parameters), text.encode()
    try:
        return f"{media}{parameters}", base64.b64decode(text, validate=True)
    except ValueError:
        raise refusal(400, OTHER_TYPE) from None


def _json_body(body: bytes, content_type: str) -> tuple[str, bytes]:
    media, _ = _media_type(content_type)
    if not is_json(media):
        raise refusal(400, OTHER_TYPE)
    return media, pretty(body)


def _media_type(text: str) -> tuple[str, str]:
    """A type in lower case, and its parameters with the semicolon before them."""
    found = _MEDIA_TYPE.fullmatch(text.strip())
    if found is None:
        raise refusal(400, UNKNOWN_TYPE)
    return found[1].lower(), found[2] or ""


def _with_charset(media: str, parameters: str) -> str:
    """Text always goes as UTF-8; what the action called it does not make it anything else."""
    if is_json(media):
        return media
    others = "".join(f";{each}" for each in parameters.split(";") if each.strip() and not each.strip().lower().startswith("charset="))
    return f"{media}{others}; charset=UTF-8"


def _untyped(status: int, body: bytes, headers: Headers) -> Answer:
    """The content type goes with the action's other headers: it may be any, and is not worth remembering. Without a body there is none."""
    typed = [header for header in headers if header[0].lower() != "content-type"]
    if body:
        typed.insert(0, headers[0])
    return Answer(status, body, content_type="", cors=False, headers=tuple(typed))


def _invalid(media: str) -> Exception:
    return refusal(400, f"Response is not valid '{media}'.")
