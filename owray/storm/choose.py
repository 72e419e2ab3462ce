"""From names to a mix: which actions a storm calls, how often, with which parameters, and what is checked of their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from owray.openwhisk.catalogue import Manifest, UnknownNameError
from owray.plan.mix import Entry
from owray.storm.bad_request import BadRequest
from owray.storm.own import Own, own_of
from owray.storm.parameters import Payload, payload_of
from owray.storm.request import CallRequest, StormRequest
from owray.storm.shares import Share, shares
from owray.storm.streams import StreamRequest

_NAMED_BY_ALL = ("size", "seed")
"""Parameters of every action of a catalogue, beside those that its sizes stand for."""

_UNCHECKED = "the parameters are yours, so the checksums that the catalogue knows are not looked at.  (--expect or --expect-schema checks)"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a stream calls: actions of a catalogue at a size (None: each at its own default), or something that is there already."""

    stream: str
    shares: tuple[Share, ...] = ()
    own: Own | None = None
    size: str | None = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(_once(manifest for share in self.shares for manifest in share.manifests))

    def entries(self, played: Sequence[Manifest], payload: Payload) -> tuple[Entry, ...]:
        """The stream's mix, with those of the manifests that are played. Raises UnknownNameError; BadRequest where none of them is."""
        if self.own is not None:
            return (replace(self.own.entry(payload.variants(), payload.check), stream=self.stream),)
        weights: dict[str, float] = {}
        for share in self.shares:
            for name, weight in share.weights(played).items():
                weights[name] = weights.get(name, 0.0) + weight
        if not weights:
            raise BadRequest(f"the platform has no runtime for any action of the stream {self.stream!r}")
        mine = [manifest for manifest in self.manifests if manifest.name in weights]
        made = entries(mine, self.size, payload)
        return tuple(replace(entry, weight=weights[entry.action], stream=self.stream) for entry in made)


@dataclass(frozen=True, slots=True)
class ListedCalls:
    """The calls of a listed plan: the file that is to become the run's, the entries it numbers, and what a user should know of it."""

    path: Path
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a storm calls, stream by stream: actions of a catalogue, which are deployed where they lack, and what is there already.

    Where calls are `listed`, the list has their mix.
    """

    selections: tuple[Selection, ...]
    payload: Payload
    listed: ListedCalls | None = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Each that is called, once."""
        return tuple(_once(manifest for selection in self.selections for manifest in selection.manifests))

    @property
    def owns(self) -> tuple[Own, ...]:
        """Each that is the user's own, once."""
        return tuple(dict.fromkeys(selection.own for selection in self.selections if selection.own is not None))

    def entries(self, played: Sequence[Manifest]) -> tuple[Entry, ...]:
        """The mixes of all streams, with those of the manifests that are played. Raises UnknownNameError, and BadRequest where a stream
        has none of them, or a list names others."""
        if self.listed is None:
            return tuple(entry for selection in self.selections for entry in selection.entries(played, self.payload))
        left_out = [manifest.name for manifest in self.manifests if manifest not in played]
        if left_out:
            raise BadRequest(f"the plan calls {', '.join(left_out)}, and the platform has no such runtime: it can only be played whole")
        return self.listed.entries

    def notes(self) -> tuple[str, ...]:
        """What a user should know before it is played."""
        return tuple(dict.fromkeys(self._notes()))

    def _notes(self) -> Iterator[str]:
        yield from self.listed.notes if self.listed else ()
        sized = [(manifest, selection.size) for selection in self.selections for manifest in selection.manifests]
        known = any(manifest.expected.get(manifest.size(size)) for manifest, size in sized)
        if known and self.payload.is_own and self.payload.check is None:
            yield _UNCHECKED
        named = {name for manifest, _ in sized for parameters in manifest.sizes.values() for name in parameters}
        there = ", ".join([*_NAMED_BY_ALL, *sorted(named.difference(_NAMED_BY_ALL))])
        for name in self.payload.names() if sized else ():
            if name not in named.union(_NAMED_BY_ALL):
                yield f"no manifest names a parameter {name!r}, only {there}: it is sent all the same, and may be ignored"
        for manifest, size in sized:
            if size is not None and size not in manifest.sizes:
                yield f"{manifest.name} has no size {size!r} and is played at its only one, {manifest.default_size}"


def choose(request: StormRequest) -> Chosen:
    """What was asked for. All that can be known to fail without a platform fails here: UnknownNameError, ManifestError, BadRequest."""
    payload = payload_of(request.call)
    selections = []
    for stream in request.streams():
        try:
            selections.append(select(stream, request.call, payload))
        except (UnknownNameError, BadRequest) as problem:
            if not request.several:
                raise
            raise BadRequest(f"--streams, stream {stream.name!r}: {problem}") from None
    return Chosen(tuple(selections), payload)


def select(stream: StreamRequest, call: CallRequest, payload: Payload) -> Selection:
    """What one stream is to call. Raises as `choose` does."""
    own = own_of(stream.action, call)
    named = () if own else shares(stream.workload, stream.action, stream.mix, call.actions_dir)
    selection = Selection(stream.name, named, own, stream.size)
    selection.entries(selection.manifests, payload)
    _check_size(selection, stream.called)
    return selection


def _check_size(selection: Selection, called: str) -> None:
    """An action of a single size is played at that, but at least one action has to have the one that is asked for."""
    sizes = list(dict.fromkeys(size for manifest in selection.manifests for size in manifest.sizes))
    if selection.size is not None and selection.size not in sizes:
        raise UnknownNameError(f"size of {called}", selection.size, sizes, hint=f"it has {', '.join(sizes)}")


def _once(manifests: Iterable[Manifest]) -> Iterable[Manifest]:
    return {manifest.name: manifest for manifest in manifests}.values()


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
