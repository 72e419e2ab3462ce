"""Whatever is asked, the platform answers: in time, not with a defect of its own, and without keeping anything.

The same requests each time in `make test`; `make fuzz` plays more of them, and others.
"""

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from support.api import Api, Reply, eventually
from support.fuzz import EXAMPLES, Request, Wire, requests
from support.raw_http import connect

MEMORY_MB = 1024
MOST_CONTAINERS = MEMORY_MB // 128
BESIDE_CONTAINERS = 40
"""The platform itself, its zygotes, and the spares that it keeps."""

PLAIN = (400, 408, 413)
"""Refusals of the framework that are no JSON: of what is no HTTP."""

fuzzed = settings(max_examples=EXAMPLES, deadline=None, derandomize="OWRAY_FUZZ" not in os.environ, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def wire(new_platform) -> Iterator[Wire]:
    quick = {"least": 100, "default": 200, "greatest": 500}
    with new_platform(user_memory_mb=MEMORY_MB, timeout_ms=quick, blocking_wait_ms=1000, log_store="docker-cli") as api:
        wire = Wire(api)
        yield wire
        wire.close()


@fuzzed
@given(request=requests)
def test_any_request_is_answered(wire: Wire, request: Request) -> None:
    reply = wire.ask(request)
    event(f"{request.method} {reply.status}")
    assert reply.status != 503
    if request.path.startswith(b"/invokers/ready"):
        return  # a 500 with one lean invoker, as in the real one
    if reply.status == 500:
        assert "x-openwhisk-activation-id" in reply.headers
    if reply.status >= 400 and request.method != "HEAD":
        assert_says_why(reply)


def assert_says_why(reply: Reply) -> None:
    if reply.status == 500:  # a record of status 3, or a web action's array: nothing else may be one
        record = reply.json
        assert record.get("error") == "There was an internal server error." or record["response"]["status"] == "whisk internal error"
        return
    if "x-openwhisk-activation-id" in reply.headers:
        return  # of the activation's own making
    if reply.headers["content-type"].startswith("text/plain"):
        assert reply.status in PLAIN
        return
    assert isinstance(reply.json["error"], str)
    assert reply.json["code"].encode("latin-1") == reply.headers["x-request-id"].encode("latin-1")


@fuzzed
@given(data=st.binary(max_size=300) | st.tuples(st.just(b"GET / HTTP/1.1\r\n"), st.binary(max_size=300)).map(b"".join))
def test_any_bytes_are_answered_or_the_connection_is_closed(wire: Wire, data: bytes) -> None:
    with connect(wire.api) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: connection.recv(65536), b""))
    assert not heard or heard.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


def test_after_all_that_the_platform_is_well_and_has_kept_nothing(wire: Wire) -> None:
    api = wire.api
    eventually(lambda: len(list((api.platform.state_dir / "containers").iterdir())) <= MOST_CONTAINERS)
    assert len(api.processes()) <= MOST_CONTAINERS + BESIDE_CONTAINERS
    assert_calls_work(api)
    assert "Traceback" not in (api.platform.state_dir / "platform.log").read_text()


def assert_calls_work(api: Api) -> None:
    api.action("well", "def main(args):\n    return args\n", limits={"timeout": 500})
    eventually(lambda: api.invoke("well", {"n": 1}, "blocking=true&result=true").body == b'{"n":1}')
