"""What lies between here and a target: name, connection, TLS, and how long each takes.

Times are milliseconds on a monotonic clock. The connection is opened apart from the client's, step by step, since those who open one whole
do not say where the time went. Nothing is sent over it, so it shows nobody a key.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from owray.http1.tls import client_context
from owray.openwhisk.target import Target

Clock = Callable[[], int]
"""Nanoseconds on a monotonic clock."""

ROUND_TRIPS = 9
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Tls:
    """`subject`, `issuer` and `until` are the certificate's; empty where it was not checked, since then nothing is known of it."""

    version: str
    checked: bool
    subject: str = ""
    issuer: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a target is reached. `tls_ms` and `tls` are None over plain HTTP."""

    address: str
    name_ms: float
    connect_ms: float
    tls_ms: float | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Times of small requests, one after the other, on a connection that is kept."""

    count: int
    least_ms: float
    median_ms: float


async def reach(target: Target, clock: Clock) -> Reach:
    """Open one connection and say how it went. Raises OSError (ssl.SSLError among them) where that fails."""
    parts = urlsplit(target.api_host)
    host, tls = parts.hostname or "", parts.scheme == "https"
    async with asyncio.timeout(_PATIENCE_S):
        began_ns = clock()
        found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or (443 if tls else 80), type=socket.SOCK_STREAM)
        named_ns = clock()
        address, writer = await _connect([(str(each[4][0]), int(each[4][1])) for each in found])
        connected_ns = clock()
        try:
            name_ms, connect_ms = _ms(began_ns, named_ns), _ms(named_ns, connected_ns)
            if not tls:
                return Reach(address, name_ms, connect_ms)
            await writer.start_tls(client_context(insecure=target.insecure), server_hostname=host)
            tls_ms = _ms(connected_ns, clock())
            return Reach(address, name_ms, connect_ms, tls_ms, _tls(writer.get_extra_info("ssl_object"), checked=not target.insecure))
        finally:
            writer.transport.abort()


async def round_trips(request: Callable[[], Awaitable[object]], clock: Clock, count: int = ROUND_TRIPS) -> RoundTrip:
    """How long a small request takes; the caller has made one already, which opened the connection."""
    times_ms = []
    for _ in range(count):
        began_ns = clock()
        await request()
        times_ms.append(_ms(began_ns, clock()))
    return RoundTrip(count, min(times_ms), round(statistics.median(times_ms), 3))


async def _connect(addresses: list[tuple[str, int]]) -> tuple[str, asyncio.StreamWriter]:
    """The first address that accepts a connection. Raises OSError where none does."""
    problem = OSError("the name has no address")
    for address, port in addresses:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError as refused:
            problem = refused
        else:
            return address, writer
    raise problem


def _tls(connection: ssl.SSLObject, *, checked: bool) -> Tls:
    version = connection.version() or ""
    certificate: dict[str, Any] = connection.getpeercert() or {}
    if not certificate:
        return Tls(version, checked)
    return Tls(version, checked, _name(certificate["subject"]), _name(certificate["issuer"]), str(certificate["notAfter"]))


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """The name that people know it by: the common one, else the organization's, else all there is."""
    names = {kind: value for part in parts for kind, value in part}
    return names.get("commonName") or names.get("organizationName") or ", ".join(names.values())


def _ms(begin_ns: int, end_ns: int) -> float:
    return round((end_ns - begin_ns) / 1e6, 3)
