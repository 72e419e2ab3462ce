"""What a closed loop asks for, by what a few calls have shown: nothing else tells before it is played.

Users that call one after another make users / (service + think) calls a second (Little's law turned round), as long as the platform is as
fast as it was for one call at a time. It will not be faster, so this is the most; and no more than its processors can compute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from owray.plan.closed import Closed
from owray.storm.figures import Ceiling, Demand, Fit, Measured
from owray.storm.request import StormRequest


def closed_demand(demand: Demand, loop: Closed, calls: int | None, cores: int | None, measured: Sequence[Measured]) -> Demand:
    """The demand with the rate that these users can make at most, and the calls that this comes to; 0 where no call has shown how fast."""
    known = [action for action in measured if action.service_ms]
    service_s = sum(action.share * fmean(action.service_ms) / 1000 for action in known)
    compute_s = sum(action.share * fmean(action.cpu_ms) / 1000 for action in known if action.cpu_ms)
    rps = loop.users / (service_s + loop.think_s) if service_s else 0.0
    if cores is not None and compute_s:
        rps = min(rps, cores / compute_s)
    length_s = loop.duration_s if calls is None or not rps else float(f"{calls / rps:.2g}")
    planned = round(rps * length_s) if calls is None else calls
    return replace(demand, rps=rps, planned=max(1, planned), length_s=length_s, max_in_flight=loop.users)


def too_few_calls(request: StormRequest, demand: Demand) -> Iterator[Ceiling]:
    """A warning where a loop that time ends is not likely to make the calls that an objective takes. A count is looked at before."""
    if request.load.concurrency is None or request.load.calls is not None or not demand.rps:
        return
    needed = max((objective.samples_needed for objective in request.objectives), default=0)
    measured_s = demand.length_s - request.warmup_s
    expected = math.ceil(demand.rps * measured_s)
    if expected < needed:
        note = f"an objective takes {needed:,} calls after the warm-up, and in {measured_s:g} s these users make about {expected:,} at most"
        yield Ceiling("calls", "", "", Fit.DOUBTFUL, note=note)
