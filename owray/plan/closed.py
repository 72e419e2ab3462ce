"""A closed loop as a plan: users that call one after another, where a rate would say when calls are due.

Its calls have an order and no due times. How many there will be is known where they are counted; of a loop that is ended by time it is
known afterwards, when the run is sealed: then `dealt` says how many each invoker began, and from it the plan can be made again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from owray.plan.arrivals import WINDOW_CALLS, Microseconds

LONGEST_S = 86_400.0
"""A loop of counted calls has no other end in time: a day is enough for one that hangs."""

MOST_USERS = 100_000
"""Each holds a connection, of which one address can have some 60,000 to one server."""


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """`users` that each call, wait for the end, think for `think_s` and call again, until `duration_s` after t0.

    `dealt[j]` is how many calls invoker j began; empty while that is not known.
    """

    users: int
    think_s: float = 0.0
    duration_s: float = LONGEST_S
    dealt: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.users <= MOST_USERS and 0 <= self.think_s < math.inf and 0 < self.duration_s < math.inf):
            raise ValueError(f"a closed loop needs 1 to {MOST_USERS:,} users, a think time and a duration above zero, got {self}")
        if any(count < 0 for count in self.dealt):
            raise ValueError(f"an invoker begins no call or more, got {min(self.dealt)}")

    @property
    def end_seq(self) -> int:
        """Above the highest seq that was dealt: invoker j of K deals j, j + K, j + 2 K and so on."""
        return max(((count - 1) * len(self.dealt) + invoker + 1 for invoker, count in enumerate(self.dealt) if count), default=0)

    def expected_calls(self) -> float:
        """How many were dealt, inf while that is not known."""
        return float(sum(self.dealt)) if self.dealt else math.inf

    def order(self) -> Iterator[Microseconds]:
        """Windows of calls without due times, endlessly: a user calls when it is free."""
        while True:
            yield np.zeros(WINDOW_CALLS, dtype=np.int64)

    def is_dealt(self, seqs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these calls were begun; all while that is not known."""
        if not self.dealt:
            return np.ones(len(seqs), dtype=np.bool_)
        began: NDArray[np.bool_] = seqs // len(self.dealt) < np.array(self.dealt)[seqs % len(self.dealt)]
        return began

    def told(self) -> str:
        users = f"{self.users:,} user{'s' * (self.users > 1)}"
        return f"{users} thinking for {self.think_s:g} s" if self.think_s else users
