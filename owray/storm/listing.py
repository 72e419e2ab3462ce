"""A plan that comes from elsewhere, drawn up: a file of calls, or a trace, becomes the listed plan that a run keeps and plays.

    source        calls with their due times, in order, each of some kind         owray.storm.plan_file, owray.storm.traces
    assignment    kinds to entries of the recipe, and parameters for each call    owray.storm.assigning
    plan.parquet  written a batch at a time: memory does not grow with the calls  owray.record.listed

Where the source does not say what its calls go to, they go to what the options name, dealt out as in any storm.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from owray.plan.arrivals import Microseconds
from owray.plan.bundled import BUNDLED, bundled
from owray.plan.mix import Mix
from owray.plan.recipe import MOST_CALLS
from owray.record.listed import Calls, write_plan
from owray.storm.assigning import Assignment, Kind, KindNumbers, assign
from owray.storm.bad_request import BadRequest
from owray.storm.choose import Chosen, ListedCalls, select
from owray.storm.load import Elsewhere, LoadRequest
from owray.storm.parameters import payload_of
from owray.storm.plan_file import PlanFile, database
from owray.storm.request import CallRequest
from owray.storm.streams import StreamRequest
from owray.storm.traces import Making, Trace, TraceRequest

MOST_SCALE = 1e6

_NO_CALLS = 1e-9
"""The weight of an entry of which the seed chose no call: weights are above zero."""


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """The options as given: `plan` or `trace` says where the plan comes from, `workload` to `call` what it goes to, `calls` ends it.

    `scale` multiplies calls, `speed` divides times.
    """

    plan: Path | None = None
    trace: TraceRequest | None = None
    scale: float | None = None
    speed: float = 1.0
    seed: int = 1
    calls: int | None = None
    workload: str | None = None
    action: str | None = None
    size: str | None = None
    call: CallRequest = field(default_factory=CallRequest)

    def __post_init__(self) -> None:
        for wrong, text in self._checks():
            if wrong:
                raise BadRequest(text)

    def _checks(self) -> Iterator[tuple[bool, str]]:
        both = self.plan is not None and self.trace is not None
        yield both, "--plan and --trace: one of them says how many calls are due when"
        changed = self.scale is not None or self.speed != 1.0
        yield changed and self.plan is None and self.trace is None, "--scale and --speed change a --plan or a --trace"
        scale = 1.0 if self.scale is None else self.scale
        for option, value in (("--scale", scale), ("--speed", self.speed)):
            yield not 0 < value <= MOST_SCALE, f"{option} is to be above zero and at most {MOST_SCALE:,.0f}, not {value:g}"
        rated = self.trace is not None and self.trace.rps is not None and self.scale is not None
        yield rated, "--scale and --rps: a trace is brought to a rate, or its calls are multiplied; leave one of them out"
        yield not 0 <= self.seed < 1 << 63, f"--seed lies between 0 and 2^63 - 1, not {self.seed}"
        yield self.calls is not None and self.calls < 1, f"--calls is to be at least 1, not {self.calls}"

    @property
    def called(self) -> StreamRequest:
        """What the options name."""
        return StreamRequest(LoadRequest(), self.workload, self.action, size=self.size)

    def bundled(self) -> Elsewhere | None:
        """The plan that comes with owray, where it is one. Raises BadRequest, also where there is neither such a plan nor such a file."""
        if self.plan is None:
            return None
        try:
            steps = bundled(str(self.plan), self.scale or 1.0, self.speed)
        except ValueError as problem:
            raise BadRequest(f"--plan: {problem}") from None
        if steps is None and not self.plan.suffix and not self.plan.exists():
            near = difflib.get_close_matches(str(self.plan), BUNDLED, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise BadRequest(f"--plan {self.plan}: no such file, nor a plan of owray's own.{meant}  (there is {', '.join(BUNDLED)})")
        return None if steps is None else Elsewhere("--plan", steps)


class Source(Protocol):
    """Where calls come from: how many before scaling, by what to scale them if it knows, what they go to if it says so, and the calls
    themselves, in order, after `kinds`."""

    notes: tuple[str, ...]
    count: int

    @property
    def scale(self) -> float | None: ...

    def kinds(self) -> Sequence[Kind] | None: ...

    def calls(self, scale: float, seed: int) -> Iterator[tuple[Microseconds, KindNumbers]]: ...


def draw_up(request: ListingRequest, place: Path) -> tuple[Elsewhere, Chosen]:
    """Write the plan that the request names as `place`/plan.parquet; its shape, and what it calls.

    What DuckDB cannot hold in memory it puts into `place` meanwhile. Raises BadRequest, UnknownNameError, ManifestError, OSError.
    """
    option = "--plan" if request.trace is None else "--trace"
    where = f"--plan {request.plan}" if request.trace is None else f"--trace {' '.join(request.trace.names)}"
    with database(place, where) as connection:
        source: Source
        if request.trace is None:
            source = PlanFile(connection, request.plan or Path(), where)
        else:
            named = request.workload or request.action or request.call.web or request.call.trigger
            making = Making(request.seed, request.speed, place)
            source = Trace(connection, request.trace, where, making, map_to=None if named else request.call)
        kinds = source.kinds()
        assignment = _by_mix(request) if kinds is None else _by_kind(kinds, request, where)
        scale = source.scale or request.scale or 1.0
        if source.count * scale > MOST_CALLS:
            raise BadRequest(f"{where}: {source.count * scale:,.0f} calls are more than the {MOST_CALLS:,} that one run may have")
        path = place / "plan.parquet"
        try:
            written = write_plan(path, _calls(source, scale, request, assignment), len(assignment.entries))
        except ValueError as problem:
            raise BadRequest(f"{where}: {problem}") from None
    entries = assignment.entries
    if kinds is not None:
        weights = np.maximum(written.per_entry, _NO_CALLS).tolist()
        entries = tuple(replace(entry, weight=weight) for entry, weight in zip(entries, weights, strict=True))
    listed = ListedCalls(path, entries, source.notes)
    chosen = Chosen(assignment.selections, assignment.payload, listed)
    return Elsewhere(option, written.listed, names_actions=kinds is not None), chosen


def _by_kind(kinds: Sequence[Kind], request: ListingRequest, where: str) -> Assignment:
    for option, value in (("--workload", request.workload), ("--web", request.call.web), ("--trigger", request.call.trigger)):
        if value is not None:
            raise BadRequest(f"{option}: {where} says itself what its calls go to")
    return assign(kinds, request.called, request.call, request.seed, where)


def _by_mix(request: ListingRequest) -> Assignment:
    for wrong, text in request.call.checks(request.called):
        if wrong:
            raise BadRequest(text)
    payload = payload_of(request.call)
    selection = select(request.called, request.call, payload)
    entries = selection.entries(selection.manifests, payload)
    mix = Mix(entries, request.seed)
    return Assignment((selection,), payload, entries, lambda seqs, _: mix.choose(seqs))


def _calls(source: Source, scale: float, request: ListingRequest, assignment: Assignment) -> Iterator[Calls]:
    seq = 0
    most = MOST_CALLS if request.calls is None else request.calls
    for due_us, kinds in source.calls(scale, request.seed):
        seqs = np.arange(seq, min(seq + len(due_us), most), dtype=np.int64)
        entries, variants = assignment.deal(seqs, kinds[: len(seqs)])
        yield np.rint(due_us[: len(seqs)] / request.speed).astype(np.int64), entries, variants
        seq += len(seqs)
        if seq >= most:
            return
