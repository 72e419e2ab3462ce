"""What goes back to a client: answers, and the two ways to say no.

A *refusal* is completed by a route of the API (403, 404, 409, 413, 429, 502 ...) and carries the CORS headers; a *rejection* comes from
the framework before a route could complete (401, 400 of parsing, 415, no such route) and does not. Both have the same body:
`{"error": text, "code": transaction id}`. The code is a string and not the HTTP status.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=UTF-8"

NOT_FOUND: Final = "The requested resource does not exist."
NO_ROUTE: Final = "The requested resource could not be found."
NOT_ALLOWED: Final = "Request defines parameters that are not allowed (e.g., reserved properties)."
SERVER_ERROR: Final = "There was an internal server error."
MALFORMED_BODY: Final = "The request content was malformed:\n"

Headers = tuple[tuple[str, str], ...]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A complete reply but for the headers that every reply has. An empty `content_type` is none: then `headers` may have one."""

    status: int
    body: bytes
    content_type: str = JSON
    cors: bool = True
    headers: Headers = ()


class Refused(Exception):
    """Raised anywhere below the front to end a request with an error."""

    def __init__(self, status: int, text: str, *, cors: bool, headers: Headers = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.cors = cors
        self.headers = headers

    def answer(self, transaction_id: str) -> Answer:
        body = encode({"error": readable(self.text), "code": transaction_id})
        return Answer(self.status, body, cors=self.cors, headers=self.headers)


_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return _encoder.encode(value)


def readable(text: str) -> str:
    """The text with a question mark for each byte that was no UTF-8: paths and headers may hold such, JSON may not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def refusal(status: int, text: str) -> Refused:
    return Refused(status, text, cors=True)


def rejection(status: int, text: str, headers: Headers = ()) -> Refused:
    return Refused(status, text, cors=False, headers=headers)


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, encode(value))


def text_answer(text: str, status: int = 200, *, cors: bool = False) -> Answer:
    return Answer(status, text.encode(), content_type=TEXT, cors=cors)
