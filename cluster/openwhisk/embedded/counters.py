"""What the platform counts as it goes, for `/metrics`: plain integers, since a call passes several of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Since the platform's start. `starts` goes by the pool's word for how a call met its container: cold, warmed, recreated ..."""

    starts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    """HTTP statuses of answers."""
    outcomes: Counter[int] = field(default_factory=Counter)
    """Activations completed, by the status of their response (0 to 3)."""
    wait_ms: int = 0
    init_ms: int = 0
    run_ms: int = 0
    """Sums over completed activations."""
    containers_lost: int = 0
    """Containers whose process ended by itself while they were idle."""
    starts_failed: int = 0
    records_dropped: int = 0
    logs_truncated: int = 0
