"""The verdict on a run, and what became of its objectives: drawn from its rows, weighed, and written into its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from owray.ask.evidence import facts_of
from owray.ask.measures import measure
from owray.ask.session import Session
from owray.ask.summary import Summary, summarise
from owray.fleet.spec import FleetReport
from owray.judge.objectives import Objective
from owray.judge.results import ObjectiveResult, judge_objectives
from owray.judge.verdict import Verdict
from owray.judge.verdict import judge as weigh
from owray.record.run import RunFolder


@dataclass(frozen=True, slots=True)
class Judged:
    """A run in figures, whether they can be believed, and whether they are as good as was asked for."""

    summary: Summary
    verdict: Verdict
    objectives: tuple[ObjectiveResult, ...] = ()


def judge(folder: RunFolder, fleet: FleetReport, objectives: Sequence[Objective] = ()) -> Judged:
    """Draw the facts from the rows, weigh them, and keep verdict and results with the run."""
    with Session([folder]) as session:
        verdict = weigh(facts_of(session, lost=fleet.lost, late=fleet.late))
        summary = summarise(session)
        results = results_of(session, objectives)
    folder.update(verdict=verdict.to_json(), objectives=tuple(result.to_json() for result in results))
    return Judged(summary, verdict, results)


def results_of(session: Session, objectives: Sequence[Objective]) -> tuple[ObjectiveResult, ...]:
    """What became of objectives in the one run of this session."""
    return judge_objectives(objectives, measure(session, [objective.metric for objective in objectives]))
