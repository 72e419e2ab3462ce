"""Requests made before the storm, so that a call costs one splice: its id.

Every call carries `X-Request-ID: <run>-<seq>`, which OpenWhisk takes over as its transaction id: a server's log can be a witness to
what the rows say.

    action      POST, `blocking=true` without `result=true`, so that the reply is the whole activation record, with the server's own times
                in it and no database read
    web action  POST with the parameters as JSON, or GET with them in the query; no credentials, as anybody calls it
    trigger     POST: it is fired
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from owray.http1.basic_auth import authorization, hiding
from owray.http1.request import render
from owray.plan.mix import Entry, Kind
from owray.record.run import request_id
from owray.wire.checks import checking
from owray.wire.outcome import Header, Read, Reading, read
from owray.wire.web_outcome import read_trigger, read_web

_ANY_SEQ = 0  # one digit, which is cut out again
_READERS: Mapping[Kind, Read] = {"action": read, "web": read_web, "trigger": read_trigger}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The request of one variant of one entry, cut where the seq belongs, the checksum of a right answer, and who reads the answer.
    The key is in it, so no repr shows it."""

    before_seq: bytes = field(repr=False)
    after_seq: bytes = field(repr=False)
    expected: str | None
    read: Read

    def of(self, seq: int) -> bytes:
        return b"%b%d%b" % (self.before_seq, seq, self.after_seq)


def prepare(entries: Sequence[Entry], *, host: str, auth: str, namespace: str, run: str) -> list[list[Prepared]]:
    """The requests of a storm, by index of entry and of variant. `auth` is the platform's "uuid:key", `host` the Host header.

    Raises CheckError.
    """
    name_and_id = f"X-Request-ID: {request_id(run, _ANY_SEQ)}".encode()
    prepared = []
    for entry in entries:
        reader, headers = reader_of(entry), {"Host": host}
        if entry.kind != "web":
            reader, headers = _discreet(reader, auth), {**headers, "Authorization": authorization(auth)}
        variants = []
        for variant in entry.variants:
            path, more_headers, body = _of_parameters(entry, _path(entry, namespace), variant.parameters)
            last = {"User-Agent": "owray", "X-Request-ID": request_id(run, _ANY_SEQ)}
            request = render(entry.method, path, {**headers, **more_headers, **last}, body)
            cut = request.index(name_and_id) + len(name_and_id) - 1
            variants.append(Prepared(request[:cut], request[cut + 1 :], variant.expected, reader))
        prepared.append(variants)
    return prepared


def reader_of(entry: Entry) -> Read:
    """Who reads the answers to calls of this entry, and checks them. Raises CheckError."""
    reader = _READERS[entry.kind]
    return reader if entry.check is None else checking(reader, entry.check)


def _discreet(read: Read, auth: str) -> Read:
    """Reads as `read` does; a key that the answer has quoted gets into no row."""
    hide = hiding(auth)

    def read_and_hide(status: int, body: bytes, header: Header, expected: str | None) -> Reading:
        reading = read(status, body, header, expected)
        if reading.error is None:
            return reading
        text = body.decode(errors="surrogateescape")
        hidden = hide(text)
        return reading if hidden == text else read(status, hidden.encode(errors="surrogateescape"), header, expected)

    return read_and_hide


def _path(entry: Entry, namespace: str) -> str:
    if entry.kind == "web":
        return entry.path
    place = f"/api/v1/namespaces/{quote(entry.namespace or namespace, safe='')}"
    if entry.kind == "trigger":
        return f"{place}/triggers/{quote(entry.path)}"
    return f"{place}/actions/{quote(entry.path)}?blocking=true"


def _of_parameters(entry: Entry, path: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, str], bytes]:
    """The path, the headers and the body that carry the parameters."""
    if entry.method == "POST":
        return path, {"Content-Type": "application/json"}, _as_json(dict(parameters)).encode()
    query = urlencode({key: value if isinstance(value, str) else _as_json(value) for key, value in parameters.items()}, quote_via=quote)
    return (f"{path}{'&' if '?' in path else '?'}{query}" if query else path), {}, b""


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
