"""Containers warmed before the storm, at the storm's own concurrency.

A platform starts a container for a call that finds none idle, so N containers take N calls at once, and a fast action may have answered
the first before the last has arrived. So rounds of calls are made, wider where one brought nothing new, until N containers are known:
by the fingerprint that an action reports, else by counting initialisations. Then N calls at once have to start none anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from owray.openwhisk.client import OpenWhisk
from owray.plan.mix import Entry
from owray.storm.probing import Probe, probe

MOST_ROUNDS = 8
WIDEST = 4
"""Calls of a round, for each container wanted."""


@dataclass(frozen=True, slots=True)
class Prewarmed:
    """One action: containers wanted, and met or started; `started_anew` by as many calls at once in the end; `problem` ended it early."""

    action: str
    wanted: int
    warm: int
    started_anew: int
    calls: int
    problem: str = ""

    @property
    def is_enough(self) -> bool:
        return self.warm >= self.wanted and not self.started_anew and not self.problem

    @property
    def sentence(self) -> str:
        warm = f"{self.action}: {min(self.warm, self.wanted):,} of {self.wanted:,} containers warm"
        if self.problem:
            return f"{warm}: {self.problem}"
        anew = f"{self.started_anew:,} anew" if self.started_anew else "none anew"
        return f"{warm}; {self.wanted:,} calls at once started {anew}"

    def to_json(self) -> Mapping[str, Any]:
        return asdict(self)


async def prewarm(client: OpenWhisk, entry: Entry, wanted: int, most_at_once: int) -> Prewarmed:
    """Warm so many containers of an action, or as many as there can be. Raises OpenWhiskError where it cannot be called.

    `most_at_once` calls are under way together at most; where more are wanted that is the problem, and nothing is verified.
    """
    met: set[str] = set()
    started = calls = 0
    width = min(wanted, most_at_once)
    known = 0
    for _ in range(MOST_ROUNDS):
        probes = await _at_once(client, entry, width)
        calls += width
        started += sum(each.is_cold for each in probes)
        met.update(each.reading.container for each in probes if each.reading.container is not None)
        problem = _problem(probes)
        before, known = known, len(met) or started
        if problem or known >= wanted:
            break
        if known == before:
            width = min(2 * width, WIDEST * wanted, most_at_once)
    started_anew = 0
    if not problem and wanted > most_at_once:
        problem = f"only {most_at_once:,} calls can be under way at once here  (ulimit -n)"
    if not problem:
        verified = await _at_once(client, entry, wanted)
        calls += wanted
        started_anew = sum(each.is_cold for each in verified)
        problem = _problem(verified)
    return Prewarmed(entry.action, wanted, known, started_anew, calls, problem)


async def _at_once(client: OpenWhisk, entry: Entry, width: int) -> list[Probe]:
    return await asyncio.gather(*(probe(client, entry, number) for number in range(width)))


def _problem(probes: list[Probe]) -> str:
    return next((f"{each.reading.outcome.label}: {each.words}" for each in probes if not each.is_fine), "")
