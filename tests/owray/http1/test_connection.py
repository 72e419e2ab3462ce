"""The connection, state by state, against real sockets on both event loops."""

import asyncio
import gc
import os
import socket
import struct
import weakref

import pytest
from support.loops import run, settled, until

from owray.http1.connection import ProtocolError, Tcp, Unix, connect
from owray.http1.request import render

REQUEST = render("GET", "/", {"Host": "here"})
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: a value\r\n\r\nhi"


def replying(*chunks, pause_s=0.002, then_close=False):
    """A script that answers each request with these chunks, one write each."""

    async def script(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for index, chunk in enumerate(chunks):
                if index:
                    await asyncio.sleep(pause_s)
                writer.write(chunk)
            if then_close:
                writer.close()
                return

    return script


async def outcome(connection, heard, request=REQUEST):
    exchange = heard()
    connection.send(request, exchange)
    return await asyncio.wait_for(exchange.ended, 5)


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
