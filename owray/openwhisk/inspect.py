"""What can be known of an OpenWhisk from outside, with nothing but its address and a key.

    GET /api/v1                      version and build; who does not answer this as OpenWhisk does is none
    GET /api/v1/namespaces           whether the key is accepted, and what it is the key to
    GET /api/v1/namespaces/_/limits  the namespace's limits
    GET /                            the system's limits, and the kinds                  where the front lets it through
    GET /invokers                    OpenWhisk invokers and their health                 likewise
    GET /metrics                     the names of what is counted                        likewise; most do not

Two generations of OpenWhisk queue, place and throttle differently, and none says which it is. What gives it away:

    what is seen                                      then it is
    `embedded` in GET /                               v1 with the lean balancer: the platform of a lab says so itself
    a metric whose name begins with scheduler_        FPC: only that has schedulers
    a metric containerPool_ of the controller's own   v1 with the lean balancer: the OpenWhisk invoker lives inside the controller
    anything else                                     not to be told. A limit maxActionInstances shows the age of a release, no more; a 429
                                                      without a count would show FPC, but only at the price of a storm
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.reach import Clock, Reach, RoundTrip, reach, round_trips
from owray.openwhisk.records import runtimes_of
from owray.openwhisk.target import Target

Found = TypeVar("Found")

TIMEOUT_S = 10.0
MIB = 1 << 20
HELM_USER_MEMORY_MB = 2048
"""What an OpenWhisk invoker has for containers if nobody has set it, by helm chart and ansible."""

_SCHEDULER = re.compile(r"^(?:counter_|gauge_|histogram_)?scheduler_", re.MULTILINE)
_OWN_POOL = re.compile(r"^(?:counter_|gauge_|histogram_)?containerPool_", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Generation:
    """`name` is None where it cannot be told; `because` says from what it is, or why not."""

    name: Literal["v1, lean balancer", "FPC"] | None
    because: str


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the greatest value of an action's limit; None where it is not shown."""

    least: int | None
    greatest: int | None


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """What a namespace may do; None where it is not shown. `payload` is as OpenWhisk writes it ("1 MB")."""

    calls_per_minute: int | None
    concurrent_calls: int | None
    fires_per_minute: int | None
    memory_mb: Range
    timeout_ms: Range
    payload: str | None
    allowed_kinds: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Capacity:
    """Containers of `memory_mb` that fit at once; None where it cannot be told. `because` says from what, or why not."""

    containers: int | None
    memory_mb: int
    because: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """All of it. `reach` is None where a second connection could not be opened; `kinds`, `default_kinds` and `invokers` (how many in which
    state) are None where the platform, or the front before it, does not show them."""

    api_host: str
    namespace: str
    reach: Reach | None
    round_trip: RoundTrip
    api_version: str
    build: str
    build_number: str
    generation: Generation
    limits: NamespaceLimits
    kinds: tuple[str, ...] | None
    default_kinds: tuple[str, ...] | None
    invokers: Mapping[str, int] | None
    capacity: Capacity


async def check(target: Target) -> None:
    """Whether it is there, is an OpenWhisk, and takes the key. Raises OpenWhiskError, with cause and cure, where it does not."""
    async with OpenWhisk(target, TIMEOUT_S) as client:
        await _openwhisk(client, target)
        await _namespace(client, target)


async def inspect(target: Target, clock: Clock) -> Inspection:
    """Ask it all that it may be asked. Raises OpenWhiskError, with cause and cure, where it cannot be used as it is."""
    async with OpenWhisk(target, TIMEOUT_S) as client:
        api = await _openwhisk(client, target)
        namespace = await _namespace(client, target)
        limits = await client.limits()
        trip = await round_trips(client.api, clock)
        way = await _way(target, clock)
        info, invokers, metrics = await asyncio.gather(_shown(client.info), _shown(client.invokers), _shown(client.metrics))
    info = info or {}
    kinds, default_kinds = _kinds(info)
    health = None if invokers is None else dict(sorted(Counter(map(str, invokers.values())).items()))
    return Inspection(
        api_host=target.api_host,
        namespace=namespace,
        reach=way,
        round_trip=trip,
        api_version=str(api.get("api_version", "")),
        build=str(api.get("build", "")),
        build_number=str(api.get("buildno", "")),
        generation=generation(info, health, metrics),
        limits=namespace_limits(limits, info),
        kinds=kinds,
        default_kinds=default_kinds,
        invokers=health,
        capacity=capacity(info, health),
    )


def generation(info: Mapping[str, Any], invokers: Mapping[str, int] | None, metrics: str | None) -> Generation:
    """By the table above; `invokers` counts OpenWhisk invokers by state, None where they are not shown."""
    if "embedded" in info:
        return Generation("v1, lean balancer", "it is a lab's platform and says so")
    if metrics is not None and _SCHEDULER.search(metrics):
        return Generation("FPC", "it counts what schedulers do")
    if metrics is not None and _OWN_POOL.search(metrics):
        return Generation("v1, lean balancer", "the controller counts containers of its own")
    if invokers is not None and not invokers:
        return Generation(None, "no OpenWhisk invoker is listed, as with a standalone server, which is v1")
    return Generation(None, "nothing that it shows differs; a 429 without a count would mean FPC")


def namespace_limits(limits: Mapping[str, Any], info: Mapping[str, Any]) -> NamespaceLimits:
    """The namespace's own limits; what an older release does not say there is the system's, from `GET /` (bytes, milliseconds)."""
    system = info.get("limits")
    system = system if isinstance(system, dict) else {}
    kinds = limits.get("allowedKinds")
    return NamespaceLimits(
        calls_per_minute=_either(limits.get("invocationsPerMinute"), system.get("actions_per_minute"), 1),
        concurrent_calls=_either(limits.get("concurrentInvocations"), system.get("concurrent_actions"), 1),
        fires_per_minute=_number(limits.get("firesPerMinute")),
        memory_mb=Range(*(_either(limits.get(f"{end}ActionMemory"), system.get(f"{end}_action_memory"), MIB) for end in ("min", "max"))),
        timeout_ms=Range(*(_either(limits.get(f"{end}ActionTimeout"), system.get(f"{end}_action_duration"), 1) for end in ("min", "max"))),
        payload=str(limits["maxPayloadSize"]) if "maxPayloadSize" in limits else None,
        allowed_kinds=tuple(map(str, kinds)) if isinstance(kinds, list) else None,
    )


def capacity(info: Mapping[str, Any], invokers: Mapping[str, int] | None) -> Capacity:
    """How many containers of the default memory fit. Only a lab's platform says how much memory there is for them."""
    system = info.get("limits")
    memory = _either(None, system.get("default_action_memory") if isinstance(system, dict) else None, MIB) or 256
    embedded = info.get("embedded")
    knobs = embedded.get("knobs") if isinstance(embedded, dict) else None
    whole_mb = _number(knobs.get("user_memory_mb")) if isinstance(knobs, dict) else None
    if whole_mb is not None:
        return Capacity(whole_mb // memory, memory, f"{whole_mb:,} MB for containers")
    healthy = (invokers or {}).get("up", 0)
    if healthy:
        each = HELM_USER_MEMORY_MB // memory
        usual = f"with the helm chart's {HELM_USER_MEMORY_MB:,} MB each it would be {healthy * each:,}"
        return Capacity(None, memory, f"{healthy} healthy OpenWhisk invoker{'s' * (healthy > 1)}, whose memory is not shown; {usual}")
    return Capacity(None, memory, "the memory for containers is not shown")


async def _openwhisk(client: OpenWhisk, target: Target) -> dict[str, Any]:
    """`GET /api/v1`, or why whoever answers there is no OpenWhisk."""
    try:
        api = await client.api()
    except OpenWhiskError as error:
        if error.status is None or 300 <= error.status < 400 or error.status >= 500 or error.status in (401, 403, 429):
            raise
        raise _no_openwhisk(target, f"answers GET /api/v1 with {error.status}: {error.text}") from None
    if "api_version" not in api and "OpenWhisk" not in str(api.get("description")):
        raise _no_openwhisk(target, "knows nothing of OpenWhisk at GET /api/v1")
    return api


def _no_openwhisk(target: Target, reason: str) -> OpenWhiskError:
    return OpenWhiskError(None, f"{target.api_host} is no OpenWhisk: it {reason}", fix=f"check the address in {target.host_source}")


async def _namespace(client: OpenWhisk, target: Target) -> str:
    own = await client.namespaces()
    if target.namespace != "_" and target.namespace not in own:
        text = f"the key is accepted at {target.api_host}, but it is for {', '.join(own)}, not for {target.namespace}"
        raise OpenWhiskError(None, text, fix=f"take NAMESPACE out of {target.source}, or have the key that goes with it")
    return own[0] if own and target.namespace == "_" else target.namespace


async def _way(target: Target, clock: Clock) -> Reach | None:
    try:
        return await reach(target, clock)
    except OSError:  # the client has got through before: nothing is wrong with the target
        return None


async def _shown(ask: Callable[[], Awaitable[Found]]) -> Found | None:
    """What a front may keep to itself."""
    try:
        return await ask()
    except OpenWhiskError:
        return None


def _kinds(info: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Kinds that an action may be created with, and those of them that FAMILY:default stands for."""
    runtimes = runtimes_of(info)
    if runtimes is None:
        return None, None
    usable = [each for family in runtimes.values() for each in family]
    return tuple(str(each["kind"]) for each in usable), tuple(str(each["kind"]) for each in usable if each.get("default"))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _either(first: Any, second: Any, unit: int) -> int | None:
    """The first if it is a number, else the second in such units."""
    if _number(first) is not None:
        return _number(first)
    number = _number(second)
    return None if number is None else number // unit
