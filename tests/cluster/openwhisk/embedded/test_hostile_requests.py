"""What no client should send, and what a client that stops in the middle must not cost anybody."""

import base64
import os
import signal
import time

import psutil
import pytest
from support.api import BASE, GATED, PATIENCE_S, eventually
from support.raw_http import answer, connect, head, raw

from cluster.openwhisk.embedded.answers import Refused
from cluster.openwhisk.embedded.auth import SPELLINGS_KEPT, Authentication
from cluster.openwhisk.embedded.config import PUBLIC_GUEST
from cluster.openwhisk.embedded.outcomes import Status, after_run
from cluster.openwhisk.embedded.queries import Page, instant_ms, wait_ms
from owray.http1.client import Reply

ECHO = "def main(args):\n    return args\n"
DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
JSON = {"Content-Type": "application/json"}
MALFORMED = "The request content was malformed:\n"


@pytest.fixture
def untroubled(api):
    """The platform's log is to hold no traceback afterwards."""
    log = api.platform.state_dir / "platform.log"
    before = log.read_text().count("Traceback")
    yield
    assert log.read_text().count("Traceback") == before


@pytest.mark.usefixtures("untroubled")
def test_json_that_is_nested_too_deeply_is_400(api, name):
    api.action(name, ECHO)
    for method, query in (("POST", "blocking=true"), ("PUT", "overwrite=true")):
        reply = api.request(method, f"{BASE}/actions/{name}", DEEP, JSON, query=query)
        assert reply.status == 400
        assert reply.error.startswith(MALFORMED)


@pytest.mark.usefixtures("untroubled")
def test_json_of_any_depth_can_be_stored_and_read_or_is_refused(api, name):
    """At the edge of what can be read lies what can be read but not written again."""
    for depth in range(940, 1000):
        body = b'{"exec":{"kind":"python:default","code":"x"},"parameters":[{"key":"k","value":%b%b}]}' % (b"[" * depth, b"]" * depth)
        put = api.request("PUT", f"{BASE}/actions/{name}", body, JSON, query="overwrite=true")
        assert put.status in (200, 400)
        if put.status == 200:
            assert api.request("GET", f"{BASE}/actions/{name}").status in (200, 400)
            assert api.request("POST", f"{BASE}/actions/{name}").status in (202, 400)


def test_a_reply_that_is_nested_too_deeply_is_none():
    outcome = after_run(Reply(200, DEEP), 1, 1000, 1_048_576)
    assert outcome.status is Status.DEVELOPER_ERROR
    assert b"did not produce a valid JSON" in outcome.result


@pytest.mark.usefixtures("untroubled")
def test_a_request_id_that_is_no_text_is_replaced(api, name):
    api.action(name, ECHO)
    missing = raw(api, head(api, "GET", f"{BASE}/actions/none", b"X-Request-ID: a\xff"))
    assert missing.status == 404
    assert missing.json["code"] == missing.headers["x-request-id"]
    assert len(missing.json["code"]) == 32
    called = raw(api, head(api, "POST", f"{BASE}/actions/{name}?blocking=true", b"X-Request-ID: a\xff", "Content-Length: 0"))
    assert called.status == 200
    kept = raw(api, head(api, "GET", f"{BASE}/actions/none", "X-Request-ID: \u00e9"))
    assert kept.json["code"] == "\u00e9"


@pytest.mark.usefixtures("untroubled")
@pytest.mark.parametrize(
    "request_head",
    [
        lambda api: head(api, "GET", b"/api/v1/namespaces/_/actions?limit=\xff"),
        lambda api: head(api, "GET", b"/api/v1/namespaces/\xff/actions"),
        lambda api: head(api, "GET", b"/api/v1/namespaces/_/actions?count=%FF%00"),
        lambda api: head(api, "GET", f"{BASE}/actions", b"Accept: \xff"),
        lambda api: head(api, "GET", f"{BASE}/actions", b"Authorization: Basic \xff\xff", auth=False),
        lambda api: head(api, "GET", f"{BASE}/actions", b"Authorization: Basic \xc3\xa9", auth=False),
        lambda api: b"GET /ping HTTP/1.1\r\nHost: \xff\r\n\r\n",
        lambda api: b"GET /ping HTTP/1.1\r\n\r\n",
        lambda api: b"what is this?\r\n\r\n",
        lambda api: head(api, "GET", "/" + "x" * 9000),
        lambda api: head(api, "GET", "/ping", "X: " + "x" * 9000),
        lambda api: head(api, "POST", f"{BASE}/actions/x", "Content-Length: -1"),
        lambda api: head(api, "POST", f"{BASE}/actions/x", "Content-Length: 1", "Transfer-Encoding: chunked"),
        lambda api: head(api, "POST", f"{BASE}/actions/x", "Transfer-Encoding: chunked") + b"what?\r\n",
        lambda api: head(api, "POST", f"{BASE}/actions/x", "Transfer-Encoding: chunked") + b"1\r\nabc",
        lambda api: head(api, "POST", f"{BASE}/actions/x", "Content-Encoding: gzip", "Content-Length: 3") + b"abc",
    ],
)
def test_bytes_that_make_no_sense_are_a_clients_error(api, request_head):
    assert 400 <= raw(api, request_head(api)).status < 500


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 19, " 5", "1_0", "+5", "٣", "5.0", "", "0x1", "-"])
def test_an_integer_is_ascii_digits_and_not_too_many(text):
    for parse in (
        lambda: Page.of({"limit": text}, "x"),
        lambda: instant_ms({"since": text}, "since"),
        lambda: wait_ms({"timeout": text}, 9),
    ):
        with pytest.raises(Refused) as refused:
            parse()
        assert refused.value.status == 400


def test_a_version_has_numbers_that_can_be_counted(api, name):
    body = {"exec": {"kind": "python:default", "code": "x"}, "version": f"0.0.{'9' * 5000}"}
    assert api.request("PUT", f"{BASE}/actions/{name}", body).status == 400
    api.action(name, ECHO, version="0.0.999999999")
    assert api.action(name, ECHO).json["version"] == "0.0.1000000000"


def test_spellings_of_a_key_are_not_kept_without_bound():
    authentication = Authentication([PUBLIC_GUEST])
    encoded = base64.b64encode(f"{PUBLIC_GUEST.uuid}:{PUBLIC_GUEST.key}".encode()).decode()
    for blanks in range(2 * SPELLINGS_KEPT):
        assert authentication.user("Basic " + " " * blanks + encoded) is PUBLIC_GUEST
    assert len(authentication._accepted) <= SPELLINGS_KEPT


def test_what_the_client_cannot_take_is_406_after_the_work_was_done(api, name):
    api.action(name, ECHO)
    refused = api.request("POST", f"{BASE}/actions/{name}", headers={"Accept": "text/html"}, query="blocking=true&result=true")
    assert (refused.status, refused.error) == (406, "Resource representation is only available with these types:\napplication/json")
    for accepted in ("*/*", "application/*", "text/html, application/json;q=0.1"):
        assert api.request("GET", f"{BASE}/actions/{name}", headers={"Accept": accepted}).status == 200
    assert api.request("GET", f"{BASE}/actions/{name}", headers={"Accept": "application/json;q=0"}).status == 406
    assert api.request("GET", f"{BASE}/actions/none", headers={"Accept": "text/html"}).status == 404


def test_a_body_that_does_not_come_is_given_up(new_platform):
    with new_platform(body_timeout_ms=200) as api, connect(api) as connection:
        connection.sendall(head(api, "POST", f"{BASE}/actions/x", "Content-Type: application/json", "Content-Length: 10") + b'{"a"')
        reply = answer(connection)
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert connection.recv(1) == b""
        assert api.request("GET", "/ping").body == b"pong"


def test_a_body_that_comes_slowly_but_in_time_is_taken(api, name):
    api.action(name, ECHO)
    with connect(api) as connection:
        connection.sendall(head(api, "POST", f"{BASE}/actions/{name}?blocking=true", "Content-Type: application/json", "Content-Length: 7"))
        for byte in b'{"a":1}':
            connection.sendall(bytes([byte]))
        assert answer(connection).result == {"a": 1}


def test_who_leaves_in_the_middle_of_a_body_costs_nothing(api):
    connections = psutil.Process(api.platform.pid).net_connections
    before = len(connections())
    for _ in range(20):
        with connect(api) as connection:
            connection.sendall(head(api, "POST", f"{BASE}/actions/x", "Content-Length: 10") + b"abc")
    assert eventually(lambda: len(connections()) <= before)


def test_a_request_that_takes_too_long_is_503_in_plain_text_and_its_activation_goes_on(new_platform, gate):
    with new_platform(request_timeout_ms=300) as api:
        api.action("slow", GATED)
        reply = api.invoke("slow", {"gate": str(gate)})
        assert reply.status == 503
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.body.startswith(b"The server was not able to produce a timely response to your request")
        gate.touch()
        eventually(lambda: api.request("GET", f"{BASE}/activations", query="count=true").json == {"activations": 1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_calls_in_flight_do_not_keep_a_platform_that_is_told_to_stop(new_platform, gate, number):
    with new_platform() as api:
        api.action("slow", GATED, limits={"memory": 128})
        authorised = head(api, "POST", f"{BASE}/actions/slow?blocking=true", "Content-Type: application/json", "Content-Length: %d")
        body = b'{"gate":"%b"}' % str(gate).encode()
        with connect(api) as first, connect(api) as second:
            for connection in (first, second):
                connection.sendall(authorised.replace(b"%d", b"%d" % len(body)) + body)
            eventually(lambda: len(api.processes()) >= 4)  # platform, zygote, two containers
            everything = api.processes()
            told = time.monotonic()
            os.kill(api.platform.pid, number)
            assert not psutil.wait_procs(everything, timeout=PATIENCE_S)[1]
            # Both loops may be busy with other tests; without the limit it would be a minute.
            assert time.monotonic() - told < 20
            assert first.recv(1) == b""
        assert "Traceback" not in (api.platform.state_dir / "platform.log").read_text()
