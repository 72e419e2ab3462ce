"""`owray target`: which OpenWhisk would be used, and what can be known of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from owray.commands.grouped import grouped
from owray.commands.machine_output import JsonOption, print_json
from owray.commands.targeting import Targeting
from owray.texts import milliseconds

if TYPE_CHECKING:
    from owray.openwhisk.choice import Asked, Choice
    from owray.openwhisk.inspect import Inspection, Range
    from owray.openwhisk.reach import Reach

JSON_VERSION = 1

FindTarget = Callable[["Asked"], "Choice"]
"""Gives the target that is asked for, or that is used where nothing is asked."""


def mount(app: typer.Typer, find_target: FindTarget) -> None:
    @app.command("target", epilog="Exit codes: 0 it can be used, 1 it cannot, and the line says why.")
    @grouped
    def target(targeting: Targeting, as_json: JsonOption = False) -> None:
        """Check the OpenWhisk that a storm would be played on: way there, version, limits, kinds, capacity.

        Nothing is deployed or called, and no limit is used up.
        """
        import asyncio
        import time
        from dataclasses import asdict

        from owray.openwhisk.inspect import inspect

        chosen = find_target(targeting.asked())
        if not as_json:
            typer.echo(chosen.line)
        seen = asyncio.run(inspect(chosen.target, time.monotonic_ns))
        if as_json:
            print_json(JSON_VERSION, {"why": chosen.why, **asdict(seen)})
        else:
            typer.echo("\n".join(lines(seen)))


def lines(seen: Inspection) -> Iterator[str]:
    """For people; what cannot be told says so."""
    yield _row("reached", _way(seen))
    yield _row("TLS", _tls(seen.reach))
    build = ", ".join(filter(None, (seen.build, seen.build_number)))
    yield _row("version", f"API {seen.api_version or 'not shown'}, build {build or 'not shown'}")
    yield _row("generation", f"{seen.generation.name or 'cannot be told'}: {seen.generation.because}")
    yield _row("namespace", seen.namespace)
    limits = seen.limits
    at_once = "containers" if seen.generation.name == "FPC" else "calls under way"
    calls, concurrent, fires = map(_number, (limits.calls_per_minute, limits.concurrent_calls, limits.fires_per_minute))
    yield _row("limits", f"{calls} calls a minute, {concurrent} {at_once}, {fires} trigger fires a minute")
    memory, time = _range(limits.memory_mb, "MB"), _range(limits.timeout_ms, "ms")
    payload = f"payload up to {limits.payload}" if limits.payload else "the payload's limit is not shown (1 MB unless it was changed)"
    yield _row("actions", f"memory {memory}, time {time}, {payload}")
    yield _row("kinds", _kinds(seen))
    yield _row("invokers", _invokers(seen))
    room = seen.capacity
    many = "cannot be told" if room.containers is None else f"{room.containers:,} containers of {room.memory_mb} MB at once"
    yield _row("capacity", f"{many}: {room.because}")


def _row(name: str, value: str) -> str:
    return f"{name:<11}{value}"


def _way(seen: Inspection) -> str:
    median, least = (milliseconds(time_ms * 1000) for time_ms in (seen.round_trip.median_ms, seen.round_trip.least_ms))
    trip = f"round trip {median} (median of {seen.round_trip.count}, least {least})"
    way = seen.reach
    if way is None:
        return trip
    tls = "" if way.tls_ms is None else f", TLS {milliseconds(way.tls_ms * 1000)}"
    return f"at {way.address}: name {milliseconds(way.name_ms * 1000)}, connection {milliseconds(way.connect_ms * 1000)}{tls}, {trip}"


def _tls(way: Reach | None) -> str:
    if way is None:
        return "cannot be told"
    if way.tls is None:
        here = ipaddress.ip_address(way.address.partition("%")[0]).is_loopback
        return f"none: plain HTTP, {'on this machine' if here else 'which shows the key to whoever is on the way'}"
    if not way.tls.checked:
        return f"{way.tls.version}; the certificate is not checked"
    return f"{way.tls.version}; certificate of {way.tls.subject}, by {way.tls.issuer}, until {way.tls.until}"


def _kinds(seen: Inspection) -> str:
    if seen.kinds is None:
        return "not shown"
    defaults = seen.default_kinds or ()
    told = ", ".join(f"{kind} (default)" if kind in defaults else kind for kind in seen.kinds) or "none"
    allowed = seen.limits.allowed_kinds
    return told if allowed is None else f"{told}; this namespace may use {', '.join(allowed)}"


def _invokers(seen: Inspection) -> str:
    if seen.invokers is None:
        return "not shown"
    return ", ".join(f"{count} {state}" for state, count in seen.invokers.items()) or "none listed"


def _range(limit: Range, unit: str) -> str:
    if limit.least is None and limit.greatest is None:
        return "not shown"
    return f"{_number(limit.least)} to {_number(limit.greatest)} {unit}"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
