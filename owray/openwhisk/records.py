"""The activation record: what OpenWhisk says of one call.

Times are milliseconds of the platform's own wall clock, cut at whole milliseconds. `init_ms` is there only when the call initialised its
container, so its presence is the test for a cold start. `wait_ms` begins on the controller's clock and ends on the invoker's: it may be
negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Activation:
    """One record; `result` is what the action returned, or an object with `error` in it."""

    id: str
    name: str
    version: str
    status: str
    success: bool
    result: Any
    start_ms: int
    end_ms: int | None
    duration_ms: int | None
    logs: tuple[str, ...]
    annotations: Mapping[str, Any]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Activation:
        """Of the record as the platform sends it. Raises KeyError when it is not one."""
        response = record["response"]
        return cls(
            id=record["activationId"],
            name=record["name"],
            version=record["version"],
            status=response["status"],
            success=response["success"],
            result=response.get("result"),
            start_ms=record["start"],
            end_ms=record.get("end"),
            duration_ms=record.get("duration"),
            logs=tuple(record.get("logs", ())),
            annotations=annotations_of(record),
        )

    @property
    def wait_ms(self) -> int | None:
        return self.annotations.get("waitTime")

    @property
    def init_ms(self) -> int | None:
        return self.annotations.get("initTime")

    @property
    def cold(self) -> bool:
        return self.init_ms is not None

    @property
    def kind(self) -> str | None:
        return self.annotations.get("kind")


def runtimes_of(info: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]] | None:
    """The runtimes in a platform's own answer to `GET /` that are not deprecated, by family; None where it names none."""
    runtimes = info.get("runtimes")
    if not isinstance(runtimes, dict):
        return None
    families = {name: family if isinstance(family, list) else [] for name, family in runtimes.items()}
    return {
        name: [each for each in family if isinstance(each, dict) and "kind" in each and not each.get("deprecated")]
        for name, family in families.items()
    }


def annotations_of(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Annotations of a record or an action as a mapping; the platform sends a list of keys and values."""
    return {annotation["key"]: annotation["value"] for annotation in entity.get("annotations", ())}
