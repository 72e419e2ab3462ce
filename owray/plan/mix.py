"""Which action a call goes to, and with which parameters.

Both come from a hash of the call's seq, not from a stream of random numbers: so any invoker knows the choice for any call without
having made the ones before it. The hash is SplitMix64's finaliser (Steele, Lea, Flood 2014) over seed and seq; the high 32 bits choose
the entry by weight, the low 32 bits choose among its variants. Integers throughout: the choice is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Seqs = NDArray[np.int64]
Choices = NDArray[np.int16]

Kind = Literal["action", "web", "trigger"]
Method = Literal["GET", "POST"]

MOST_VARIANTS = (1 << 15) - 1
"""Rows hold the choice in 16 bits."""

_GOLDEN_GAMMA = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of parameters for an action, with the checksum that a right answer carries (None where it is not known)."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What a right answer is, as JSON texts: the result it has to equal (an object: to contain), the JSON Schema it has to fit."""

    expect: str | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a mix: an action at a size, how often it is chosen, and the parameters it may be called with.

    `path` is what is invoked, relative to the namespace ("align" or "package/align"); `action` is the name that rows hold. An empty
    `namespace` is the target's own. Of a trigger `path` is the name; of a web action it is the URL from its path on, and `method` counts.
    """

    workload: str
    action: str
    size: str
    path: str
    weight: float = 1.0
    variants: tuple[Variant, ...] = (Variant(),)
    stream: str = "main"
    kind: Kind = "action"
    namespace: str = ""
    method: Method = "POST"
    check: Check | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ValueError(f"the weight of {self.action!r} must be a number above zero, got {self.weight}")
        if not 0 < len(self.variants) <= MOST_VARIANTS:
            raise ValueError(
                f"{self.action!r} needs 1 to {MOST_VARIANTS:,} sets of parameters to be called with, got {len(self.variants):,}"
            )


class Mix:
    """Deals every seq one entry and one of its variants."""

    def __init__(self, entries: Sequence[Entry], seed: int) -> None:
        if not entries:
            raise ValueError("a mix needs at least one action")
        if len(entries) > MOST_VARIANTS:
            raise ValueError(f"a mix holds at most {MOST_VARIANTS:,} actions, got {len(entries):,}")
        self.entries = tuple(entries)
        self._start = start_of(seed)
        # Upper bounds on the 32-bit scale, in exact fractions: numpy's sums differ in their last bit from processor to processor.
        cumulative = list(accumulate(Fraction(entry.weight) for entry in entries))
        self._bounds = np.array([bound * (1 << 32) // cumulative[-1] for bound in cumulative], dtype=np.uint64)
        self._variant_counts = np.array([len(entry.variants) for entry in entries], dtype=np.uint64)

    def choose(self, seqs: Seqs) -> tuple[Choices, Choices]:
        """Indices of the entry, and of the variant within it, for each seq."""
        bits = hashed(seqs, self._start)
        entries = np.searchsorted(self._bounds, bits >> np.uint64(32), side="right")
        low = bits & np.uint64(0xFFFFFFFF)
        variants = (low * self._variant_counts[entries]) >> np.uint64(32)
        return entries.astype(np.int16), variants.astype(np.int16)


def start_of(seed: int) -> np.uint64:
    """Where the hashes of a seed begin."""
    # The seed is hashed itself: added as it is, it would only shift the sequence, and seed 2 play seed 1 from the second call on.
    start: np.uint64 = hashed(np.array([seed], dtype=np.int64), np.uint64(_GOLDEN_GAMMA))[0]
    return start


def hashed(seqs: Seqs, start: np.uint64) -> NDArray[np.uint64]:
    """64 bits for each number, of which one tells nothing of another."""
    mixed = seqs.astype(np.uint64) * np.uint64(_GOLDEN_GAMMA) + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
