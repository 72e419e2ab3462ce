"""Why a storm ended before its plan was played: a kind for programs, and a text for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    INTERRUPTED = "interrupted"  # Ctrl-C, a kill, a closed terminal
    NOT_WRITTEN = "not_written"  # the disk took no more rows
    INVOKER_LOST = "invoker_lost"
    JOURNAL_DAMAGED = "journal_damaged"
    RECOVERED = "recovered"  # it broke off with nobody there to say why


@dataclass(frozen=True, slots=True)
class EarlyEnd:
    """What run.json keeps. `kind` is a `Kind`, or what a later version wrote there."""

    kind: str
    text: str


BROKE_OFF = EarlyEnd(Kind.RECOVERED, "it broke off; owray recover has accounted for its calls")
