"""Filling a pool before the first call needs it."""

import asyncio
import errno
import socket

import pytest
from support.gateway import Gateway
from support.loops import run, until

from owray.http1.connection import Tcp, connect
from owray.http1.pool import Pool


def opener(gateway):
    async def open_connection(number):
        return await connect(asyncio.get_running_loop(), Tcp(gateway.host, gateway.port), number)

    return open_connection


def test_filling_opens_connections_ahead_of_the_calls(loop_kind):
    async def main():
        async with Gateway() as gateway:
            pool = Pool(opener(gateway), max_opening=4)
            await pool.fill(10)
            await until(lambda: gateway.connections == 10)
            taken = [pool.take() for _ in range(10)]
            assert sorted(connection.number for connection in taken) == list(range(10))
            assert pool.take() is None
            for connection in taken:
                pool.give_back(connection)
            pool.close()
            await until(lambda: not gateway.live)

    run(main(), loop_kind)


def test_filling_takes_what_there_is_where_fewer_may_be_opened_than_wanted(loop_kind):
    async def main():
        async with Gateway() as gateway:

            async def at_most_seven(number):
                if number >= 7:
                    raise OSError(errno.EMFILE, "too many open files")
                return await opener(gateway)(number)

            pool = Pool(at_most_seven, max_opening=4)
            await pool.fill(10)
            taken = [connection for _ in range(10) if (connection := pool.take())]
            assert len(taken) == 7
            for connection in taken:
                connection.abort()

    run(main(), loop_kind)


def test_filling_from_where_nobody_listens_is_an_os_error(loop_kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        async def main():
            gateway = Gateway()
            gateway.port = taken.getsockname()[1]
            with pytest.raises(OSError, match=r"refused|Connect call failed"):
                await Pool(opener(gateway)).fill(3)

        run(main(), loop_kind)
