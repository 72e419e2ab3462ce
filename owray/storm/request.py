"""What the user asked for, checked before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from owray.judge.objectives import Objective
from owray.plan.mix import Entry, Method
from owray.plan.recipe import MOST_CALLS, Arrivals, Recipe
from owray.problems import Problem

DEFAULT_RPS = 10.0
DEFAULT_DURATION_S = 10.0
DEFAULT_TIMEOUT_S = 90.0
"""Longer than any answer that OpenWhisk may rightly give: 202 after 60 s, the controller's 503 after 65 s, nginx's 504 after 75 s."""

MOST_RPS = 1e6
MOST_PREWARMED = 1000
"""Containers of an action: more are beyond what calls from one place can hold open together."""

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)


class BadRequest(Problem):
    """A storm that cannot be; the text names cause and fix."""


def seconds(text: str, option: str) -> float:
    """ "500ms", "10s", "2m" or "1h", as given to an option. Raises BadRequest."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise BadRequest(f"{option}: {text!r} is no duration; one looks like 500ms, 10s, 2m or 1h")
    if match[2] is None:
        raise BadRequest(f"{option}: {text!r} has no unit; {match[1]} seconds are {match[1]}s, and there are ms, m and h")
    return float(match[1]) * _UNITS_S[match[2]]


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What is called if it is neither workload nor action, where those two are found, what the calls carry, how answers are checked."""

    web: str | None = None
    method: Method | None = None
    trigger: str | None = None
    actions_dir: Path | None = None
    param: tuple[str, ...] = ()
    params: Path | None = None
    expect: str | None = None
    expect_schema: Path | None = None

    def checks(self, workload: str | None, action: str | None, size: str | None) -> Iterator[tuple[bool, str]]:
        """What would be wrong, and what to say then."""
        named = [name for name in (workload, action, self.web, self.trigger) if name is not None]
        one = "name what is to be called: one of --workload, --action, --web, --trigger.  (owray workloads lists what owray brings)"
        yield len(named) != 1, one
        own = workload is None and (action is None or "/" in action)
        yield own and size is not None, "--size is one of a catalogue's action; what is there already is called with --param or --params"
        yield own and self.actions_dir is not None, "--actions-dir is where a --workload or an --action without a / is looked for"
        yield self.method is not None and self.web is None, "--method is for --web; all else is a POST"
        checked = self.expect is not None or self.expect_schema is not None
        yield checked and self.trigger is not None, "a trigger has no result that --expect or --expect-schema could look at"


@dataclass(frozen=True, slots=True)
class StormRequest:
    """A storm as asked for. Of `workload`, `action` and what `call` may name exactly one is given; of `calls` and `duration_s` the first
    ends the storm."""

    rps: float = DEFAULT_RPS
    duration_s: float | None = None
    calls: int | None = None
    workload: str | None = None
    action: str | None = None
    size: str | None = None
    arrivals: Arrivals = "constant"
    seed: int = 1
    warmup_s: float = 0.0
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_in_flight: int | None = None
    invokers: int = 1
    runs: Path | None = None
    preflight: bool = True
    force: bool = False
    prewarm: int = 0
    objectives: tuple[Objective, ...] = ()
    call: CallRequest = CallRequest()

    def __post_init__(self) -> None:
        for wrong, text in self._checks():
            if wrong:
                raise BadRequest(text)

    def _checks(self) -> Iterator[tuple[bool, str]]:
        """What would be wrong, and what to say then; each may rely on those before it."""
        yield from self.call.checks(self.workload, self.action, self.size)
        yield not 0 < self.rps <= MOST_RPS, f"--rps is to be above zero and at most {MOST_RPS:,.0f}, not {self.rps:g}"
        yield self.calls is not None and self.calls < 1, f"--calls is to be at least 1, not {self.calls}"
        yield self.duration_s is not None and not self.duration_s > 0, f"--duration is to be above zero, not {self.duration_s} s"
        yield not self.timeout_s > 0, f"--timeout is to be above zero, not {self.timeout_s:g} s"
        yield not 1 <= self.invokers <= 256, f"--invokers is to be between 1 and 256, not {self.invokers}"
        yield not 0 <= self.seed < 1 << 63, f"--seed lies between 0 and 2^63 - 1, not {self.seed}"
        yield not 0 <= self.prewarm <= MOST_PREWARMED, f"--prewarm is to be between 0 and {MOST_PREWARMED:,}, not {self.prewarm}"
        called = self.call.web or self.call.trigger
        yield bool(self.prewarm and called), "--prewarm is for actions: a web action or a trigger would be called for nothing"
        unused = "--force plays what the preflight would refuse, and --no-preflight leaves the preflight out; leave one of them out"
        yield self.force and not self.preflight, unused
        cap = self.max_in_flight
        too_small = cap is not None and cap < self.invokers
        yield too_small, f"--max-in-flight {cap} cannot be shared by {self.invokers} invokers; each needs at least one"
        calls = self.rps * self.planned_s
        yield calls > MOST_CALLS, f"a storm of {calls:,.0f} calls is more than the {MOST_CALLS:,} that one run may have; make it shorter"
        nothing_left = self.warmup_s >= self.planned_s
        yield nothing_left, f"a warm-up of {self.warmup_s:g} s leaves nothing of a storm of {self.planned_s:g} s to measure"

    @property
    def planned_s(self) -> float:
        """How long the plan lasts, or about how long where calls are counted."""
        counted_s = None if self.calls is None else self.calls / self.rps
        ends = [end for end in (self.duration_s, counted_s) if end is not None]
        return min(ends, default=DEFAULT_DURATION_S)

    def recipe(self, entries: tuple[Entry, ...]) -> Recipe:
        """The plan that this asks for, over these entries."""
        duration_s = self.duration_s
        if duration_s is None:
            duration_s = DEFAULT_DURATION_S if self.calls is None else Recipe.duration_of(self.calls, self.rps)
        return Recipe(
            rps=self.rps,
            duration_s=duration_s,
            entries=entries,
            arrivals=self.arrivals,
            seed=self.seed,
            warmup_s=self.warmup_s,
            calls=self.calls,
        )
