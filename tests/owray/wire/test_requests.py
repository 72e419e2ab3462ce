"""Requests of a storm: each call's own id in it, and otherwise the same bytes."""

import base64
import json

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.mix import Check, Entry, Variant
from owray.record.layout import NULL_8
from owray.wire.outcome import read
from owray.wire.requests import prepare
from owray.wire.web_outcome import read_trigger, read_web


class Parsed:
    def __init__(self, request):
        self.url, self.headers, self.body, self.whole = b"", {}, b"", 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(request)
        self.method = parser.get_method()

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.whole += 1


def prepared(entry, run="20260101-120000-ab12", auth="uuid:key"):
    return prepare([entry], host="127.0.0.1:3233", auth=auth, namespace="_", run=run)[0]


def nothing(name):
    """A reply without headers."""


@given(st.integers(0, 2**62))
def test_a_request_is_a_whole_blocking_invocation_with_the_id_of_its_call(seq):
    request = prepared(Entry("genomics", "align", "small", "align", variants=(Variant({"seed": 7}, "c0ffee"),)))[0]
    parsed = Parsed(request.of(seq))
    assert (parsed.method, parsed.url, parsed.whole) == (b"POST", b"/api/v1/namespaces/_/actions/align?blocking=true", 1)
    assert parsed.headers == {
        "host": "127.0.0.1:3233",
        "authorization": "Basic " + base64.b64encode(b"uuid:key").decode(),
        "content-type": "application/json",
        "content-length": "10",
        "user-agent": "owray",
        "x-request-id": f"20260101-120000-ab12-{seq}",
    }
    assert parsed.body == b'{"seed":7}'
    assert request.expected == "c0ffee"


def test_every_variant_has_its_own_request():
    requests = prepared(Entry("g", "align", "s", "align", variants=tuple(Variant({"seed": seed}, str(seed)) for seed in range(3))))
    assert [json.loads(Parsed(request.of(0)).body) for request in requests] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]


def test_the_result_alone_is_never_asked_for():
    assert b"result=" not in prepared(Entry("g", "align", "s", "align"))[0].of(0)


@pytest.mark.parametrize(
    ("path", "url"),
    [("package/align", b"package/align"), ("my action", b"my%20action"), ("caf\xe9", b"caf%C3%A9"), ("a?b", b"a%3Fb")],
)
def test_names_are_quoted(path, url):
    assert Parsed(prepared(Entry("g", "x", "s", path))[0].of(3)).url == b"/api/v1/namespaces/_/actions/" + url + b"?blocking=true"


def test_an_action_named_like_a_request_id_does_not_lose_its_name():
    parsed = Parsed(prepared(Entry("g", "run-0", "s", "run-0", variants=(Variant({"text": "run-0"}),)), run="run")[0].of(12))
    assert parsed.url == b"/api/v1/namespaces/_/actions/run-0?blocking=true"
    assert (parsed.headers["x-request-id"], parsed.body) == ("run-12", b'{"text":"run-0"}')


def test_an_action_of_another_namespace_is_called_there():
    parsed = Parsed(prepared(Entry("own", "/their/p/x", "", "p/x", namespace="their"))[0].of(3))
    assert parsed.url == b"/api/v1/namespaces/their/actions/p/x?blocking=true"


def test_a_trigger_is_fired_with_its_parameters():
    request = prepared(Entry("own", "/_/tick", "", "tick", kind="trigger", variants=(Variant({"a": 1}),)))[0]
    parsed = Parsed(request.of(7))
    assert (parsed.method, parsed.url, parsed.body) == (b"POST", b"/api/v1/namespaces/_/triggers/tick", b'{"a":1}')
    assert "authorization" in parsed.headers
    assert request.read(204, b"", nothing, None) == read_trigger(204, b"", nothing, None) != read(204, b"", nothing, None)


WEB = "/api/v1/web/guest/default/page.html?lang=en"


def test_a_web_action_is_called_as_anybody_calls_it():
    request = prepared(Entry("own", "/guest/page", "", WEB, kind="web", variants=(Variant({"a": "b c"}),)))[0]
    parsed = Parsed(request.of(7))
    assert (parsed.method, parsed.url, parsed.body) == (b"POST", WEB.encode(), b'{"a":"b c"}')
    assert parsed.headers["content-type"] == "application/json"
    assert "authorization" not in parsed.headers
    assert parsed.headers["x-request-id"].endswith("-7")
    assert request.read is read_web


@pytest.mark.parametrize(
    ("path", "parameters", "url"),
    [
        (WEB, {}, WEB),
        (WEB, {"a": "b c&d", "n": [1, 2]}, WEB + "&a=b%20c%26d&n=%5B1%2C2%5D"),
        ("/api/v1/web/guest/default/page", {"\u00e4": True}, "/api/v1/web/guest/default/page?%C3%A4=true"),
    ],
)
def test_parameters_of_a_get_are_in_its_query(path, parameters, url):
    entry = Entry("own", "/guest/page", "", path, kind="web", method="GET", variants=(Variant(parameters),))
    parsed = Parsed(prepared(entry)[0].of(7))
    assert (parsed.method, parsed.url.decode(), parsed.body) == (b"GET", url, b"")
    assert "content-type" not in parsed.headers


def test_a_check_is_compiled_once_for_all_variants_and_is_not_made_of_other_actions():
    variants = tuple(Variant({"n": number}) for number in range(3))
    checked = prepared(Entry("own", "/_/x", "", "x", variants=variants, check=Check(expect="{}")))
    assert len({request.read for request in checked}) == 1
    unchecked = prepared(Entry("own", "/_/x", "", "x"))[0]
    assert [request.read(200, b"{}", nothing, None).checked for request in (checked[0], unchecked)] == [True, NULL_8]


SECRET = "1k" * 32


@pytest.mark.parametrize("quoted", [f"uuid:{SECRET}", SECRET, "Basic " + base64.b64encode(f"uuid:{SECRET}".encode()).decode()])
@pytest.mark.parametrize("kind", ["action", "trigger"])
def test_a_key_that_an_answer_quotes_gets_into_no_row(kind, quoted):
    (request,) = prepared(Entry("own", "/_/x", "", "x", kind=kind), auth=f"uuid:{SECRET}")
    body = json.dumps({"error": f"what shall I do with {quoted}? 12 times", "code": "\xff"}).encode()
    assert request.read(401, body, nothing, None).error.removesuffix("(the key)? N times") in (
        "what shall I do with ",
        "what shall I do with Basic ",
    )
    plain = b"<h1>\xff " + quoted.encode()
    assert request.read(503, plain, nothing, None).error.endswith("(the key)")


def test_a_request_shows_nobody_its_key():
    (request,) = prepared(Entry("own", "/_/x", "", "x"), auth=f"uuid:{SECRET}")
    assert b"Authorization: Basic" in request.of(1)
    assert "Authorization" not in repr(request)
