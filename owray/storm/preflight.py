"""Before the storm: a few calls of each action, and whether the storm fits what there is.

One call and five more of each action, as far as the limit of calls a minute leaves room. The first is cold where its container was. What
fails here would fail in the storm, and what does not fit would measure a limit instead of the platform: both refuse the storm, unless it
is forced.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from owray.http1.descriptors import connections_left
from owray.openwhisk.client import OpenWhisk
from owray.openwhisk.target import Target
from owray.plan.closed import Closed
from owray.plan.mix import Entry
from owray.plan.recipe import Recipe, Stream
from owray.plan.shapes import Bursts
from owray.storm import preflight_view as view
from owray.storm.bad_request import BadRequest
from owray.storm.beforehand import Called, NextMinute, call_beforehand
from owray.storm.ceilings import binds_first, weigh
from owray.storm.closed_demand import closed_demand, too_few_calls
from owray.storm.deploying import PreparedPlatform
from owray.storm.figures import Demand, Fit, Measured, Supply
from owray.storm.prewarm import prewarm
from owray.storm.request import StormRequest
from owray.storm.supply import supply_of

CALLS_AN_ACTION = 6
SHARE_OF_A_MINUTE = 10
"""All calls beforehand take at most the tenth part of what a minute allows, but for one of each action."""


class Refused(BadRequest):
    """The storm would be spoilt; what it is about has been printed."""


async def before_the_storm(
    request: StormRequest, recipe: Recipe, target: Target, prepared: PreparedPlatform, console: Console
) -> dict[str, Any]:
    """Preflight and prewarming, as the request has them; fields of the run's manifest.

    Raises Refused; OpenWhiskError where the platform cannot be called.
    """
    fields: dict[str, Any] = {}
    async with OpenWhisk(target) as client:
        if request.preflight:
            fields["preflight"] = await _preflight(client, request, recipe, supply_of(prepared, target), console)
        if request.prewarm:
            done = [await prewarm(client, entry, request.prewarm, connections_left()) for entry in recipe.entries]
            fields["prewarm"] = tuple(each.to_json() for each in done)
            view.show_prewarmed(done, console)
    return fields


async def _preflight(client: OpenWhisk, request: StormRequest, recipe: Recipe, supply: Supply, console: Console) -> dict[str, Any]:
    called = [Called(entry, []) for entry in recipe.entries]
    actions = [each for each in called if each.entry.kind == "action"]  # a trigger, or a web action's URL, may do what nobody can undo
    fit = [each for each in actions if supply.payload_bytes is None or _payload_bytes(each.entry) <= supply.payload_bytes]
    hopeless = any(each.level is Fit.SPOILS for each in weigh(_asked(request, 0), supply, ()))
    patient = not request.force and not hopeless
    await call_beforehand(client, fit, _calls_an_action(supply, len(called)), console, NextMinute() if patient else None)
    measured = [_measured(each, share) for each, share in zip(called, _shares(recipe), strict=True)]
    made = sum(len(each.probes) for each in called)
    spent = made + 2 * request.prewarm * len(called)
    failures = [each.failure for each in called if each.failure is not None]
    used_up = {each.used_up.what: each.used_up for each in called if each.used_up is not None}
    demand = _asked(request, spent, supply.cores, measured)
    ceilings = (*failures, *weigh(demand, supply, measured), *used_up.values(), *too_few_calls(request, demand))
    spoilers = [each for each in ceilings if each.level is Fit.SPOILS]
    if spoilers and not request.force:
        view.show_refusal(called, ceilings, supply, console, is_closed=request.load.concurrency is not None)
        raise Refused(view.refusal(spoilers, supply))
    view.show_passed(called, ceilings, supply, demand.length_s, console)
    lowest = binds_first(ceilings)
    return {
        "calls": made,
        "actions": [_action_json(each, figures) for each, figures in zip(called, measured, strict=True)],
        "ceilings": [asdict(each) for each in ceilings],
        "binds_first": None if lowest is None else lowest.what,
        "forced": bool(spoilers),
    }


def _calls_an_action(supply: Supply, actions: int) -> int:
    if supply.calls_a_minute is None:
        return CALLS_AN_ACTION
    return max(1, min(CALLS_AN_ACTION, supply.calls_a_minute // SHARE_OF_A_MINUTE // actions))


def _measured(called: Called, share: float) -> Measured:
    """The figures of warm calls that went well; of a cold one where there is no other."""
    entry = called.entry
    fine = [each for each in called.probes if each.is_fine]
    used = [each for each in fine if not each.is_cold] or fine
    reported = [each.cpu_ms for each in used if each.cpu_ms is not None]
    return Measured(
        name=entry.action,
        share=share,
        payload_bytes=_payload_bytes(entry),
        duration_ms=tuple(each.run_ms for each in used),
        service_ms=tuple(round(each.elapsed_ms, 3) for each in used),
        cpu_ms=tuple(reported) if len(reported) == len(used) else (),
        memory_mb=called.memory_mb,
        time_limit_ms=called.time_limit_ms,
    )


def _payload_bytes(entry: Entry) -> int:
    """The largest body that a call of it has."""
    return max(len(json.dumps(dict(variant.parameters), separators=(",", ":")).encode()) for variant in entry.variants)


def _asked(request: StormRequest, spent: int, cores: int | None = None, measured: Sequence[Measured] = ()) -> Demand:
    """The request in figures. Its plan is not made for it: a count that chance changes a little is good enough here."""
    streams = [stream.stream() for stream in request.streams()]
    demand = Demand(
        rps=0.0,
        planned=1,
        length_s=request.planned_s,
        timeout_ms=round(request.timeout_s * 1000),
        max_in_flight=request.max_in_flight,
        invokers=request.invokers,
        is_random=any(stream.arrivals == "poisson" for stream in streams),
        spent_calls=spent,
        is_fired=request.call.trigger is not None,
    )
    first = streams[0].shape
    if isinstance(first, Closed):
        return closed_demand(demand, first, request.load.calls, cores, measured)
    burst = max(max(stream.shape.sizes) if isinstance(stream.shape, Bursts) else 0 for stream in streams)
    return replace(demand, rps=_peak_rps(streams), planned=max(1, round(request.planned)), burst=burst)


def _peak_rps(streams: Sequence[Stream]) -> float:
    """The peaks of the streams that are under way together, where these come to most: that begins where one of them starts."""
    peaks = [(stream.start_s, stream.end_s, stream.shape.peak_rps) for stream in streams if not isinstance(stream.shape, Closed)]
    return max(sum(rps for start_s, end_s, rps in peaks if start_s <= moment_s < end_s) for moment_s, _, _ in peaks)


def _shares(recipe: Recipe) -> list[float]:
    """The part of the plan's calls that goes to each entry: by its weight within its stream."""
    if len(recipe.streams) == 1:  # maybe a list, whose entries bear names of its own, or a closed loop, of which no count is known
        total = sum(entry.weight for entry in recipe.entries)
        return [entry.weight / total for entry in recipe.entries]
    calls = {stream.name: stream.shape.expected_calls() for stream in recipe.streams}
    weights = {name: sum(entry.weight for entry in recipe.entries if entry.stream == name) for name in calls}
    together = sum(calls.values())
    return [calls[entry.stream] / together * entry.weight / weights[entry.stream] for entry in recipe.entries]


def _action_json(called: Called, measured: Measured) -> dict[str, Any]:
    first = called.probes[0] if called.probes else None
    cold_ms = round(first.elapsed_ms, 3) if first is not None and first.is_cold else None
    return {**asdict(measured), "cold_ms": cold_ms, "calls": len(called.probes)}
