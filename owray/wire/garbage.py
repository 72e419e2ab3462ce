"""Keeping Python's garbage collector out of the storm.

A full collection walks every container object; with modules, plans and thousands of calls in flight that is tens of milliseconds, in
which nothing is sent. What exists before the storm is frozen (never walked again), and the thresholds are raised: calls are freed by
their reference counts, so there is little to collect. Every pause that happens all the same is counted, for the verdict.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

_STORM_THRESHOLDS = (50_000, 50, 100)


@dataclass(slots=True)
class Pauses:
    """Collections since the freeze: how many, the longest, and all together."""

    count: int = 0
    longest_us: int = 0
    total_us: int = 0


class QuietCollector:
    """Freezes what exists and counts pauses, from `freeze` to `thaw`."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.pauses = Pauses()
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._thresholds = gc.get_threshold()

    def freeze(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_STORM_THRESHOLDS)
        gc.callbacks.append(self._observe)

    def thaw(self) -> None:
        gc.callbacks.remove(self._observe)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def _observe(self, phase: Literal["start", "stop"], info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began_ns = self._clock_ns()
            return
        pause_us = (self._clock_ns() - self._began_ns) // 1000
        self.pauses.count += 1
        self.pauses.total_us += pause_us
        self.pauses.longest_us = max(self.pauses.longest_us, pause_us)
