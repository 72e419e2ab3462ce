"""The connection from its caller's side: one request after another, large ones, aborts, and where it may lead."""

import asyncio
import gc
import os
import socket
import weakref

import pytest
from support.http_scripts import REPLY, REQUEST, outcome, replying
from support.loops import run, settled, until

from owray.http1.connection import Tcp, Unix, connect
from owray.http1.request import render

# --- the caller's side


def test_one_request_at_a_time(loop_kind, connected, heard):
    async def main():
        async with connected(replying(REPLY)) as (connection, _):
            first = heard()
            connection.send(REQUEST, first)
            with pytest.raises(RuntimeError, match="busy or closed"):
                connection.send(REQUEST, heard())
            assert await first.ended == ("answered", 200, b"hi")
            assert connection.uses == 1

    run(main(), loop_kind)


def test_the_next_request_may_be_sent_from_within_the_answer(loop_kind, connected):
    class Again:
        def __init__(self):
            self.left = 50
            self.over = asyncio.get_running_loop().create_future()

        def answered(self, connection, status, body):
            self.left -= 1
            if self.left:
                connection.send(REQUEST, self)
            else:
                self.over.set_result(body)

        def broken(self, connection, error):
            self.over.set_exception(error or ConnectionError())

    async def main():
        async with connected(replying(REPLY)) as (connection, server):
            again = Again()
            connection.send(REQUEST, again)
            assert await again.over == b"hi"
            assert (connection.uses, server.accepted) == (50, 1)

    run(main(), loop_kind)


def test_who_aborts_hears_nothing_more(loop_kind, connected, heard):
    async def main():
        async with connected(replying(REPLY, pause_s=0)) as (connection, _):
            closed = []
            connection.on_closed = closed.append
            exchange = heard()
            connection.send(REQUEST, exchange)
            connection.abort()
            connection.abort()
            assert not connection.reusable
            await asyncio.sleep(0.05)
            assert (exchange.endings, closed) == (0, [connection])

    run(main(), loop_kind)


def test_the_first_byte_is_timed_when_it_arrives_and_not_before(loop_kind, connected, heard):
    async def main():
        async with connected(replying(REPLY[:5], REPLY[5:], pause_s=0.05)) as (connection, _):
            exchange = heard()
            connection.send(REQUEST, exchange)
            assert connection.first_byte_ns == 0
            await until(lambda: connection.first_byte_ns)
            first_ns = connection.first_byte_ns
            assert not exchange.ended.done()
            await exchange.ended
            assert connection.first_byte_ns == first_ns

    run(main(), loop_kind)


def test_a_request_larger_than_the_socket_takes_arrives_whole_and_in_order(loop_kind, connected, heard):
    body = os.urandom(8_000_000)
    arrived = []

    async def slow_reader(reader, writer):
        while True:
            await asyncio.sleep(0.05)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            arrived.append(await reader.readexactly(length))
            writer.write(REPLY)

    async def main():
        async with connected(slow_reader) as (connection, _):
            for sent in (body, b"small", body):
                assert await outcome(connection, heard, render("POST", "/", {"Host": "here"}, sent)) == ("answered", 200, b"hi")
            assert arrived == [body, b"small", body]

    run(main(), loop_kind)


def test_after_an_answer_that_overtakes_its_request_the_next_one_keeps_its_place(loop_kind, connected, heard):
    large, small = os.urandom(16_000_000), b"small"
    arrived = []

    async def impatient(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.05)
        arrived.append(await reader.readexactly(len(large)))
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            arrived.append(await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])))
            writer.write(REPLY)

    async def main():
        async with connected(impatient) as (connection, _):
            assert await outcome(connection, heard, render("POST", "/", {"Host": "here"}, large)) == ("answered", 413, b"")
            assert await outcome(connection, heard, render("POST", "/", {"Host": "here"}, small)) == ("answered", 200, b"hi")
            assert arrived == [large, small]

    run(main(), loop_kind)


def test_a_dead_peer_found_while_writing_breaks_the_exchange(loop_kind, connected, heard):
    async def main():
        async with connected(replying(REPLY)) as (connection, _):
            os_socket = socket.socket(fileno=os.dup(connection._transport.get_extra_info("socket").fileno()))
            os_socket.shutdown(socket.SHUT_WR)
            os_socket.close()
            exchange = heard()
            connection.send(REQUEST, exchange)
            assert (await exchange.ended)[0] == "broken"
            await settled()
            assert exchange.endings == 1

    run(main(), loop_kind)


def test_a_closed_connection_leaves_nothing_for_the_garbage_collector(loop_kind, connected, heard):
    async def main():
        async with connected(replying(REPLY)) as (connection, _):
            await outcome(connection, heard)
            connection.abort()
            await settled()
            return weakref.ref(connection)

    gc.collect()
    gc.disable()
    try:
        assert run(main(), loop_kind)() is None
    finally:
        gc.enable()


# --- where to


def test_unix_sockets(loop_kind, connected, heard, tmp_path):
    async def main():
        async with connected(replying(REPLY), path=tmp_path / "socket") as (connection, _):
            for _ in range(3):
                assert await outcome(connection, heard) == ("answered", 200, b"hi")

    run(main(), loop_kind)


def test_nobody_listening_is_an_os_error(loop_kind, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else can take the port

        async def main():
            for address in (Tcp(*taken.getsockname()), Unix(tmp_path / "nothing")):
                with pytest.raises(OSError, match=r"refused|No such file|Connect call failed"):
                    await connect(asyncio.get_running_loop(), address)

        run(main(), loop_kind)
