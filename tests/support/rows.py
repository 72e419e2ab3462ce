"""Rows in memory, as an invoker writes them: named fields, held to what a packed row can take."""

from collections import namedtuple
from typing import Any

from owray.record.layout import NULL_8, NULL_16, NULL_32, NULL_64, PACKED_FIELDS, ROW, Outcome

Row: Any = namedtuple("Row", [name for name, _ in PACKED_FIELDS])

NULLS = {"q": NULL_64, "i": NULL_32, "h": NULL_16, "b": NULL_8, "16s": bytes(16)}
_NULL_OF = {name: NULLS[code] for name, code in PACKED_FIELDS}


class MemoryRows:
    """Keeps rows as they came. `full_from_ns`: from this tick on the disk is full."""

    def __init__(self, full_from_ns: int | None = None) -> None:
        self.rows: list[Any] = []
        self.texts: list[str] = []
        self.marked = -1
        self.ticks: list[int] = []
        self._full_from_ns = full_from_ns
        self._named: set[str] = set()

    def add(self, *fields: int | bytes) -> None:
        self.rows.append(Row(*ROW.unpack(ROW.pack(*fields))))

    @property
    def containers(self) -> int:
        return len(self._named)

    def container(self, fingerprint: str) -> int:
        self._named.add(fingerprint)
        return self.text(fingerprint)

    def text(self, text: str) -> int:
        self.texts.append(text)
        return len(self.texts) - 1

    def error(self, template: str) -> int:
        return self.text(template)

    def mark(self, seq: int) -> None:
        assert seq > self.marked, "calls are attempted in the order of the plan"
        self.marked = seq

    def tick(self, now_ns: int) -> None:
        self.ticks.append(now_ns)
        if self._full_from_ns is not None and now_ns >= self._full_from_ns:
            raise OSError(28, "No space left on device")

    # --- for tests

    def by_seq(self) -> dict[int, Any]:
        """Rows by their seq, which must not come twice."""
        found = {row.seq: row for row in self.rows}
        assert len(found) == len(self.rows)
        return found

    def outcomes(self) -> dict[str, int]:
        """How many rows of each outcome there are, by its label."""
        labels = [Outcome(row.outcome).label for row in self.rows]
        return {label: labels.count(label) for label in sorted(set(labels))}

    def error_of(self, row: Any) -> str | None:
        return None if row.error == NULL_32 else self.texts[row.error]

    def container_of(self, row: Any) -> str | None:
        return None if row.container == NULL_32 else self.texts[row.container]


def given(row: Any, name: str) -> bool:
    """Whether a field of a row is not null."""
    return bool(getattr(row, name) != _NULL_OF[name])


def response_us(row: Any) -> int:
    """lag + held + connect + service, nulls as zero."""
    return sum(getattr(row, name) for name in ("lag_us", "held_us", "connect_us", "service_us") if given(row, name))


def end_us(row: Any) -> int:
    return int(row.intended_us) + response_us(row)


def attempt_us(row: Any) -> int:
    """When a call was attempted, in microseconds from t0."""
    return int(row.intended_us + row.lag_us + (row.held_us if given(row, "held_us") else 0))
