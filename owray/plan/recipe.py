"""A plan as a recipe: a few numbers and a seed, from which every invoker makes the same calls.

The recipe is what a run's manifest keeps; `Plan` makes the calls of it, window by window. Call seq i of the plan is the i-th arrival;
invoker j of K plays the calls with seq = j (mod K). Making the whole stream costs about 10 ns a call, so nothing has to be handed out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from owray.plan.arrivals import Even, Microseconds, Poisson, Ramp, Spacing, due_us
from owray.plan.mix import Choices, Entry, Mix, Seqs

Arrivals = Literal["constant", "poisson"]

MOST_CALLS = 1_000_000_000
"""A plan is counted before it is played, at about 10 ns a call; nobody has asked for more than an hour at 100,000 a second."""

_SEED_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was asked of a storm.

    `calls` ends the plan after that many calls, whatever the duration; `duration_s` then only has to be long enough (see `duration_of`).
    Calls due before `warmup_s` are flagged `warmup`, all others `measure`.
    """

    rps: float
    duration_s: float
    entries: tuple[Entry, ...]
    arrivals: Arrivals = "constant"
    seed: int = 1
    warmup_s: float = 0.0
    calls: int | None = None

    def __post_init__(self) -> None:
        if self.arrivals not in get_args(Arrivals):
            raise ValueError(f"arrivals are one of {', '.join(get_args(Arrivals))}, not {self.arrivals!r}")
        if not 0 <= self.seed < _SEED_LIMIT:
            raise ValueError(f"a seed lies between 0 and 2^63 - 1, got {self.seed}")
        if not 0 <= self.warmup_s < math.inf:
            raise ValueError(f"a warm-up is a number of seconds, zero or more, got {self.warmup_s} s")
        if self.calls is not None and self.calls < 1:
            raise ValueError(f"a storm needs at least one call, got {self.calls}")
        rate = Ramp(self.rps, self.rps, self.duration_s)
        planned = rate.expected_calls() if self.calls is None else self.calls
        if planned > MOST_CALLS:
            raise ValueError(f"a plan of {planned:,.0f} calls is more than the {MOST_CALLS:,} that one run may have")

    @staticmethod
    def duration_of(calls: int, rps: float) -> float:
        """Seconds in which `calls` calls are due whatever the arrivals: the mean and ten standard deviations of a Poisson count."""
        return (calls + 10 * math.sqrt(calls) + 10) / rps

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


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


class Plan:
    """The calls of a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._mix = Mix(recipe.entries, recipe.seed)
        self._rate = Ramp(recipe.rps, recipe.rps, recipe.duration_s)
        self._spacing: Spacing = Poisson(recipe.seed) if recipe.arrivals == "poisson" else Even()

    def windows(self) -> Iterator[Window]:
        """All calls in order of seq, which is the order of due times."""
        return self.share(0, 1)

    def share(self, invoker: int, invokers: int) -> Iterator[Window]:
        """The calls of one invoker, in order; empty windows are left out."""
        for first, due in self._due():
            skip = (invoker - first) % invokers
            mine = due[skip::invokers]
            if len(mine):
                seqs = np.arange(first + skip, first + len(due), invokers, dtype=np.int64)
                entries, variants = self._mix.choose(seqs)
                yield Window(seqs, mine, entries, variants)

    def count(self) -> int:
        """How many calls are planned."""
        return sum(len(due) for _, due in self._due())

    def length_us(self) -> int:
        """When the plan ends, in microseconds from t0: its duration, or the last call's due time where the calls are counted."""
        if self.recipe.calls is None:
            return round(self.recipe.duration_s * 1e6)
        return max((int(due[-1]) for _, due in self._due() if len(due)), default=0)

    def _due(self) -> Iterator[tuple[int, Microseconds]]:
        """(seq of the first call, due times) of each window, ended by the count of calls where there is one."""
        seq = 0
        limit = self.recipe.calls
        for due in due_us(self._rate, self._spacing):
            kept = due if limit is None else due[: max(0, limit - seq)]
            yield seq, kept
            seq += len(kept)
            if limit is not None and seq >= limit:
                return
