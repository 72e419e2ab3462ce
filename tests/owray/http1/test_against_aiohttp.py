"""Our client and aiohttp's meet the same server, well and ill behaved, and must say the same of it."""

import asyncio

import aiohttp
import pytest
from support.gateway import Gateway, Script, Step
from support.loops import run
from support.replies import NGINX_HTML

from owray.http1.client import ConnectionLost, exchange
from owray.http1.connection import Tcp, connect
from owray.http1.request import render

LARGE = "x" * 1_000_000

FAULTS = {
    "plain": Step(body="{}"),
    "large": Step(body=LARGE),
    "empty": Step(status=502, body=""),
    "chunked": Step(body="some text", framing="chunked"),
    "large, chunked": Step(body=LARGE, framing="chunked"),
    "to the end of the connection": Step(body="some text", framing="close"),
    "byte by byte": Step(body="{}", framing="drip"),
    "byte by byte, then closed": Step(body="{}", framing="drip", last=True),
    "after 100 Continue": Step(do="interim", body="{}"),
    "the last of its connection": Step(body="{}", last=True),
    "202": Step(status=202, body='{"activationId":"0"}'),
    "413 in HTML": Step(status=413, body=NGINX_HTML.format("413 Request Entity Too Large"), content_type="text/html"),
    "429": Step(status=429, body='{"error":"Too many requests"}'),
    "503": Step(status=503, body="", content_type="text/plain"),
    "unread": Step(do="hang_up_unread"),
    "hang-up": Step(do="hang_up"),
    "hang-up midway": Step(do="hang_up_midway"),
    "hang-up midway, chunked": Step(do="hang_up_midway", framing="chunked"),
    "reset": Step(do="reset"),
    "reset midway": Step(do="reset_midway"),
    "garbage": Step(do="garbage"),
}

TIMES = 3
LOST = "lost"


async def by_ours(gateway):
    said, connection = [], None
    for _ in range(TIMES):
        if connection is None or not connection.reusable:
            connection = await connect(asyncio.get_running_loop(), Tcp(gateway.host, gateway.port))
        try:
            reply = await exchange(connection, render("POST", "/x", {"Host": "here"}, b"{}"))
            said.append((reply.status, reply.body))
        except ConnectionLost:
            said.append(LOST)
        await asyncio.sleep(0.01)
    connection.abort()
    return said


async def by_aiohttp(gateway):
    said = []
    async with aiohttp.ClientSession() as session:
        for _ in range(TIMES):
            try:
                async with session.post(f"http://{gateway.host}:{gateway.port}/x", data=b"{}") as reply:
                    said.append((reply.status, await reply.read()))
            except aiohttp.ClientError:
                said.append(LOST)
            await asyncio.sleep(0.01)
    return said


@pytest.mark.parametrize("step", FAULTS.values(), ids=FAULTS.keys())
def test_both_clients_say_the_same(step):
    async def main():
        said = []
        for client in (by_ours, by_aiohttp):
            async with Gateway(Script(steps=(step,))) as gateway:
                said.append((await client(gateway), len(gateway.log)))
        assert said[0] == said[1]
        assert said[0][1] == TIMES  # no request was sent twice, none left out

    run(main())


def test_only_ours_refuses_a_reply_that_brings_another_with_it():
    async def main():
        async with Gateway(Script(steps=(Step(do="twice", body="{}"),))) as gateway:
            assert await by_ours(gateway) == [LOST] * TIMES

    run(main())
