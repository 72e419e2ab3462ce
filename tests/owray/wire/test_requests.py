"""Requests of a storm: each call's own id in it, and otherwise the same bytes."""

import base64
import json

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.plan.mix import Entry, Variant
from owray.wire.requests import prepare


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


def prepared(entry, run="20260101-120000-ab12"):
    return prepare([entry], host="127.0.0.1:3233", auth="uuid:key", namespace="_", run=run)[0]


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
