"""The connection over TLS: who is trusted, and that nothing else differs."""

import asyncio
import os
import ssl

import pytest
from support.loops import run

from owray.http1.client import ConnectionLost, exchange
from owray.http1.connection import Tcp, connect
from owray.http1.request import render
from owray.http1.tls import client_context

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


async def echo(reader, writer):
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if body == b"go away":
            writer.transport.abort()
            return
        writer.write(REPLY % (len(body), body))


def trusting(path):
    return client_context(authorities=path.read_text())


async def opened(address, context):
    return await connect(asyncio.get_running_loop(), Tcp(address.host, address.port, context))


@pytest.mark.parametrize("checking", [True, False])
def test_requests_of_all_sizes_go_and_come_back_encrypted(checking, certificate, serving, loop_kind):
    server, path = certificate

    async def main():
        async with serving(echo, tls=server) as (address, _):
            connection = await opened(address, trusting(path) if checking else client_context(insecure=True))
            for size in (0, 10, 20_000, 2_000_000, 3):
                body = os.urandom(size)
                reply = await exchange(connection, render("POST", "/", {"Host": "here"}, body))
                assert (reply.status, reply.body) == (200, body)
            connection.abort()

    run(main(), loop_kind)


def test_a_certificate_nobody_vouches_for_is_refused(certificate, serving, loop_kind):
    async def main():
        async with serving(echo, tls=certificate[0]) as (address, _):
            with pytest.raises(ssl.SSLCertVerificationError):
                await opened(address, client_context())

    run(main(), loop_kind)


def test_a_trusted_certificate_of_another_host_is_refused(certificate, serving, loop_kind):
    async def main():
        async with serving(echo, tls=certificate[0]) as (address, _):
            with pytest.raises(ssl.SSLCertVerificationError):
                await opened(Tcp("localhost", address.port), trusting(certificate[1]))

    run(main(), loop_kind)


def test_a_connection_cut_off_under_tls_is_lost(certificate, serving, loop_kind):
    async def main():
        async with serving(echo, tls=certificate[0]) as (address, _):
            connection = await opened(address, trusting(certificate[1]))
            with pytest.raises(ConnectionLost):
                await exchange(connection, render("POST", "/", {"Host": "here"}, b"go away"))
            assert not connection.reusable

    run(main(), loop_kind)


def test_a_server_that_speaks_no_tls_is_an_os_error(serving, loop_kind):
    async def plain(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def main():
        async with serving(plain) as (address, _):
            with pytest.raises(OSError, match=r"."):
                await opened(address, client_context())

    run(main(), loop_kind)


@pytest.mark.parametrize("insecure", [True, False])
def test_what_is_older_than_tls_1_2_is_not_spoken(insecure):
    assert client_context(insecure=insecure).minimum_version >= ssl.TLSVersion.TLSv1_2
