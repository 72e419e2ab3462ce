"""The throttles of a namespace: calls in a minute, fires in a minute, and calls in flight.

The minute is the calendar minute of the platform's clock: neither a sliding nor a rolling window, although the text says "in the last
minute". A refused call is counted too. So a client at full rate gets its allowance right after each full minute, and the count in the
text grows with every further try.

In flight is what was published and is not yet completed, queued or running; completion comes after the logs were collected.
No refusal carries a Retry-After header: the real platform sends none.
"""

from __future__ import annotations

from collections.abc import Callable

from cluster.openwhisk.embedded.answers import refusal
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs

MINUTE_MS = 60_000


class RateThrottle:
    """At most `limit` admissions per namespace and calendar minute."""

    def __init__(self, limit: int, wall_ms: Callable[[], int]) -> None:
        self._limit = limit
        self._wall_ms = wall_ms
        self._minute = -1
        self._counts: dict[str, int] = {}

    def admit(self, namespace: str) -> None:
        """Take one token. Raises the 429; the token is spent all the same."""
        minute = self._wall_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        count = self._counts.get(namespace, 0) + 1
        self._counts[namespace] = count
        if count > self._limit:
            raise refusal(429, f"Too many requests in the last minute (count: {count}, allowed: {self._limit}).")


class ConcurrencyThrottle:
    """At most `limit` activations of a namespace in flight. Testing and counting are apart, as in the real one: bursts overshoot."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight: dict[str, int] = {}

    def admit(self, namespace: str) -> None:
        """Raises the 429 where too many are in flight."""
        count = self._in_flight.get(namespace, 0)
        if count >= self._limit:
            raise refusal(429, f"Too many concurrent requests in flight (count: {count}, allowed: {self._limit}).")

    def published(self, namespace: str) -> None:
        self._in_flight[namespace] = self._in_flight.get(namespace, 0) + 1

    def completed(self, namespace: str) -> None:
        self._in_flight[namespace] -= 1

    def in_flight(self, namespace: str) -> int:
        return self._in_flight.get(namespace, 0)


class Throttles:
    """All of a platform: an invocation passes both of its own, the firing of a trigger only a rate."""

    def __init__(self, knobs: Knobs, clock: Clock) -> None:
        self.invocations = RateThrottle(knobs.invocations_per_minute, clock.controller_ms)
        self.fires = RateThrottle(knobs.fires_per_minute, clock.controller_ms)
        self.concurrency = ConcurrencyThrottle(knobs.concurrent_invocations)

    def admit_invocation(self, namespace: str) -> None:
        """Raises the 429 of the rate, then that of the concurrency; the token of the rate is spent either way."""
        self.invocations.admit(namespace)
        self.concurrency.admit(namespace)
