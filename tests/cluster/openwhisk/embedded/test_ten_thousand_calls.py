"""Ten thousand clients wait for their calls at once, and each is answered: nothing is refused, and nothing is lost."""

import asyncio
import base64
import resource
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from support.api import BASE, GATED, PATIENCE_S, Api, eventually

from owray.http1.client import exchange
from owray.http1.connection import Connection, Tcp, connect

CALLS = 10_000
CONNECTING = 500
"""At once: a client of its own would not open thousands in one go, and the kernel's backlog is 4096 long."""


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(api: Api, body: bytes) -> bytes:
    target = api.platform.target
    return (
        f"POST {BASE}/actions/gated?blocking=true HTTP/1.1\r\nHost: {urlsplit(target.api_host).netloc}\r\n"
        f"Authorization: Basic {base64.b64encode(target.auth.encode()).decode()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def all_in_flight(api: Api) -> bool:
    """Whether one more would be too many: that is told before anybody looks for the action, so that asking adds nothing."""
    return f"count: {CALLS}, allowed: {CALLS}" in api.invoke("missing").error


@pytest.mark.usefixtures("many_descriptors")
def test_ten_thousand_blocking_calls_are_held_and_all_are_answered(new_platform, gate):
    with new_platform(concurrent_invocations=CALLS) as api:
        api.action("gated", GATED, limits={"logs": 0, "memory": 512})
        data = request(api, b'{"gate":"%b"}' % str(gate).encode())
        address = Tcp("127.0.0.1", urlsplit(api.platform.target.api_host).port)

        async def all_at_once() -> tuple[int, Counter[int]]:
            loop = asyncio.get_running_loop()
            connections: list[Connection] = []
            for _ in range(0, CALLS, CONNECTING):
                connections += await asyncio.gather(*(connect(loop, address) for _ in range(CONNECTING)))
            calls = [loop.create_task(exchange(connection, data)) for connection in connections]
            await asyncio.to_thread(eventually, lambda: all_in_flight(api))
            answered_before = sum(call.done() for call in calls)
            gate.touch()
            async with asyncio.timeout(2 * PATIENCE_S):
                replies = await asyncio.gather(*calls)
            for connection in connections:
                connection.abort()
            return answered_before, Counter(reply.status for reply in replies)

        answered_before, statuses = asyncio.run(all_at_once())
        assert answered_before == 0
        assert statuses == {200: CALLS}
        eventually(lambda: api.request("GET", f"{BASE}/activations", query="count=true").json == {"activations": CALLS})
        assert "Traceback" not in (api.platform.state_dir / "platform.log").read_text()
