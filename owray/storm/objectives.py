"""Objectives between the user and the judge: read before load, shown after it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from rich.markup import escape

from owray.judge.objectives import Objective, ObjectiveError, parse
from owray.judge.results import ObjectiveResult, State
from owray.judge.verdict import Level
from owray.openwhisk.catalogue import UnknownNameError
from owray.plan.mix import Entry
from owray.storm.bad_request import BadRequest
from owray.storm.request import StormRequest

_STYLE = {State.MET: "green", State.MISSED: "bold red", State.UNDECIDED: "bold yellow"}
_INDENT = " " * 11


def read_objectives(texts: Iterable[str]) -> tuple[Objective, ...]:
    """The objectives that these texts say, each once. Raises BadRequest."""
    try:
        return tuple(dict.fromkeys(parse(text) for text in texts))
    except ObjectiveError as problem:
        raise BadRequest(f"--slo: {problem}") from None


def check_actions(objectives: Iterable[Objective], entries: Iterable[Entry]) -> None:
    """Raises UnknownNameError where an objective is about an action that is not among these."""
    known = list(dict.fromkeys(entry.action for entry in entries))
    for objective in objectives:
        action = objective.metric.action
        if action is not None and action not in known:
            raise UnknownNameError("action", action, known, hint=f"--slo {str(objective)!r}: the storm calls {', '.join(known)}")


def check_samples(request: StormRequest) -> None:
    """Raises BadRequest where fewer calls are planned than an objective takes to be decided, unless nobody is to look or it is forced.

    Of a closed loop that time ends it is not known how many there will be; the preflight estimates it.
    """
    needed = max((objective.samples_needed for objective in request.objectives), default=0)
    if math.isinf(request.planned):
        return
    planned = round(request.planned)
    measured = round(request.planned * (1 - request.warmup_s / request.planned_s))
    if measured >= needed or request.force or not request.preflight:
        return
    calls = needed + planned - measured
    duration = f"--calls {calls}, or a --duration of {math.ceil(calls / request.planned * request.planned_s)}s"
    longer = duration if request.is_level else f"a plan of {calls:,} calls or more"
    if request.load.concurrency is not None:
        longer = f"--calls {calls}"
    cure = f"{longer}; --force plays it all the same"
    raise BadRequest(f"too few calls: an objective takes {needed:,} after the warm-up, and {measured:,} are planned.  ({cure})")


def lines(results: Sequence[ObjectiveResult], level: Level) -> Iterator[str]:
    """A line of the summary for each objective, with rich's markup; none where nothing was asked for."""
    texts = [str(result.objective) for result in results]
    width = max(map(len, texts), default=0)
    for number, (text, result) in enumerate(zip(texts, results, strict=True)):
        label = "objectives " if number == 0 else _INDENT
        state = result.state.value
        yield f"{label}{escape(text.ljust(width))}  [{_STYLE[result.state]}]{state:<9}[/]  {escape(result.found)}"
    if any(result.state is State.UNDECIDED for result in results):
        yield f"{_INDENT}an objective that is undecided was not met"
    if results and level is Level.INVALID:
        yield f"{_INDENT}the run is INVALID: this says nothing about the platform"
