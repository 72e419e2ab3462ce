"""Requests as bytes: whole, and never more than one."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.http1.request import render

tokens = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


class Parsed:
    def __init__(self, request):
        self.url, self.headers, self.body, self.messages = b"", [], b"", 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(request)

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.messages += 1


@given(st.dictionaries(tokens.map(lambda name: f"X-{name}"), values, max_size=5), st.binary(max_size=200))
def test_a_parser_finds_exactly_what_was_rendered(headers, body):
    parsed = Parsed(render("POST", "/a/b?c=d", headers, body))
    assert (parsed.url, parsed.body, parsed.messages) == (b"/a/b?c=d", body, 1)
    assert parsed.headers == [*headers.items(), ("Content-Length", str(len(body)))]


def test_a_request_without_a_body_says_so():
    assert render("GET", "/", {"Host": "here"}) == b"GET / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", {}),
        ("/\r\nX-Injected: 1", {}),
        ("/", {"X-Name": "value\r\nX-Injected: 1"}),
        ("/", {"X-Name\nX-Injected": "1"}),
    ],
)
def test_what_would_break_out_of_its_line_is_refused(path, headers):
    with pytest.raises(ValueError, match="a line break or a space where HTTP allows none"):
        render("GET", path, headers)


def test_a_header_that_http_cannot_carry_is_refused():
    with pytest.raises(ValueError, match="latin-1"):
        render("GET", "/", {"X-Name": "\N{SNOWMAN}"})
