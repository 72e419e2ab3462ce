"""Accounting for every planned call of a run that did not end.

    running --(its processes are gone)--> complete: journals become parts, calls without a row get one --> seal: recovered

A call without a row was attempted if its seq is not above its invoker's mark: then it is `lost`, since its end is not known. Otherwise
it is `unsent`. How many calls a closed loop had is known by the marks where time ended it: the recipe is completed with that first. Every
step can be repeated: parts bear the names of their journals, and the rows of calls without one are made from scratch each time, in one
part per node that takes the place of the one before. So a recovery that is killed is simply run again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from owray.plan.recipe import Plan, Window
from owray.problems import Problem
from owray.record.early_end import BROKE_OFF
from owray.record.journal import NOTHING_ATTEMPTED, JournalError, OtherVersion, read_mark
from owray.record.layout import Outcome
from owray.record.listed import plan_of
from owray.record.parts import ROW_GROUP_ROWS, BeingConverted, Naming, Part, convert, part_writer
from owray.record.players import invoker_of, player_of, way_out
from owray.record.run import Manifest, RunFolder

MISSING_PART = "part-missing.parquet"
"""The rows of a node's calls that have no row of their own."""

UNKNOWN_NODE = "unknown"
"""Where calls go whose invoker never came so far as to leave a mark."""

_OUTCOMES = pa.array([Outcome.LOST.label, Outcome.UNSENT.label])

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class StillPlaying(Problem):
    """The run's processes live."""


class NothingToRecover(Problem):
    """The run has ended, or was recovered before."""


class BrokenPart(Problem):
    """A part that cannot be read: which calls have their row is not known."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `complete` found: planned = found + lost + unsent. `left_over_bytes` is what journals held in no whole block, torn or
    damaged; `incomplete_invokers` are those of whose calls some had no row; `set_aside` are journals that could not be read at all, by
    their new places in the run's folder."""

    planned: int
    found: int
    lost: int
    unsent: int
    journals: int
    left_over_bytes: int
    incomplete_invokers: tuple[int, ...]
    set_aside: tuple[str, ...] = ()


@contextmanager
def recovering(folder: RunFolder, *, force: bool = False) -> Iterator[Manifest]:
    """Hold a run for recovery: one that broke off, or one that ended with nobody there to judge it. Gives its manifest.

    Raises NothingToRecover, and StillPlaying where its processes live (unless `force`) or another recovery is at work.
    """
    with _sole(folder):
        manifest = folder.load()
        if manifest.status != "running" and manifest.verdict is not None:
            raise NothingToRecover(f"run {folder.run} is {manifest.status}: there is nothing to recover")
        player = None if force else player_of(folder, manifest)
        if player:
            raise StillPlaying(f"run {folder.run} is still being played by {player}.  ({way_out(manifest)}; --force recovers it anyway)")
        yield manifest


@contextmanager
def at_rest(folder: RunFolder) -> Iterator[Manifest]:
    """Hold a run that nobody plays or recovers, to change what is beside its rows. Gives its manifest. Raises StillPlaying."""
    with _sole(folder):
        manifest = folder.load()
        player = player_of(folder, manifest) if manifest.status == "running" or manifest.verdict is None else None
        if player:
            raise StillPlaying(f"run {folder.run} is still being played by {player}.  ({way_out(manifest)})")
        yield manifest


def complete(folder: RunFolder, manifest: Manifest) -> Recovery:
    """Convert all journals that are left, and give each planned call without a row one that says lost or unsent.

    Nobody may write to the run meanwhile. A journal that cannot be read is set aside. Raises StillPlaying (a scribe outlives its storm for
    a moment), OtherVersion, BrokenPart, PlanError and OSError; then it can be called again.
    """
    converted = _convert_all(folder, manifest)
    if manifest.recipe.is_open_ended:
        manifest = folder.update(recipe=manifest.recipe.as_dealt(_dealt(folder, manifest.invokers)))
    plan = plan_of(folder, manifest.recipe)
    planned = plan.planned()
    found = _found(folder, len(planned))
    missing = planned & ~found
    attempted = _attempted(folder, manifest.invokers, found)
    free_us = _free_us(folder, manifest.invokers, len(planned)) if plan.recipe.closed else None
    nodes = _nodes(folder, manifest)
    lost = unsent = 0
    for node in sorted(set(nodes.values())):
        mine = np.array([nodes[invoker] == node for invoker in range(manifest.invokers)])
        lost_here, unsent_here = _write_missing(folder.calls(node) / MISSING_PART, plan, missing, mine, attempted, free_us)
        lost += lost_here
        unsent += unsent_here
    return Recovery(
        planned=plan.count(),
        found=plan.count() - lost - unsent,
        lost=lost,
        unsent=unsent,
        journals=len(converted),
        left_over_bytes=sum(part.left_over_bytes for part in converted),
        incomplete_invokers=tuple(invoker for invoker in range(manifest.invokers) if missing[invoker :: manifest.invokers].any()),
        set_aside=tuple(str(path.relative_to(folder.path)) for path in folder.journals_set_aside()),
    )


def _convert_all(folder: RunFolder, manifest: Manifest) -> list[Part]:
    converted = []
    for journal in folder.journal_files():
        try:
            converted.append(convert(journal, folder.path / "calls" / journal.parent.name, manifest.recipe))
        except BeingConverted as busy:
            raise StillPlaying(f"run {folder.run} is not at rest: {busy}. Try again in a moment") from busy
        except OtherVersion:
            raise
        except JournalError:
            folder.set_aside(journal)
    return converted


def seal(folder: RunFolder, recovery: Recovery, verdict: Mapping[str, Any], now: datetime) -> None:
    """Write the outcome into the manifest, and take away what only a recovery needs."""
    early_end = folder.load().early_end or BROKE_OFF
    folder.update(status="recovered", ended_at=now.isoformat(), early_end=early_end, verdict=verdict, recovery=asdict(recovery))
    folder.remove_journals()


@contextmanager
def _sole(folder: RunFolder) -> Iterator[None]:
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise StillPlaying(f"run {folder.run} is being recovered by another process") from held
        yield
    finally:
        os.close(descriptor)


def _found(folder: RunFolder, planned: int) -> Flags:
    """For each planned seq, whether it has a row of its own."""
    found = np.zeros(planned, bool)
    for (seqs,) in _columns_of_parts(folder, "seq"):
        found[seqs[(seqs >= 0) & (seqs < planned)]] = True
    return found


def _dealt(folder: RunFolder, invokers: int) -> tuple[int, ...]:
    """How many calls of a closed loop each invoker began: by its mark, or by its last row where the mark did not reach this machine."""
    last = np.full(invokers, NOTHING_ATTEMPTED, np.int64)
    for (seqs,) in _columns_of_parts(folder, "seq"):
        np.maximum.at(last, seqs % invokers, seqs)
    return tuple(((_by_marks(folder, last) - np.arange(invokers)) // invokers + 1).tolist())


def _free_us(folder: RunFolder, invokers: int, planned: int) -> Numbers:
    """When the user of each call of a closed loop was free for it, at the earliest where its row is missing.

    That is no part of the plan. But users call in the order in which they become free, so it was not before the invoker's call before it.
    """
    free_us = np.zeros(planned, np.int64)
    for seqs, intended_us in _columns_of_parts(folder, "seq", "intended_us"):
        known = (seqs >= 0) & (seqs < planned)
        free_us[seqs[known]] = intended_us[known]
    for invoker in range(invokers):
        free_us[invoker::invokers] = np.maximum.accumulate(free_us[invoker::invokers])
    return free_us


def _columns_of_parts(folder: RunFolder, *names: str) -> Iterator[tuple[Numbers, ...]]:
    """Columns of all rows that invokers wrote, part by part."""
    for part in folder.parts():
        if part.name != MISSING_PART:
            yield _columns_of(part, names)


def _columns_of(part: Path, names: Sequence[str]) -> tuple[Numbers, ...]:
    try:
        table = pq.read_table(part, columns=list(names), partitioning=None)
        return tuple(table.column(name).to_numpy() for name in names)
    except (pa.ArrowException, OSError, KeyError) as problem:
        raise BrokenPart(f"cannot read {part}: it is no whole Parquet file of rows.  (move it away to recover what is left)") from problem


def _attempted(folder: RunFolder, invokers: int, found: Flags) -> Numbers:
    """The highest seq that each invoker attempted: by its mark, or by its last row where the mark did not reach this machine."""
    attempted = np.full(invokers, NOTHING_ATTEMPTED, np.int64)
    for invoker in range(invokers):
        rows = np.flatnonzero(found[invoker::invokers])
        if len(rows):
            attempted[invoker] = rows[-1] * invokers + invoker
    return _by_marks(folder, attempted)


def _by_marks(folder: RunFolder, attempted: Numbers) -> Numbers:
    """The same, or what an invoker's mark says where that is more."""
    for mark in folder.marks():
        attempted[invoker_of(mark)] = max(attempted[invoker_of(mark)], read_mark(mark))
    return attempted


def _nodes(folder: RunFolder, manifest: Manifest) -> dict[int, str]:
    """The node of each invoker."""
    told = {each["invoker"]: str(each["node"]) for each in manifest.fleet if "invoker" in each and "node" in each}
    left = {invoker_of(mark): mark.parent.name.removeprefix("node=") for mark in folder.marks()}
    return {invoker: left.get(invoker) or told.get(invoker) or UNKNOWN_NODE for invoker in range(manifest.invokers)}


def _write_missing(path: Path, plan: Plan, missing: Flags, mine: Flags, attempted: Numbers, free_us: Numbers | None) -> tuple[int, int]:
    """Write rows for the missing calls of the invokers that are `mine`; how many were lost, and how many unsent."""
    windows = _only(plan, missing, mine, free_us)
    first = next(windows, None)
    if first is None:
        path.unlink(missing_ok=True)
        return 0, 0
    naming = Naming(plan.recipe)
    lost = unsent = 0
    with part_writer(path) as append:
        for window in _gathered(first, windows):
            invokers = (window.seqs % len(mine)).astype(np.int16)
            is_unsent = window.seqs > attempted[invokers]
            append(_columns(window, invokers, is_unsent, naming), len(window))
            unsent += int(is_unsent.sum())
            lost += int((~is_unsent).sum())
    return lost, unsent


def _only(plan: Plan, missing: Flags, mine: Flags, free_us: Numbers | None) -> Iterator[Window]:
    for window in plan.windows():
        chosen = missing[window.seqs] & mine[window.seqs % len(mine)]
        if chosen.any():
            due_us = window.due_us if free_us is None else free_us[window.seqs]
            yield Window(window.seqs[chosen], due_us[chosen], window.entries[chosen], window.variants[chosen])


def _gathered(first: Window, rest: Iterator[Window]) -> Iterator[Window]:
    """Windows joined until they fill a row group."""
    gathered = [first]
    for window in rest:
        if sum(map(len, gathered)) + len(window) > ROW_GROUP_ROWS:
            yield _joined(gathered)
            gathered = []
        gathered.append(window)
    yield _joined(gathered)


def _joined(windows: list[Window]) -> Window:
    return Window(
        np.concatenate([window.seqs for window in windows]),
        np.concatenate([window.due_us for window in windows]),
        np.concatenate([window.entries for window in windows]),
        np.concatenate([window.variants for window in windows]),
    )


def _columns(window: Window, invokers: NDArray[np.int16], is_unsent: Flags, naming: Naming) -> dict[str, pa.Array]:
    return {
        **naming.columns(window.entries, window.due_us),
        "seq": pa.array(window.seqs),
        "invoker": pa.array(invokers),
        "intended_us": pa.array(window.due_us),
        "outcome": pa.DictionaryArray.from_arrays(pa.array(is_unsent.astype(np.int32)), _OUTCOMES),
    }
