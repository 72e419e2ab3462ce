"""What a storm is played over and what is asked before it trust the same certificates and speak the same TLS."""

import asyncio

import pytest
from aiohttp import web
from support.certificates import self_signed

from owray.fleet.spec import Gateway
from owray.http1.connection import connect
from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.reach import reach
from owray.openwhisk.target import Target


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server's context and the certificate that clients trust, if they trust any."""

    def made(kind):
        own, certificate = self_signed(tmp_path, "DNS:elsewhere.example" if kind == "of another host" else "IP:127.0.0.1")
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere" if kind == "unknown" else str(certificate))
        return own, "" if kind == "unknown" else certificate.read_text()

    return made


async def pong(request):
    return web.Response(text="pong")


async def client(target, authorities):
    async with OpenWhisk(target) as platform:
        await platform.ping()


async def way(target, authorities):
    await reach(target, lambda: 0)


async def storm(target, authorities):
    port = int(target.api_host.rpartition(":")[2])
    gateway = Gateway("127.0.0.1", port, target.auth, tls=True, insecure=target.insecure, authorities=authorities)
    (await connect(asyncio.get_running_loop(), gateway.address())).abort()


async def doors_open(context, authorities, insecure):
    """Whether each of the three gets in."""
    runner = web.AppRunner(app := web.Application())
    app.router.add_get("/ping", pong)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        target = Target(f"https://127.0.0.1:{runner.addresses[0][1]}", "uuid:key", insecure=insecure)
        opened = []
        for door in (client, way, storm):
            try:
                await door(target, authorities)
            except (OSError, OpenWhiskError):
                opened.append(False)
            else:
                opened.append(True)
        return opened
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("kind", "trusted"),
    [
        ("known", True),
        ("unknown", False),
        ("of another host", False),
    ],
)
def test_all_ways_to_a_platform_take_and_refuse_the_same_certificates(server, kind, trusted):
    context, authorities = server(kind)
    assert asyncio.run(doors_open(context, authorities, insecure=False)) == [trusted] * 3
    assert asyncio.run(doors_open(context, authorities, insecure=True)) == [True] * 3


def test_a_server_that_would_rather_speak_http_2_hears_that_this_is_http_1(server):
    context, authorities = server("known")
    offered = []
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda connection, name, _: offered.append(connection)
    assert asyncio.run(doors_open(context, authorities, insecure=False)) == [True] * 3
    assert [connection.selected_alpn_protocol() for connection in offered] == ["http/1.1"] * 3
