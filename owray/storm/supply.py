"""What a platform says that it has, and what this machine has, as ceilings take it."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from owray.health.finding import Machine
from owray.health.limits import most_descriptors, port_range
from owray.openwhisk.inspect import namespace_limits
from owray.openwhisk.target import Target
from owray.storm.deploying import PreparedPlatform
from owray.storm.figures import Supply

OPENWHISK_PAYLOAD_BYTES = 1_048_576
"""OpenWhisk's own default, where a platform does not say."""

_SIZE = re.compile(r"(\d+)\s*([kmg]?)i?b?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def supply_of(prepared: PreparedPlatform, target: Target) -> Supply:
    """Limits of the namespace come before those of the system; memory and cores are told by owray's own platform alone."""
    # A web action counts against the limits of its own namespace, which nobody else is told.
    limits = namespace_limits(prepared.limits, prepared.info) if prepared.deployed else namespace_limits({}, {})
    own = _mapping(prepared.info.get("embedded"))
    knobs = _mapping(own.get("knobs"))
    return Supply(
        calls_a_minute=limits.calls_per_minute,
        concurrent_calls=limits.concurrent_calls,
        memory_mb=_first(knobs.get("user_memory_mb")),
        payload_bytes=_first(_size(prepared.limits.get("maxPayloadSize")), knobs.get("payload_bytes"), OPENWHISK_PAYLOAD_BYTES),
        cores=_first(own.get("container_cores"), os.cpu_count() if _is_here(target) else None),
        descriptors=most_descriptors(),
        ports=_ports(),
        profile=str(own.get("profile")) if own else None,
        namespace="NAMESPACE" if target.namespace == "_" else target.namespace,
        fires_a_minute=limits.fires_per_minute,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(*values: Any) -> int | None:
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), None)


def _size(text: Any) -> int | None:
    """ "1 MB" or "1048576 B", as OpenWhisk writes sizes."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def _is_here(target: Target) -> bool:
    host = urlsplit(target.api_host).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ports() -> int | None:
    """How many connections one address of this machine can have to one of a platform."""
    limits = port_range(Machine())
    return None if limits is None else limits[1] - limits[0] + 1
