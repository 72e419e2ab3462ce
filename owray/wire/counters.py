"""What an invoker counts as it goes: the live view's numbers, and the witness against its own rows.

The rows are the evidence; these are sums that a snapshot can carry once a second. Response times are kept here in logarithmic buckets
of an eighth of a power of two (at most 12.5 % wide): good enough to watch, never used for a result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from owray.record.layout import Outcome

_SUB_BITS = 3
BUCKETS = 64 << _SUB_BITS


def bucket_of(response_us: int) -> int:
    """The bucket of a response time; every value has one, negative ones the first."""
    if response_us < 1 << _SUB_BITS:
        return max(response_us, 0)
    exponent = response_us.bit_length() - _SUB_BITS - 1
    return min((exponent << _SUB_BITS) + (response_us >> exponent), BUCKETS - 1)


def bucket_start_us(bucket: int) -> int:
    """The least response time in a bucket."""
    if bucket < 2 << _SUB_BITS:
        return bucket
    exponent = (bucket >> _SUB_BITS) - 1
    return ((bucket & ((1 << _SUB_BITS) - 1)) + (1 << _SUB_BITS)) << exponent


@dataclass(slots=True)
class Counters:
    """Sums of one invoker; `area_call_us` is the integral of calls in flight over time, for Little's law, `containers` how many distinct
    ones have answered."""

    dispatched: int = 0
    attempted: int = 0
    finished: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    held_now: int = 0
    held: int = 0
    cold: int = 0
    containers: int = 0
    lag_max_us: int = 0
    area_call_us: int = 0
    outcomes: list[int] = field(default_factory=lambda: [0] * len(Outcome))
    responses: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    @classmethod
    def sum(cls, parts: list[Counters]) -> Counters:
        """Of several invokers; maxima are the greatest single one, but calls in flight add up. Invokers meet the same containers: there are
        at least as many as one of them has met."""
        total = cls()
        for part in parts:
            for name in ("dispatched", "attempted", "finished", "in_flight", "most_in_flight", "held_now", "held", "cold", "area_call_us"):
                setattr(total, name, getattr(total, name) + getattr(part, name))
            total.containers = max(total.containers, part.containers)
            total.lag_max_us = max(total.lag_max_us, part.lag_max_us)
            total.outcomes = [one + other for one, other in zip(total.outcomes, part.outcomes, strict=True)]
            total.responses = [one + other for one, other in zip(total.responses, part.responses, strict=True)]
        return total

    def response_percentile_us(self, share: float) -> int | None:
        """The start of the bucket that holds this share of response times so far; None before the first."""
        wanted = share * sum(self.responses)
        seen = 0
        for bucket, count in enumerate(self.responses):
            seen += count
            if count and seen >= wanted:
                return bucket_start_us(bucket)
        return None
