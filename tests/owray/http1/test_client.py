"""One request and its reply as a coroutine."""

import asyncio

import pytest
from support.gateway import Gateway, Script, Step
from support.loops import run, until

from owray.http1.client import ConnectionLost, Reply, exchange
from owray.http1.connection import ProtocolError, Tcp, connect
from owray.http1.request import render

REQUEST = render("POST", "/", {"Host": "here"}, b"{}")


async def opened(gateway):
    return await connect(asyncio.get_running_loop(), Tcp(gateway.host, gateway.port))


def test_replies_come_one_after_another_on_one_connection():
    async def main():
        async with Gateway(Script(steps=(Step(body="[1]"), Step(status=404, body="{}")))) as gateway:
            connection = await opened(gateway)
            replies = [await exchange(connection, REQUEST) for _ in range(4)]
            assert replies == [Reply(200, b"[1]"), Reply(404, b"{}")] * 2
            assert gateway.connections == 1
            connection.abort()

    run(main())


@pytest.mark.parametrize(("do", "cause"), [("hang_up", type(None)), ("garbage", ProtocolError), ("reset", ConnectionResetError)])
def test_a_connection_that_ends_first_is_lost_with_its_cause(do, cause):
    async def main():
        async with Gateway(Script(steps=(Step(do=do),))) as gateway:
            with pytest.raises(ConnectionLost, match="before the reply did") as lost:
                await exchange(await opened(gateway), REQUEST)
            assert isinstance(lost.value.__cause__, cause)

    run(main())


def test_who_stops_waiting_leaves_no_reply_for_the_next():
    async def main():
        async with Gateway(Script(steps=(Step(do="silence"),))) as gateway:
            connection = await opened(gateway)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await exchange(connection, REQUEST)
            assert not connection.reusable
            await until(lambda: not gateway.live)

    run(main())
