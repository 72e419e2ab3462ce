"""From names to a mix: which actions of the catalogue a storm calls, how often, with which parameters."""

from __future__ import annotations

from collections.abc import Sequence

from owray.openwhisk.catalogue import Manifest, find, workload
from owray.plan.mix import Entry, Variant
from owray.storm.request import StormRequest


def manifests(request: StormRequest) -> tuple[Manifest, ...]:
    """The actions asked for. Raises UnknownNameError."""
    if request.action is not None:
        return (find(request.action),)
    return workload(request.workload or "").actions


def entries(chosen: Sequence[Manifest], size: str | None) -> tuple[Entry, ...]:
    """A mix of these actions at a size (None: each at its own default). Raises UnknownNameError."""
    return tuple(
        Entry(
            workload=manifest.workload,
            action=manifest.name,
            size=manifest.size(size),
            path=manifest.name,
            weight=manifest.weight,
            variants=tuple(Variant(parameters, expected) for parameters, expected in manifest.variants(size)),
        )
        for manifest in chosen
    )
