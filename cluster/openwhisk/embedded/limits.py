"""The limits of an action, and their ranges.

The texts are those of OpenWhisk, uneven as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cluster.openwhisk.embedded.answers import encode, refusal
from cluster.openwhisk.embedded.config import MIB, Knobs, Range
from cluster.openwhisk.embedded.entity import Pair


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Limits of one action: milliseconds, megabytes, counts. `instances` means something to the newer scheduler only."""

    timeout: int
    memory: int
    logs: int
    concurrency: int
    instances: int | None = None


class LimitsPatch(msgspec.Struct, frozen=True):
    """What a PUT says about limits: what it does not name stays as it was."""

    timeout: int | None = None
    memory: int | None = None
    logs: int | None = None
    concurrency: int | None = None
    instances: int | None = None


def default_limits(knobs: Knobs) -> Limits:
    return Limits(knobs.timeout_ms.default, knobs.memory_mb.default, knobs.logs_mb.default, knobs.concurrency.default)


def patched(limits: Limits, patch: LimitsPatch | None, knobs: Knobs) -> Limits:
    """The limits after a PUT. Raises the 400 of a value outside its range."""
    if patch is None:
        return limits
    changes = {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not None}
    result = msgspec.structs.replace(limits, **changes)
    _check(result.timeout, knobs.timeout_ms, lambda n, word, m: f"duration {n} milliseconds {word} allowed threshold of {m} milliseconds")
    _check(result.memory, knobs.memory_mb, lambda n, word, m: f"memory size {n} MB {word} allowed threshold of {m} MB")
    _check(result.logs, knobs.logs_mb, lambda n, word, m: f"log size {n} MB {word} allowed threshold of {m} MB")
    _check(result.concurrency, knobs.concurrency, lambda n, word, m: f"concurrency {n} {word} allowed threshold of {m}")
    if result.instances is not None:
        instances = Range(0, knobs.concurrent_invocations, knobs.concurrent_invocations)
        _check(result.instances, instances, lambda n, word, m: f"instances {n} {word} allowed threshold of {m}")
    return result


def _check(value: int, allowed: Range, text: Callable[[int, str, int], str]) -> None:
    if value > allowed.greatest:
        raise refusal(400, text(value, "exceeds", allowed.greatest))
    if value < allowed.least:
        raise refusal(400, text(value, "below", allowed.least))


def check_size(field: str, size: int, allowed: int) -> None:
    """Raises the 413 of a part of a PUT that is too large. Sizes in bytes."""
    if size > allowed:
        raise refusal(413, f"{field} larger than allowed: {size} > {allowed} bytes.")


def check_pairs(field: str, pairs: Sequence[Pair] | None, knobs: Knobs) -> None:
    """The same of the parameters or annotations that a PUT names."""
    check_size(field, len(encode(pairs or [])), knobs.parameter_bytes)


def check_payload(body: bytes, knobs: Knobs) -> None:
    """Raises the 413 of the body of an invocation that is too large."""
    if len(body) > knobs.payload_bytes:
        raise refusal(413, f"Request larger than allowed: {len(body)} > {knobs.payload_bytes} bytes.")


def namespace_limits(knobs: Knobs) -> dict[str, Any]:
    """The body of `GET /namespaces/_/limits`."""
    return {
        "invocationsPerMinute": knobs.invocations_per_minute,
        "concurrentInvocations": knobs.concurrent_invocations,
        "firesPerMinute": knobs.fires_per_minute,
        "minActionMemory": knobs.memory_mb.least,
        "maxActionMemory": knobs.memory_mb.greatest,
        "minActionLogs": knobs.logs_mb.least,
        "maxActionLogs": knobs.logs_mb.greatest,
        "minActionTimeout": knobs.timeout_ms.least,
        "maxActionTimeout": knobs.timeout_ms.greatest,
        "minActionConcurrency": knobs.concurrency.least,
        "maxActionConcurrency": knobs.concurrency.greatest,
        "maxParameterSize": f"{knobs.parameter_bytes} B",
        "maxActionInstances": knobs.concurrent_invocations,
    }


def system_limits(knobs: Knobs) -> dict[str, int]:
    """The `limits` of `GET /`: durations in milliseconds, sizes in bytes."""
    limits = {
        "actions_per_minute": knobs.invocations_per_minute,
        "triggers_per_minute": knobs.fires_per_minute,
        "concurrent_actions": knobs.concurrent_invocations,
        "sequence_length": knobs.sequence_length,
    }
    for prefix in ("default_", ""):
        for name, allowed, unit in (
            ("duration", knobs.timeout_ms, 1),
            ("memory", knobs.memory_mb, MIB),
            ("logs", knobs.logs_mb, MIB),
        ):
            limits[f"{prefix}min_action_{name}"] = allowed.least * unit
            limits[f"{prefix}max_action_{name}"] = allowed.greatest * unit
    return limits
