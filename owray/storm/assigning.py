"""What the calls of a listed plan go to: kinds of calls, as a file or a trace names them, to entries of a recipe and their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from owray.openwhisk.catalogue import Manifest, find
from owray.plan.mix import MOST_VARIANTS, Choices, Entry, Seqs, Variant, hashed, start_of
from owray.storm.bad_request import BadRequest
from owray.storm.choose import Selection
from owray.storm.own import Own, own_action
from owray.storm.parameters import Payload, payload_of
from owray.storm.request import CallRequest
from owray.storm.shares import Share
from owray.storm.streams import StreamRequest

MOST_ENTRIES = 256
"""Each is called beforehand, and is a line in lists."""

MOST_KINDS = MOST_VARIANTS
"""They are kept in run.json."""

KindNumbers = NDArray[np.int64]
Deal = Callable[[Seqs, KindNumbers], tuple[Choices, Choices]]
"""Entries and variants for calls with these seqs, of these kinds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that are alike; an empty text stands for what was not said. `params` is a JSON object."""

    action: str = ""
    size: str = ""
    params: str = ""
    stream: str = ""
    workload: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is called, and how calls are dealt to it."""

    selections: tuple[Selection, ...]
    payload: Payload
    entries: tuple[Entry, ...]
    deal: Deal


@dataclass(slots=True)
class _Line:
    """An entry in the making: its calls carry one of `dealt`, by a hash of seq, or one of `listed`, as their kind says."""

    number: int
    entry: Entry
    dealt: tuple[Variant, ...] = ()
    listed: list[Variant] = field(default_factory=list)

    def take(self, target: Target, kind: Kind, payload: Payload, place: str) -> int:
        """Which of `listed` the calls of a kind carry; -1 where they are dealt."""
        if not kind.params:
            self.dealt = self.entry.variants
            return -1
        rows = replace(payload, rows=(_parameters(kind.params, place),))
        self.listed += rows.variants(target, self.entry.size) if isinstance(target, Manifest) else rows.variants()
        return len(self.listed) - 1


Target = Manifest | Own


def assign(kinds: Sequence[Kind], called: StreamRequest, call: CallRequest, seed: int, place: str) -> Assignment:
    """Look the kinds' actions up, as --action is; `called` has action and size of kinds that name none.

    Raises UnknownNameError, and BadRequest, which begins with `place`.
    """
    payload = payload_of(call)
    names = [kind.action or called.action or "" for kind in kinds]
    targets = {name: _target(name, call, place) for name in dict.fromkeys(names)}
    lines: dict[tuple[str, ...], _Line] = {}
    placed = []
    for kind, name in zip(kinds, names, strict=True):
        entry = _entry(targets[name], kind, called.size, payload, place)
        line = lines.setdefault((entry.stream, entry.workload, entry.action, entry.size), _Line(len(lines), entry))
        placed.append((line, line.take(targets[name], kind, payload, place)))
    if len(lines) > MOST_ENTRIES:
        raise BadRequest(f"{place}: it has {len(lines):,} different actions, sizes and streams, and a storm at most {MOST_ENTRIES}")
    return Assignment(
        selections=tuple(_selection(target, called) for target in targets.values()),
        payload=payload,
        entries=tuple(replace(line.entry, variants=(*line.dealt, *line.listed)) for line in lines.values()),
        deal=_dealer(placed, seed),
    )


def _selection(target: Target, called: StreamRequest) -> Selection:
    if isinstance(target, Own):
        return Selection(called.name, own=target)
    return Selection(called.name, (Share((target,)),), size=called.size)


def _target(name: str, call: CallRequest, place: str) -> Target:
    if not name:
        raise BadRequest(f"{place}: some calls name no action.  (--action says what these go to)")
    return own_action(name) if "/" in name else find(name, call.actions_dir)


def _entry(target: Target, kind: Kind, size: str | None, payload: Payload, place: str) -> Entry:
    wished = kind.size or size
    if isinstance(target, Own):
        if wished:
            raise BadRequest(f"{place}: {target.name} is there already and has no size {wished!r}; params say what it is called with")
        entry = target.entry(payload.variants(), payload.check)
    else:
        variants = payload.variants(target, wished)
        entry = Entry(target.workload, target.name, target.size(wished), target.name, variants=variants, check=payload.check)
    return replace(entry, stream=kind.stream or entry.stream, workload=kind.workload or entry.workload)


def _parameters(text: str, place: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as problem:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise BadRequest(f"{place}: params are a JSON object, not {shown!r} ({problem})") from None


_SHOWN = 40


def _dealer(placed: Sequence[tuple[_Line, int]], seed: int) -> Deal:
    numbers = np.array([line.number for line, _ in placed], dtype=np.int16)
    dealt = np.array([len(line.dealt) for line, _ in placed], dtype=np.uint64)
    listed = np.array([len(line.dealt) + index if index >= 0 else -1 for line, index in placed], dtype=np.int16)
    start = start_of(seed)

    def deal(seqs: Seqs, kinds: KindNumbers) -> tuple[Choices, Choices]:
        by_hash = ((hashed(seqs, start) & np.uint64(0xFFFFFFFF)) * dealt[kinds]) >> np.uint64(32)
        return numbers[kinds], np.where(listed[kinds] >= 0, listed[kinds], by_hash.astype(np.int16))

    return deal
