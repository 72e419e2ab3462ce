"""The connection, state by state, against real sockets on both event loops: replies, what is none, and idling."""

import asyncio
import os
import socket
import struct

import pytest
from support.http_scripts import REPLY, REQUEST, outcome, replying
from support.loops import run, settled, until

from owray.http1.connection import ProtocolError

# --- replies in every framing


FRAMINGS = {
    "at once": [REPLY],
    "head and body apart": [REPLY[:-2], REPLY[-2:]],
    "split inside the head": [REPLY[:20], REPLY[20:45], REPLY[45:]],
    "byte by byte": [REPLY[index : index + 1] for index in range(len(REPLY))],
    "chunked": [b"HTTP/1.1 200 OK\r\nX-Name: a value\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;ext=1\r\ni\r\n0\r\n\r\n"],
    "chunked, split anywhere": [
        b"HTTP/1.1 200 OK\r\nx-nAmE:a value \r\nTransfer-Encoding: chunked\r\n\r\n1\r",
        b"\nh\r\n1\r\ni\r",
        b"\n0\r\n\r\n",
    ],
    "after 100 Continue": [b"HTTP/1.1 100 Continue\r\n\r\n", REPLY],
    "with 100 Continue in one piece": [b"HTTP/1.1 100 Continue\r\n\r\n" + REPLY],
    "with 100 Continue split anywhere": [
        b"HTTP/1.1 100 Con",
        b"tinue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n",
        b"\r\n" + REPLY[:30],
        REPLY[30:],
    ],
}


@pytest.mark.parametrize("chunks", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_reply_is_whole_however_it_is_cut(chunks, loop_kind, connected, heard):
    async def main():
        async with connected(replying(*chunks, pause_s=0.001)) as (connection, server):
            for _ in range(2):  # and the connection is good for the next one
                assert await outcome(connection, heard) == ("answered", 200, b"hi")
                assert connection.header(b"x-name") == b"a value"
                assert connection.header(b"x-other") is None
                assert connection.received == sum(map(len, chunks))
                assert connection.reusable
            assert (connection.uses, server.accepted) == (2, 1)

    run(main(), loop_kind)


def test_what_lies_beyond_the_bytes_to_keep_is_counted_and_not_kept(loop_kind, connected, heard):
    async def main():
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 100 + b"0\r\n\r\n"
        async with connected(replying(chunked)) as (connection, _):
            for keep, kept in ((1000, 300), (300, 300), (7, 9), (3, 3)):
                connection.keep = keep
                assert await outcome(connection, heard) == ("answered", 200, b"abc" * (kept // 3))
                assert connection.left_out == 300 - kept
                assert connection.reusable

    run(main(), loop_kind)


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"HTTP/1.1 204 No Content\r\n\r\n", 204), (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 502)],
)
def test_a_reply_without_a_body_ends_with_its_head(head, status, loop_kind, connected, heard):
    async def main():
        async with connected(replying(head)) as (connection, _):
            assert await outcome(connection, heard) == ("answered", status, b"")
            assert connection.reusable

    run(main(), loop_kind)


def test_a_body_of_no_stated_length_ends_where_the_connection_does(loop_kind, connected, heard):
    async def main():
        async with connected(replying(b"HTTP/1.1 200 OK\r\n\r\nto ", b"the ", b"end", then_close=True)) as (connection, _):
            assert await outcome(connection, heard) == ("answered", 200, b"to the end")
            assert not connection.reusable

    run(main(), loop_kind)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_reply_that_ends_the_connection_is_answered_and_the_connection_not_used_again(head, loop_kind, connected, heard):
    async def main():
        async with connected(replying(head + b"Content-Length: 2\r\n\r\nhi")) as (connection, _):
            closed = []
            connection.on_closed = closed.append
            assert await outcome(connection, heard) == ("answered", 200, b"hi")
            assert not connection.reusable
            await until(lambda: closed == [connection])
            with pytest.raises(RuntimeError, match="busy or closed"):
                connection.send(REQUEST, heard())

    run(main(), loop_kind)


def test_large_replies_arrive_whole(loop_kind, connected, heard):
    body = os.urandom(3_000_000)

    async def main():
        async with connected(replying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as (connection, _):
            assert await outcome(connection, heard) == ("answered", 200, body)

    run(main(), loop_kind)


# --- replies that are none


BROKEN = {
    "closed before the reply": ([b""], None),
    "closed inside the head": ([REPLY[:20]], None),
    "closed inside the body": ([REPLY[:-1]], None),
    "closed inside the chunks": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"], None),
    "closed after 100 Continue": ([b"HTTP/1.1 100 Continue\r\n\r\n"], None),
    "closed inside a body after 100 Continue": ([b"HTTP/1.1 100 Continue\r\n\r\n" + REPLY[:-1]], None),
    "garbage": ([b"\x00\x01\x02\r\n\r\n"], "not an HTTP reply"),
    "another protocol": ([b"SSH-2.0-OpenSSH_9.2p1\r\n"], "not an HTTP reply"),
    "a reply, then garbage": ([REPLY + b"\x00"], "not an HTTP reply|second reply"),
    "two replies": ([REPLY + REPLY], "a second reply to one request"),
    "a reply and the first byte of another": ([REPLY + b"H"], "a second reply to one request"),
    "a reply and half the head of another": ([REPLY + b"HTTP/1.1 20"], "a second reply to one request"),
    "two lengths": ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi"], "not an HTTP reply"),
    "length and chunks": ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], "not an HTTP reply"),
    "an upgrade nobody asked for": (
        [b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nxyz"],
        "switched to another protocol",
    ),
}


@pytest.mark.parametrize(("chunks", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_whole_reply_breaks_the_exchange_once(chunks, problem, loop_kind, connected, heard):
    async def main():
        async with connected(replying(*chunks, then_close=True)) as (connection, _):
            exchange = heard()
            connection.send(REQUEST, exchange)
            kind, error = await exchange.ended
            assert kind == "broken"
            if problem is None:
                assert error is None
            else:
                assert isinstance(error, ProtocolError)
                assert any(part in str(error) for part in problem.split("|"))
            assert not connection.reusable
            await settled()
            assert exchange.endings == 1

    run(main(), loop_kind)


def test_a_reset_breaks_the_exchange_with_its_error(loop_kind, connected, heard):
    async def reset(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY[:10])
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def main():
        async with connected(reset) as (connection, _):
            kind, error = await outcome(connection, heard)
            assert kind == "broken"
            assert isinstance(error, ConnectionResetError)

    run(main(), loop_kind)


# --- idle


def test_a_connection_closed_while_idle_is_seen_before_the_next_send(loop_kind, connected):
    async def close(reader, writer):
        writer.close()

    async def main():
        async with connected(close) as (connection, _):
            closed = []
            connection.on_closed = closed.append
            await until(lambda: closed)
            assert not connection.reusable
            assert closed == [connection]

    run(main(), loop_kind)


def test_a_connection_is_out_of_use_from_the_very_moment_its_end_is_read(loop_kind, connected):
    async def close(reader, writer):
        writer.close()

    async def main():
        async with connected(close) as (connection, _):
            seen = []
            read_end = connection.eof_received

            def spy():
                read_end()
                seen.append(connection.reusable)

            connection.eof_received = spy
            await until(lambda: seen)
            assert seen == [False]

    run(main(), "asyncio")


def test_unsolicited_bytes_close_an_idle_connection(loop_kind, connected, heard):
    async def chatter(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY)
        for _ in range(2):  # the loop polls in between: the client has read the reply by then
            await asyncio.sleep(0.01)
        writer.write(REPLY)
        await reader.read()

    async def main():
        async with connected(chatter) as (connection, _):
            exchange = heard()
            connection.send(REQUEST, exchange)
            assert await exchange.ended == ("answered", 200, b"hi")
            assert connection.reusable
            await until(lambda: not connection.reusable)
            assert exchange.endings == 1

    run(main(), loop_kind)
