"""What a storm asks for against what there is: figures in, findings out.

Each ceiling is one limit, with what the storm asks of it, what there is, at how many calls a second it would be reached, and what lifts
it. Calls at once, memory and processors follow from Little's law: calls a second, times the seconds that each holds on to something.

Seconds come from a few calls made one by one, and a record's `duration` is cut to whole milliseconds, twice. So there are two figures: the
mean of the calls, from which a ceiling is told and a warning given, and the least that can be true (the shortest call, less one
millisecond), without which nothing is refused. docs/preflight.md has the table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import fmean

from owray.health.limits import RESERVED_DESCRIPTORS, TIME_WAIT_S
from owray.http1.pool import MAX_USES
from owray.storm.figures import COARSE_MS, Accuracy, Ceiling, Cure, Demand, Fit, Measured, Supply, number, rounded

STALL_S = 1.0
"""A pause of the platform that a storm should live through: what descriptors and ports are looked at for, beside the calls expected."""

PLATFORM_WAITS_MS = 60_000
"""How long OpenWhisk lets a blocking call wait before it answers 202."""

_CPU_BEYOND_DOUBT = 2.0
_BACKLOG_BEYOND_DOUBT_S = 10.0


def weigh(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> tuple[Ceiling, ...]:
    """All ceilings, the lowest first; those without a rate come last."""
    found = [_calls_a_minute(asked, supply), *_by_size(asked, supply, actions), *_by_time_limit(asked, actions)]
    if any(action.duration_ms for action in actions):
        found += [_calls_at_once(asked, supply, actions), _memory(asked, supply, actions), *_cpu(asked, supply, actions)]
        found += [*_descriptors(asked, supply, actions), *_ports(asked, supply, actions)]
    return tuple(sorted(found, key=lambda each: math.inf if each.rps is None else each.rps))


def binds_first(ceilings: Sequence[Ceiling]) -> Ceiling | None:
    """The lowest of them; None where none has a rate."""
    return next((each for each in ceilings if each.rps is not None), None)


def rate_that_fits(ceilings: Sequence[Ceiling]) -> float | None:
    """The highest rate below all of these, to two digits; None where no rate would do."""
    if not ceilings or any(each.rps is None for each in ceilings):
        return None
    return rounded(min(each.rps for each in ceilings if each.rps is not None)) or None


def cures(ceilings: Sequence[Ceiling], supply: Supply) -> list[str]:
    """What lifts these, one line each; knobs of a lab are turned in one go."""
    lines = list(dict.fromkeys(each.cure.text for each in ceilings if each.cure.text))
    knobs = _turned(each.cure.knob for each in ceilings if each.cure.knob)
    if knobs:
        profile = "" if supply.profile in (None, "bench") else f" --profile {supply.profile}"
        lines.insert(0, f"owray down, then owray up local{profile} {knobs}")
    return lines


def _turned(knobs: Iterable[str]) -> str:
    """Each knob once, as far as it has to be turned: of one knob all figures are in one unit."""
    furthest: dict[str, str] = {}
    for knob in knobs:
        option = knob.split()[0]
        furthest[option] = max(furthest.get(option, knob), knob, key=lambda one: int(re.sub(r"\D", "", one)))
    return " ".join(furthest.values())


# --- limits of the namespace


def _calls_a_minute(asked: Demand, supply: Supply) -> Ceiling:
    what, limit = ("fires a minute", supply.fires_a_minute) if asked.is_fired else ("calls a minute", supply.calls_a_minute)
    demand = min(asked.planned, math.ceil(asked.rps * 60))
    if limit is None:
        return Ceiling(what, number(demand), "not told")
    both = demand + asked.spent_calls
    level = Fit.SPOILS if demand > limit else Fit.DOUBTFUL if both > limit else Fit.FITS
    note = ""
    if level is Fit.DOUBTFUL:
        note = f"{what}: {number(demand)} asked for, {number(asked.spent_calls)} spent beforehand, {number(limit)} there in all"
    if asked.is_fired:
        names = ("--fires-per-minute", "LIMITS_TRIGGERS_FIRES_PERMINUTE", "--firesPerMinute")
    else:
        names = ("--invocations-per-minute", "LIMITS_ACTIONS_INVOKES_PERMINUTE", "--invocationsPerMinute")
    cure = _cure_of(supply, *names, _rounded_up(both))
    return Ceiling(what, number(demand), number(limit), level, limit / min(60.0, asked.length_s), cure=cure, note=note)


def _calls_at_once(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Ceiling:
    what, limit = "calls at once", supply.concurrent_calls
    mean = asked.at_once(_sum(actions, lambda action: action.mean_s))
    most = asked.swell(mean)
    if limit is None:
        return Ceiling(what, _estimate(mean), "not told")
    level = _level(limit, most, asked.at_once(_sum(actions, lambda action: action.least_s)))
    cure = _cure_of(
        supply, "--concurrent-invocations", "LIMITS_ACTIONS_INVOKES_CONCURRENT", "--concurrentInvocations", _rounded_up(2 * most)
    )
    rps, accuracy = _reached(limit, actions, lambda action: 1.0)
    return Ceiling(what, _estimate(most), number(limit), level, rps, accuracy, cure)


def _cure_of(supply: Supply, knob: str, variable: str, option: str, wanted: int) -> Cure:
    if supply.profile is not None:
        return Cure(knob=f"{knob} {wanted}")
    command = f"wskadmin limits set {supply.namespace} {option} {wanted} (noticed within 5 minutes)"
    return Cure(text=f"{command}, or {variable}={wanted} for its controllers")


# --- what containers run on


def _memory(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Ceiling:
    what, limit = "container memory", supply.memory_mb
    known = [action for action in actions if action.memory_mb is not None]

    def in_use_mb(seconds: Callable[[Measured], float], calls: Callable[[float], float]) -> float:
        calls_s = _sum(actions, seconds)
        held_mb_s = _sum(known, lambda action: seconds(action) * (action.memory_mb or 0))
        return calls(calls_s) * held_mb_s / calls_s if calls_s else 0.0

    most_mb = in_use_mb(lambda action: action.mean_s, lambda seconds: asked.swell(asked.at_once(seconds)))
    if limit is None:
        return Ceiling(what, f"{_estimate(most_mb)} MB", "not told")
    level = _level(limit, most_mb, in_use_mb(lambda action: action.least_s, asked.at_work))
    rps, accuracy = _reached(limit, known, lambda action: action.memory_mb or 0)
    cure = Cure(knob=f"--user-memory {_rounded_up(1.5 * most_mb)}m")
    return Ceiling(what, f"{_estimate(most_mb)} MB", f"{number(limit)} MB", level, rps, accuracy, cure)


def _cpu(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Iterator[Ceiling]:
    """Processors, where calls compute for long enough to tell.

    A function's own report is believed. Without one, its duration is the most that it can have computed, from which nobody is warned.
    """
    reported_s = _sum(actions, lambda action: fmean(action.cpu_ms or (0.0,)) / 1000)
    silent_s = _sum(actions, lambda action: 0.0 if action.cpu_ms or action.mean_s <= COARSE_MS / 1000 else action.mean_s)
    seconds = reported_s + silent_s
    if not seconds or supply.cores is None:
        return
    cores = supply.cores
    least_s = _sum(actions, lambda action: min(action.cpu_ms, default=0.0) / 1000)
    backlog_s = asked.planned * least_s / cores - asked.length_s
    level = Fit.DOUBTFUL if asked.rps * reported_s > cores else Fit.FITS
    if asked.rps * least_s > _CPU_BEYOND_DOUBT * cores and backlog_s > _BACKLOG_BEYOND_DOUBT_S:
        level = Fit.SPOILS
    rps = cores / seconds
    yield Ceiling(
        "CPU",
        f"about {number(max(0.1, round(asked.rps * seconds, 1)))}",
        f"{cores} core{'s' * (cores > 1)}",
        level,
        rps,
        Accuracy.AT_LEAST if silent_s else Accuracy.ABOUT,
        Cure(text="a smaller --size, or a platform with more cores"),
    )


# --- what the machine that sends has


def _descriptors(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Iterator[Ceiling]:
    if supply.descriptors is None:
        return
    usable = max(1, supply.descriptors - RESERVED_DESCRIPTORS)
    yield _connections(
        "descriptors",
        usable,
        asked,
        actions,
        share=1 / asked.invokers,
        closing_s=0.0,
        cure="ulimit -n HIGHER before owray up, more --invokers, or a --max-in-flight",
    )


def _ports(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Iterator[Ceiling]:
    if supply.ports is None:
        return
    cure = 'sysctl -w net.ipv4.ip_local_port_range="1024 65535", or a --max-in-flight'
    yield _connections("local ports", supply.ports, asked, actions, share=1.0, closing_s=TIME_WAIT_S / MAX_USES, cure=cure)


def _connections(
    what: str, limit: int, asked: Demand, actions: Sequence[Measured], *, share: float, closing_s: float, cure: str
) -> Ceiling:
    """Each call under way holds a connection for as long as its answer takes, and each connection is kept for a while when it is closed."""
    service_s = _sum(actions, lambda action: fmean(action.service_ms or (0.0,)) / 1000)

    def in_use(seconds: float) -> float:
        return (asked.at_once(seconds) + asked.rps * closing_s) * share

    level = _level(limit, in_use(service_s + STALL_S), in_use(_sum(actions, lambda action: action.least_s)))
    note = ""
    if level is Fit.DOUBTFUL:
        note = f"{what}: a platform that pauses for {STALL_S:g} s takes {_estimate(in_use(service_s + STALL_S))} of {number(limit)}"
    rps = limit / share / max(service_s + closing_s, COARSE_MS / 1000)
    return Ceiling(what, _estimate(in_use(service_s)), number(limit), level, rps, Accuracy.ABOUT, Cure(text=cure), note)


# --- what does not depend on the rate


def _by_size(asked: Demand, supply: Supply, actions: Sequence[Measured]) -> Iterator[Ceiling]:
    limit = supply.payload_bytes
    for action in actions:
        if limit is not None and action.payload_bytes > limit:
            cure = Cure(knob=f"--payload {action.payload_bytes}b") if supply.profile else Cure(text="smaller parameters")
            size = f"{number(action.payload_bytes)} bytes"
            yield Ceiling(f"payload of {action.name}", size, f"{number(limit)} bytes", Fit.SPOILS, cure=cure)


def _by_time_limit(asked: Demand, actions: Sequence[Measured]) -> Iterator[Ceiling]:
    for action in actions:
        answered_ms = min(action.time_limit_ms or 0, PLATFORM_WAITS_MS)
        if asked.timeout_ms < answered_ms:
            note = (
                f"--timeout {asked.timeout_ms / 1000:g}s gives up on {action.name} before the platform does, after {answered_ms / 1000:g} s"
            )
            yield Ceiling("time-out", f"{asked.timeout_ms} ms", f"{answered_ms} ms", Fit.DOUBTFUL, note=note)


# --- arithmetic


def _sum(actions: Sequence[Measured], of: Callable[[Measured], float]) -> float:
    """The mean over the storm's calls."""
    return sum(action.share * of(action) for action in actions)


def _level(limit: float, most: float, least: float) -> Fit:
    if least > limit:
        return Fit.SPOILS
    return Fit.DOUBTFUL if most > limit else Fit.FITS


def _reached(limit: float, actions: Sequence[Measured], of: Callable[[Measured], float]) -> tuple[float | None, Accuracy]:
    """At how many calls a second `limit` is used up, each call holding `of` for its duration, at least a millisecond."""
    held = _sum(actions, lambda action: max(action.mean_s, COARSE_MS / 1000) * of(action))
    if not held:
        return None, Accuracy.EXACT
    is_coarse = any(action.mean_s <= COARSE_MS / 1000 for action in actions)
    return limit / held, Accuracy.AT_LEAST if is_coarse else Accuracy.ABOUT


def _rounded_up(value: float) -> int:
    """To two significant digits, upwards."""
    step = int(10 ** max(0, len(str(math.ceil(value))) - 2))
    return math.ceil(value / step) * step


def _estimate(value: float) -> str:
    return "under 1" if value < 1 else f"about {number(round(value))}"
