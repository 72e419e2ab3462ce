"""The platform's two clocks: the controller's, and the (OpenWhisk) invoker's, which may be off by a skew.

A wait time spans both, so on hosts whose clocks differ it can be negative or too long: a client that trusts it should meet that here.
"""

from __future__ import annotations

import time


class Clock:
    """Epoch milliseconds, truncated, as the real platform takes them."""

    def __init__(self, skew_ms: int = 0) -> None:
        self._skew_ms = skew_ms

    def controller_ms(self) -> int:
        """Of requests, throttles, sequences and triggers."""
        return time.time_ns() // 1_000_000

    def invoker_ms(self) -> int:
        """Of containers: init, run, deadlines, log lines."""
        return time.time_ns() // 1_000_000 + self._skew_ms
