"""A plan as a recipe: a few numbers and a seed, from which every invoker makes the same calls.

The recipe is what a run's manifest keeps; `Plan` makes the calls of it, window by window. Call seq i of the plan is the i-th arrival of
all its streams together; invoker j of K plays the calls with seq = j (mod K). Making the whole stream costs about 10 ns a call, so nothing
has to be handed out. A listed plan is the exception: its calls are in a file, which `Plan` is given a reader of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from owray.plan.arrivals import Even, Microseconds, Poisson, Spacing, Uniform, due_us
from owray.plan.closed import Closed
from owray.plan.merge import merged
from owray.plan.mix import Choices, Entry, Mix, Seqs
from owray.plan.shapes import Bursts, Listed, Ramp, Shape

Arrivals = Literal["constant", "uniform", "poisson"]

MOST_CALLS = 1_000_000_000
"""A plan is counted before it is played, at about 10 ns a call; nobody has asked for more than an hour at 100,000 a second."""

MOST_STREAMS = 64
"""They are merged on the fly, which costs each call the more the more there are; a trace of thousands is a plan file."""

_SEED_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls that belong together: when they are due, from `start_s` on. Its mix are the recipe's entries that bear its name."""

    shape: Shape | Closed
    arrivals: Arrivals = "constant"
    name: str = "main"
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.arrivals not in get_args(Arrivals):
            raise ValueError(f"arrivals are one of {', '.join(get_args(Arrivals))}, not {self.arrivals!r}")
        if not 0 <= self.start_s < math.inf:
            raise ValueError(f"the stream {self.name!r} starts at a number of seconds, zero or more, got {self.start_s} s")
        if not (isinstance(self.shape, Closed) or self.shape.expected_calls() > 0):
            raise ValueError(f"the stream {self.name!r} plans no call")
        if self.arrivals != "constant" and isinstance(self.shape, Bursts):
            raise ValueError(f"the calls of a burst are due at once: there is nothing to space, as {self.arrivals} arrivals would")
        if isinstance(self.shape, Closed) and (self.arrivals != "constant" or self.start_s):
            raise ValueError("the calls of a closed loop are due when a user is free: they have no arrivals, and begin at t0")

    @property
    def end_s(self) -> float:
        return self.start_s + self.shape.duration_s

    def due_us(self, seed: int, number: int) -> Iterator[Microseconds]:
        """Due times, window by window, as the recipe's stream of this number; zeros without end for a closed loop."""
        if isinstance(self.shape, Closed):
            yield from self.shape.order()
            return
        if isinstance(self.shape, Listed):
            raise TypeError("a listed plan is read, not made")
        start_us = round(self.start_s * 1e6)
        spacings: dict[Arrivals, Spacing] = {"constant": Even(), "uniform": Uniform(seed, number), "poisson": Poisson(seed, number)}
        for due in due_us(self.shape, spacings[self.arrivals]):
            yield due + start_us


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was asked of a storm.

    `calls` ends the plan after that many calls, whatever the shapes; these then only have to be long enough (see `duration_of`).
    Calls due before `warmup_s` are flagged `warmup`, all others `measure`.
    """

    streams: tuple[Stream, ...]
    entries: tuple[Entry, ...]
    seed: int = 1
    warmup_s: float = 0.0
    calls: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < _SEED_LIMIT:
            raise ValueError(f"a seed lies between 0 and 2^63 - 1, got {self.seed}")
        if not 0 <= self.warmup_s < math.inf:
            raise ValueError(f"a warm-up is a number of seconds, zero or more, got {self.warmup_s} s")
        if self.calls is not None and self.calls < 1:
            raise ValueError(f"a storm needs at least one call, got {self.calls}")
        names = [stream.name for stream in self.streams]
        if not 0 < len(names) <= MOST_STREAMS or len(set(names)) < len(names):
            raise ValueError(f"a recipe has 1 to {MOST_STREAMS:,} streams, each with a name of its own, got {', '.join(names) or 'none'}")
        if self.listed is None and any(isinstance(stream.shape, Listed) for stream in self.streams):
            raise ValueError("a listed plan is all of a storm: it cannot be one stream of several, nor be ended by a count")
        if self.listed is None and set(names) != {entry.stream for entry in self.entries}:
            raise ValueError(f"each stream needs an action and each action a stream, got {', '.join(names)}")
        if self.closed is None and any(isinstance(stream.shape, Closed) for stream in self.streams):
            raise ValueError("a closed loop is alone in its recipe: beside others it would not be known which of them slows it down")
        if MOST_CALLS < self.expected_calls() < math.inf:
            raise ValueError(f"a plan of {self.expected_calls():,.0f} calls is more than the {MOST_CALLS:,} that one run may have")

    @staticmethod
    def steady(
        rps: float, duration_s: float, entries: tuple[Entry, ...], arrivals: Arrivals = "constant", *, calls: int | None = None, **more: Any
    ) -> Recipe:
        """One stream at one rate."""
        stream = Stream(Ramp(rps, rps, duration_s), arrivals, entries[0].stream if entries else "main")
        return Recipe((stream,), entries, calls=calls, **more)

    @staticmethod
    def duration_of(calls: int, rps: float) -> float:
        """Seconds in which `calls` calls are due whatever the arrivals: the mean and ten standard deviations of a Poisson count."""
        return (calls + 10 * math.sqrt(calls) + 10) / rps

    @property
    def closed(self) -> Closed | None:
        """The closed loop that this is; None for an open loop."""
        shape = self.streams[0].shape
        return shape if isinstance(shape, Closed) and len(self.streams) == 1 else None

    @property
    def is_open_ended(self) -> bool:
        """Whether it is not known yet how many calls there are: a closed loop that time ends, before its run is sealed."""
        return self.calls is None and self.closed is not None and not self.closed.dealt

    def as_dealt(self, dealt: tuple[int, ...]) -> Recipe:
        """The recipe of an open-ended loop, when it is known how many calls each invoker began."""
        (stream,) = self.streams
        if not isinstance(stream.shape, Closed):
            raise TypeError("only the calls of a closed loop are dealt")
        return replace(self, streams=(replace(stream, shape=msgspec.structs.replace(stream.shape, dealt=dealt)),))

    @property
    def listed(self) -> Listed | None:
        """The calls' list, where there is one: then it is the only stream, and entries bear the names of streams as the list has them."""
        shape = self.streams[0].shape
        return shape if isinstance(shape, Listed) and len(self.streams) == 1 and self.calls is None else None

    @property
    def duration_s(self) -> float:
        """When the last stream ends."""
        return max(stream.end_s for stream in self.streams)

    @property
    def mean_rps(self) -> float:
        """Of no use for a closed loop, whose rate is found and not asked for."""
        return math.fsum(stream.shape.expected_calls() for stream in self.streams) / self.duration_s

    @property
    def arrivals(self) -> str:
        """Of all streams, where they are the same, else `mixed`; `listed` where a list says when each call is due."""
        if self.closed is not None:
            return "closed loop"
        if self.listed is not None:
            return "listed"
        kinds = {stream.arrivals for stream in self.streams}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    def expected_calls(self) -> float:
        """inf where it is not known."""
        planned = math.fsum(stream.shape.expected_calls() for stream in self.streams)
        return planned if self.calls is None else min(planned, self.calls)

    def told(self) -> str:
        """The rate over time in a few words."""
        if len(self.streams) > 1:
            return f"{len(self.streams)} streams of {self.mean_rps:g} calls a second together"
        return self.streams[0].shape.told()

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive calls of a plan, or of one invoker's share of it; arrays of one length.

    `due_us` is in microseconds from t0; `entries` and `variants` are indices into the recipe's entries and the entry's variants.
    """

    seqs: Seqs
    due_us: Microseconds
    entries: Choices
    variants: Choices

    def __len__(self) -> int:
        return len(self.seqs)


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan in few numbers: `per_bin[k]` calls are due in the k-th `bin_s` seconds."""

    calls: int
    last_us: int
    bin_s: float
    per_bin: NDArray[np.int64]

    @property
    def peak_rps(self) -> float:
        """Of the fullest bin."""
        return float(self.per_bin.max(initial=0)) / self.bin_s


ReadList = Callable[[], Iterator[tuple[Microseconds, Choices, Choices]]]
"""Due times, entries and variants of a listed plan, window by window in order of seq; each time from the beginning."""


class Plan:
    """The calls of a recipe. Those of a listed one are read by `read_list`, without which it can be counted, but not played."""

    def __init__(self, recipe: Recipe, read_list: ReadList | None = None) -> None:
        self.recipe = recipe
        self._read_list = read_list
        self._mixes = [] if recipe.listed else [_StreamMix(recipe, stream.name) for stream in recipe.streams]

    def windows(self) -> Iterator[Window]:
        """All calls in order of seq, which is the order of due times; none of an open-ended loop, which has no last one."""
        return iter(()) if self.recipe.is_open_ended else self.share(0, 1)

    def share(self, invoker: int, invokers: int) -> Iterator[Window]:
        """The calls of one invoker, in order; empty windows are left out."""
        if self.recipe.listed is not None:
            yield from self._listed(invoker, invokers)
            return
        closed = self.recipe.closed
        for first, due, streams in self._due():
            skip = (invoker - first) % invokers
            seqs = np.arange(first + skip, first + len(due), invokers, dtype=np.int64)
            mine, numbers = due[skip::invokers], streams[skip::invokers]
            if closed is not None:
                dealt = closed.is_dealt(seqs)
                seqs, mine, numbers = seqs[dealt], mine[dealt], numbers[dealt]
            if len(mine):
                entries, variants = self._choose(seqs, numbers)
                yield Window(seqs, mine, entries, variants)

    def count(self) -> int:
        """How many calls are planned; 0 of an open-ended loop, of which that is not known."""
        if self.recipe.listed is not None:
            return self.recipe.listed.calls
        closed = self.recipe.closed
        if closed is not None:
            return self.recipe.calls or sum(closed.dealt)
        return sum(len(due) for _, due, _ in self._due())

    def planned(self) -> NDArray[np.bool_]:
        """For each seq up to the last, whether it is planned: each one is, but where the invokers of a closed loop began unequally many."""
        closed = self.recipe.closed
        if closed is None or self.recipe.calls is not None:
            return np.ones(self.count(), dtype=np.bool_)
        return closed.is_dealt(np.arange(closed.end_seq))

    def length_us(self) -> int:
        """When the plan ends, in microseconds from t0: its duration, or the last call's due time where the calls are counted
        and have one."""
        if self.recipe.calls is None or self.recipe.closed is not None:
            return round(self.recipe.duration_s * 1e6)
        return max((int(due[-1]) for _, due, _ in self._due() if len(due)), default=0)

    def outline(self, bin_s: float) -> Outline:
        """Counts of the whole plan, in bins of so many seconds."""
        counts = np.zeros(math.floor(self.recipe.duration_s / bin_s) + 1, dtype=np.int64)
        calls = last_us = 0
        for due in self._due_times():
            if len(due):
                bins = np.minimum((due / (bin_s * 1e6)).astype(np.int64), len(counts) - 1)
                here = np.bincount(bins - bins[0])
                counts[bins[0] : bins[0] + len(here)] += here
                calls += len(due)
                last_us = int(due[-1])
        return Outline(calls, last_us, bin_s, counts)

    def _due_times(self) -> Iterator[Microseconds]:
        if self.recipe.listed is None:
            return (due for _, due, _ in self._due())
        return (window.due_us for window in self.windows())

    def _listed(self, invoker: int, invokers: int) -> Iterator[Window]:
        if self._read_list is None:
            raise TypeError("the calls of a listed plan are in a file, which this plan was not given")
        first = 0
        for due, entries, variants in self._read_list():
            skip = (invoker - first) % invokers
            seqs = np.arange(first + skip, first + len(due), invokers, dtype=np.int64)
            if len(seqs):
                yield Window(seqs, due[skip::invokers], entries[skip::invokers], variants[skip::invokers])
            first += len(due)

    def _choose(self, seqs: Seqs, streams: Choices) -> tuple[Choices, Choices]:
        if len(self._mixes) == 1:
            return self._mixes[0].choose(seqs)
        entries = np.empty(len(seqs), dtype=np.int16)
        variants = np.empty(len(seqs), dtype=np.int16)
        for number in np.unique(streams):
            mine = streams == number
            entries[mine], variants[mine] = self._mixes[number].choose(seqs[mine])
        return entries, variants

    def _due(self) -> Iterator[tuple[int, Microseconds, Choices]]:
        """(seq of the first call, due times, stream numbers) of each window, ended by the count of calls where there is one."""
        seq = 0
        limit = self._limit()
        streams = [stream.due_us(self.recipe.seed, number) for number, stream in enumerate(self.recipe.streams)]
        for due, numbers in merged(streams):
            kept = len(due) if limit is None else min(len(due), limit - seq)
            yield seq, due[:kept], numbers[:kept]
            seq += kept
            if limit is not None and seq >= limit:
                return

    def _limit(self) -> int | None:
        closed = self.recipe.closed
        if self.recipe.calls is None and closed is not None:
            return closed.end_seq if closed.dealt else MOST_CALLS
        return self.recipe.calls


class _StreamMix:
    """The mix of one stream, in the recipe's numbering of entries."""

    def __init__(self, recipe: Recipe, stream: str) -> None:
        self._numbers = np.array([number for number, entry in enumerate(recipe.entries) if entry.stream == stream], dtype=np.int16)
        self._mix = Mix([recipe.entries[number] for number in self._numbers], recipe.seed)

    def choose(self, seqs: Seqs) -> tuple[Choices, Choices]:
        entries, variants = self._mix.choose(seqs)
        return self._numbers[entries], variants
