"""The verdict on a run: facts from its rows, weighed, and written into its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from owray.ask.evidence import facts_of
from owray.ask.session import Session
from owray.ask.summary import Summary, summarise
from owray.fleet.spec import FleetReport
from owray.judge.verdict import Verdict
from owray.judge.verdict import judge as weigh
from owray.record.run import RunFolder


@dataclass(frozen=True, slots=True)
class Judged:
    """A run in figures, and whether they can be believed."""

    summary: Summary
    verdict: Verdict


def judge(folder: RunFolder, fleet: FleetReport) -> Judged:
    """Draw the facts from the rows, weigh them, and keep the verdict with the run."""
    with Session([folder]) as session:
        verdict = weigh(facts_of(session, lost=fleet.lost, late=fleet.late))
        summary = summarise(session)
    folder.update(verdict=verdict.to_json())
    return Judged(summary, verdict)
