"""From names to a mix: which actions a storm calls, how often, with which parameters, and what is checked of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from owray.openwhisk.catalogue import Manifest, find, workload
from owray.plan.mix import Entry
from owray.storm.own import Own, own_of
from owray.storm.parameters import Payload, payload_of
from owray.storm.request import StormRequest

_UNCHECKED = "the parameters are yours, so the checksums that the catalogue knows are not looked at.  (--expect or --expect-schema checks)"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a storm calls: actions of a catalogue, which are deployed where they lack, or something that is there already."""

    manifests: tuple[Manifest, ...]
    own: Own | None
    payload: Payload
    size: str | None

    def entries(self, played: Sequence[Manifest]) -> tuple[Entry, ...]:
        """The mix, with those of the manifests that are played. Raises UnknownNameError."""
        if self.own is not None:
            return (self.own.entry(self.payload.variants(), self.payload.check),)
        return entries(played, self.size, self.payload)

    def notes(self) -> tuple[str, ...]:
        """What a user should know before it is played."""
        known = any(manifest.expected.get(manifest.size(self.size)) for manifest in self.manifests)
        return (_UNCHECKED,) if known and self.payload.is_own and self.payload.check is None else ()


def choose(request: StormRequest) -> Chosen:
    """What was asked for. All that can be known to fail without a platform fails here: UnknownNameError, ManifestError, BadRequest."""
    own = own_of(request)
    chosen = Chosen(() if own else manifests(request), own, payload_of(request.call), request.size)
    chosen.entries(chosen.manifests)
    return chosen


def manifests(request: StormRequest) -> tuple[Manifest, ...]:
    """The actions of a catalogue that were asked for. Raises UnknownNameError and ManifestError."""
    if request.action is not None:
        return (find(request.action, request.call.actions_dir),)
    return workload(request.workload or "", request.call.actions_dir).actions


def entries(chosen: Sequence[Manifest], size: str | None, payload: Payload | None = None) -> tuple[Entry, ...]:
    """A mix of these actions at a size (None: each at its own default). Raises UnknownNameError."""
    carried = payload or Payload()
    return tuple(
        Entry(
            workload=manifest.workload,
            action=manifest.name,
            size=manifest.size(size),
            path=manifest.name,
            weight=manifest.weight,
            variants=carried.variants(manifest, size),
            check=carried.check,
        )
        for manifest in chosen
    )
