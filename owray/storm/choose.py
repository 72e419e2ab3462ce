"""From names to a mix: which actions a storm calls, how often, with which parameters, and what is checked of their answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from owray.openwhisk.catalogue import Manifest, UnknownNameError, find, workload
from owray.plan.mix import Entry
from owray.storm.bad_request import BadRequest
from owray.storm.own import Own, own_of
from owray.storm.parameters import Payload, payload_of
from owray.storm.request import Calls

_NAMED_BY_ALL = ("size", "seed")
"""Parameters of every action of a catalogue, beside those that its sizes stand for."""

_UNCHECKED = "the parameters are yours, so the checksums that the catalogue knows are not looked at.  (--expect or --expect-schema checks)"


@dataclass(frozen=True, slots=True)
class ListedCalls:
    """The calls of a listed plan: the file that is to become the run's, the entries it numbers, and what a user should know of it."""

    path: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a storm calls: actions of a catalogue, which are deployed where they lack, and what is there already."""

    manifests: tuple[Manifest, ...]
    own: tuple[Own, ...]
    payload: Payload
    size: str | None
    listed: ListedCalls | None = None

    def entries(self, played: Sequence[Manifest]) -> tuple[Entry, ...]:
        """The mix, with those of the manifests that are played. Raises UnknownNameError, and BadRequest where a list names others."""
        if self.listed is not None:
            left_out = [manifest.name for manifest in self.manifests if manifest not in played]
            if left_out:
                raise BadRequest(f"the plan calls {', '.join(left_out)}, and the platform has no such runtime: it can only be played whole")
            return self.listed.entries
        if self.own:
            return tuple(own.entry(self.payload.variants(), self.payload.check) for own in self.own)
        return entries(played, self.size, self.payload)

    def notes(self) -> tuple[str, ...]:
        """What a user should know before it is played."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        yield from self.listed.notes if self.listed else ()
        known = any(manifest.expected.get(manifest.size(self.size)) for manifest in self.manifests)
        if known and self.payload.is_own and self.payload.check is None:
            yield _UNCHECKED
        named = {name for manifest in self.manifests for parameters in manifest.sizes.values() for name in parameters}
        there = ", ".join([*_NAMED_BY_ALL, *sorted(named.difference(_NAMED_BY_ALL))])
        for name in self.payload.names() if self.manifests else ():
            if name not in named.union(_NAMED_BY_ALL):
                yield f"no manifest names a parameter {name!r}, only {there}: it is sent all the same, and may be ignored"
        for manifest in self.manifests:
            if self.size is not None and self.size not in manifest.sizes:
                yield f"{manifest.name} has no size {self.size!r} and is played at its only one, {manifest.default_size}"


def choose(request: Calls) -> Chosen:
    """What was asked for. All that can be known to fail without a platform fails here: UnknownNameError, ManifestError, BadRequest."""
    own = own_of(request)
    chosen = Chosen(() if own else manifests(request), (own,) if own else (), payload_of(request.call), request.size)
    chosen.entries(chosen.manifests)
    _check_size(chosen, request.action or request.workload or "")
    return chosen


def _check_size(chosen: Chosen, called: str) -> None:
    """An action of a single size is played at that, but at least one action has to have the one that is asked for."""
    sizes = list(dict.fromkeys(size for manifest in chosen.manifests for size in manifest.sizes))
    if chosen.manifests and chosen.size is not None and chosen.size not in sizes:
        raise UnknownNameError(f"size of {called}", chosen.size, sizes, hint=f"it has {', '.join(sizes)}")


def manifests(request: Calls) -> tuple[Manifest, ...]:
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
