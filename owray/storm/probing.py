"""Calls that are no part of the storm: made beforehand through the control plane, to learn what an action does.

They carry the storm's own parameters and are read as its calls are, so what would be `wrong` there is `wrong` here.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.plan.mix import Entry
from owray.record.layout import NO_ID, NULL_32, Outcome
from owray.wire.outcome import Reading
from owray.wire.requests import reader_of

LOG_WITHIN_S = 2.0
"""A record is stored some time after its call was answered, and its logs with it."""

_WORDS = 200


@dataclass(frozen=True, slots=True)
class Probe:
    """One call: what the reply says, how long it took in all, and what the action or the platform says of a failure, in its own words."""

    reading: Reading
    elapsed_ms: float
    words: str

    @property
    def is_cold(self) -> bool:
        return self.reading.init_ms != NULL_32

    @property
    def is_fine(self) -> bool:
        return self.reading.outcome in (Outcome.OK, Outcome.ACCEPTED)

    @property
    def run_ms(self) -> float:
        """The run alone, without an initialisation; all the time that it took where no record tells."""
        if self.reading.duration_ms == NULL_32:
            return self.elapsed_ms
        return max(0, self.reading.duration_ms - (self.reading.init_ms if self.is_cold else 0))

    @property
    def cpu_ms(self) -> float | None:
        """What the function itself reports as computing."""
        told = [part for part in (self.reading.gen_us, self.reading.compute_us) if part != NULL_32]
        return sum(told) / 1000 if told else None


async def probe(client: OpenWhisk, entry: Entry, number: int = 0) -> Probe:
    """Call an action once; `number` chooses among its parameters. Raises OpenWhiskError where it cannot be called at all."""
    variant = entry.variants[number % len(entry.variants)]
    began_s = time.monotonic()
    status, body = await client.call(entry.path, variant.parameters, entry.namespace)
    elapsed_ms = (time.monotonic() - began_s) * 1000
    reading = reader_of(entry)(status, body, lambda name: None, variant.expected)
    return Probe(reading, elapsed_ms, "" if reading.outcome is Outcome.OK else _own_words(body) or reading.error or f"status {status}")


async def last_log_line(client: OpenWhisk, failed: Probe) -> str | None:
    """The last line that a failed call left in its logs; None where there is none, or the platform keeps them elsewhere."""
    if failed.reading.activation_id == NO_ID:
        return None
    try:
        record = await client.activation(failed.reading.activation_id.hex(), patience_s=LOG_WITHIN_S)
    except OpenWhiskError:
        return None
    lines = [line.strip() for line in record.logs if line.strip()]
    return lines[-1][-_WORDS:] if lines else None


def _own_words(body: bytes) -> str | None:
    """The error of an answer as it stands there: a row's has its numbers taken out."""
    try:
        data = json.loads(body)
        said = data["response"]["result"] if "response" in data else data
        error = said["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    text = error if isinstance(error, str) else json.dumps(error)
    return " ".join(text.split())[:_WORDS]
