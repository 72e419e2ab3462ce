"""Requests of all sorts: what clients send, with anything anywhere in it."""

import base64
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from support.api import Api, Reply
from support.raw_http import answer, connect, head

EXAMPLES = int(os.environ.get("OWRAY_FUZZ", "500"))
"""`make test` plays always the same ones; `make fuzz` many more, others each time."""

CODES = (
    "def main(args):\n    return args\n",
    "def main(args):\n    raise ValueError(args)\n",
    "def main(args):\n    return 7\n",
    "def main(args):\n    return [1]\n",
    "def main(args):\n    return {'statusCode': 302, 'headers': {'Location': '/'}, 'body': args.get('__ow_body')}\n",
    "import os\ndef main(args):\n    os._exit(1)\n",
    "def main(args):\n    while True: pass\n",
    "def main(args):\n    print('x' * 100_000)\n    return {'error': 1}\n",
    "this is no Python",
    "YWJj",
    "",
)
NAMES = ("a", "b", "c", "web", "default", "_", "guest", "0" * 32, "x" * 257)


@dataclass(frozen=True)
class Request:
    method: str
    path: bytes
    headers: Sequence[bytes]
    body: bytes
    chunked: bool = False
    authorised: bool = True


class Wire:
    """A connection for many requests, opened again where the platform closed it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._connection: socket.socket | None = None

    def ask(self, request: Request) -> Reply:
        """Raises TimeoutError where nothing comes back."""
        body, framing = request.body, b"Content-Length: %d" % len(request.body)
        if request.chunked:
            body, framing = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n", b"Transfer-Encoding: chunked"
        if self._connection is None:
            self._connection = connect(self.api)
        data = head(self.api, request.method, request.path, *request.headers, framing, auth=request.authorised) + body
        try:
            self._connection.sendall(data)
            reply = answer(self._connection, request.method)
        except (OSError, HTTPException):
            self.close()
            raise
        if reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


METHODS = ("GET", "GET", "PUT", "PUT", "PUT", "POST", "POST", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "FOO")
SENSIBLE = {"PUT": [("overwrite", "true")], "POST": [("blocking", "true"), ("timeout", "100")]}
"""Without which little would come of a method. Nobody waits longer for a call: a fuzz is not a test of patience."""

# --- values

texts = st.text(max_size=20) | st.sampled_from(["", " ", "\u00e9", "\U0001f600", "x" * 3000, "../..", "%00"])
numbers = st.integers() | st.floats(allow_nan=False) | st.sampled_from([0, -1, 100, 128, 2**31, 2**63, 2**64, 10**400])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def documents(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, and now and then anything in one's place."""
    return st.fixed_dictionaries({}, optional={name: _mostly(field) for name, field in fields.items()})


def _mostly(field: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda number: field if number else json_values)


pairs = st.lists(
    documents(
        key=texts | st.sampled_from(["web-export", "final", "raw-http", "require-whisk-auth"]), value=json_values, init=st.booleans()
    ),
    max_size=3,
)
components = st.lists(st.sampled_from(["/_/a", "/guest/b", "/_/c", "/x", "a"]), max_size=4)
actions = documents(
    exec=st.fixed_dictionaries(
        {"kind": st.sampled_from(["python:default", "python:default", "nodejs:default", "sequence", "blackbox", "cobol:1"])},
        optional={"code": st.sampled_from(CODES), "main": texts, "components": components, "binary": st.booleans(), "image": texts},
    ),
    parameters=pairs,
    annotations=st.one_of(pairs, st.just([{"key": "web-export", "value": True}])),
    limits=documents(timeout=numbers, memory=st.sampled_from([128, 256, 1]), logs=st.sampled_from([0, 1, 10]), concurrency=numbers),
    version=st.sampled_from(["0.0.1", "1", "9.9.9999999999", "x"]),
    publish=st.booleans(),
    delAnnotations=st.lists(texts, max_size=2),
)
sound_actions = st.fixed_dictionaries(
    {
        "exec": st.fixed_dictionaries({"kind": st.just("python:default"), "code": st.sampled_from(CODES)}),
        "annotations": st.just([{"key": "web-export", "value": True}]),
    },
    optional={
        "parameters": st.lists(st.fixed_dictionaries({"key": texts, "value": json_values}, optional={"init": st.booleans()}), max_size=2),
        "limits": st.fixed_dictionaries({"memory": st.sampled_from([128, 256])}, optional={"logs": st.integers(0, 10)}),
    },
)
SOUND = (
    (b"/api/v1/namespaces/_/packages/p", {"publish": True, "parameters": [{"key": "k", "value": 1}]}),
    (b"/api/v1/namespaces/_/packages/bound", {"binding": {"namespace": "_", "name": "p"}}),
    (b"/api/v1/namespaces/_/actions/c", {"exec": {"kind": "sequence", "components": ["/_/a", "/_/p/b", "/_/a"]}}),
    (b"/api/v1/namespaces/_/triggers/t", {"parameters": [{"key": "k", "value": 1}]}),
    (b"/api/v1/namespaces/_/rules/r", {"trigger": "/_/t", "action": "/_/a"}),
)
packages = documents(
    binding=documents(namespace=st.sampled_from(["_", "guest", "other"]), name=st.sampled_from(NAMES)),
    parameters=pairs,
    annotations=pairs,
    publish=st.booleans(),
)
rules = documents(
    trigger=st.sampled_from(["/_/a", "/_/b", "x"]),
    action=st.sampled_from(["/_/a", "/_/b", "/_/b/c"]),
    status=st.sampled_from(["active", "inactive"]),
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    sort = draw(st.sampled_from(["none", "document", "document", "document", "value", "bytes", "deep"]))
    if sort == "none":
        return b""
    if sort == "bytes":
        return draw(st.binary(max_size=200))
    if sort == "deep":
        depth = draw(st.integers(1, 3000))
        return b'{"a":' + b"[" * depth + b"]" * draw(st.sampled_from([depth, 0])) + b"}"
    value = draw(st.one_of(actions, packages, rules) if sort == "document" else json_values)
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


# --- the rest of a request

segments = st.one_of(
    st.sampled_from(NAMES).map(str.encode),
    st.sampled_from(NAMES).map(str.encode),
    texts.map(lambda text: quote(text, safe="").encode()),
    st.sampled_from([b"%ff", b"%2f", b"%00", b"\xc3\xa9", b"."]),
)
collections = st.sampled_from([b"actions", b"actions", b"packages", b"triggers", b"rules", b"activations", b"limits", b"nothing"])
extensions = st.sampled_from([b"", b".http", b".json", b".text", b".html", b".svg", b".png"])


def _below(parts: Sequence[bytes]) -> bytes:
    return b"/api/v1/namespaces/" + b"/".join(parts)


paths = st.one_of(
    st.sampled_from(
        [b"/", b"/ping", b"/api/v1", b"/api/v1/", b"/metrics", b"/invokers", b"/invokers/healthy/count", b"/invokers/ready", b"/activation"]
    ),
    st.sampled_from([b"/activation/count", b"/api/v1/namespaces", b"/api/v1/web", b"*", b"//", b"/api/v1/namespaces/_/"]),
    st.tuples(st.just(b"_"), collections).map(_below),
    st.tuples(st.just(b"_"), collections, segments).map(_below),
    st.tuples(st.just(b"_"), collections, segments).map(_below),
    st.tuples(segments, collections, segments, segments).map(_below),
    st.lists(segments, max_size=6).map(_below),
    st.tuples(st.just(b"guest"), st.just(b"default") | segments, segments, extensions, st.lists(segments, max_size=2)).map(
        lambda parts: b"/api/v1/web/" + b"/".join([parts[0], parts[1], parts[2] + parts[3], *parts[4]])
    ),
)
QUERIES = (
    "blocking",
    "result",
    "overwrite",
    "limit",
    "skip",
    "count",
    "docs",
    "name",
    "since",
    "upto",
    "code",
    "force",
    "timeout",
    "__ow_body",
    "x",
)
values = st.sampled_from(["true", "false", "1", "0", "30", "-1", "201", "9" * 5000, "x", "", "a/b", "\u0663"]) | texts
queries = st.lists(st.tuples(st.sampled_from(QUERIES), values), max_size=4)
header_lines = st.lists(
    st.sampled_from(
        [
            b"X-Request-ID: abc",
            b"X-Request-ID: \xff",
            b"Accept: text/html",
            b"Accept: ;;,q=0",
            b"X-OW-EXTRA-LOGGING: on",
            b"Expect: 100-continue",
            b"Cookie: \xff=\xfe",
            b"Origin: x",
            b"Access-Control-Request-Headers: X",
            b"X-Require-Whisk-Auth: \xe9",
        ]
    ),
    max_size=3,
    unique_by=lambda line: line.partition(b":")[0],
)
types = st.sampled_from(
    [b"application/json"] * 5 + [b"text/plain", b"application/x-www-form-urlencoded", b"application/octet-stream", b"; ;", b"\xff/\xff"]
)


@st.composite
def _anything(draw: st.DrawFn) -> Request:
    method = draw(st.sampled_from(METHODS))
    query = draw(queries)
    if draw(st.booleans()):
        query += SENSIBLE.get(method, [])
    lines = [*draw(header_lines), b"Content-Type: " + draw(types)]
    authorised = draw(st.integers(0, 9)) > 0
    if not authorised and draw(st.booleans()):
        lines.append(
            b"Authorization: " + draw(st.sampled_from([b"Basic", b"Basic \xff", b"Basic " + base64.b64encode(b"a:b"), b"Bearer x"]))
        )
    path = _asked(draw(paths), query)
    return Request(method, path, lines, draw(bodies()), chunked=draw(st.booleans()), authorised=authorised)


@st.composite
def _sensible(draw: st.DrawFn) -> Request:
    """What makes actions, and calls and reads and removes them: without it the others would mostly meet nothing."""
    name = draw(st.sampled_from([b"a", b"b", b"c", b"p/a", b"p/b", b"bound/a"]))
    headers = [*draw(header_lines), b"Content-Type: application/json"]
    document = draw(st.none() | st.dictionaries(texts, json_values, max_size=3))
    match draw(st.sampled_from(["put", "put", "compose", "call", "call", "call", "fire", "web", "web", "read", "delete"])):
        case "put":
            method, path, document = "PUT", b"/api/v1/namespaces/_/actions/" + name, draw(sound_actions)
        case "compose":
            method, (path, document) = "PUT", draw(st.sampled_from(SOUND))
        case "fire":
            method, path = "POST", b"/api/v1/namespaces/_/triggers/t"
        case "call":
            method, path = "POST", b"/api/v1/namespaces/_/actions/" + name
        case "web":
            method, path = (
                draw(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"])),
                _web(name) + draw(extensions),
            )
        case "read":
            method, path = "GET", b"/api/v1/namespaces/_/" + draw(collections)
        case _:
            method, path = "DELETE", b"/api/v1/namespaces/_/actions/" + name
    query = [] if path.startswith(b"/api/v1/web") else SENSIBLE.get(method, [])
    body = b"" if document is None else json.dumps(document).encode()
    return Request(method, _asked(path, query), headers, body, authorised=b"/web/" not in path or draw(st.booleans()))


def _web(name: bytes) -> bytes:
    return b"/api/v1/web/guest/" + (name if b"/" in name else b"default/" + name)


def _asked(path: bytes, query: Sequence[tuple[str, str]]) -> bytes:
    return path + b"?" + "&".join(f"{name}={quote(value)}" for name, value in query).encode() if query else path


requests = st.one_of(_sensible(), _sensible(), _anything())
