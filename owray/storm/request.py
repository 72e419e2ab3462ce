"""What the user asked for, checked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from owray.judge.objectives import Objective
from owray.plan.mix import Entry, Method
from owray.plan.recipe import Recipe, Stream
from owray.storm.bad_request import BadRequest
from owray.storm.load import LoadRequest
from owray.wire.invoker import Limits

DEFAULT_TIMEOUT_S = 90.0
"""Longer than any answer that OpenWhisk may rightly give: 202 after 60 s, the controller's 503 after 65 s, nginx's 504 after 75 s."""

MOST_PREWARMED = 1000
"""Containers of an action: more are beyond what calls from one place can hold open together."""


class Calls(Protocol):
    """What was said of what is to be called; `names_actions` where a plan does so for each call."""

    @property
    def workload(self) -> str | None: ...
    @property
    def action(self) -> str | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def call(self) -> CallRequest: ...
    @property
    def names_actions(self) -> bool: ...


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

    def checks(self, called: Calls) -> Iterator[tuple[bool, str]]:
        """What would be wrong, and what to say then."""
        workload, action, size = called.workload, called.action, called.size
        named = [name for name in (workload, action, self.web, self.trigger) if name is not None]
        one = "name what is to be called: one of --workload, --action, --web, --trigger.  (owray workloads lists what owray brings)"
        yield len(named) > 1 or (not named and not called.names_actions), one
        own = workload is None and (action is None or "/" in action)
        yield own and size is not None, "--size is one of a catalogue's action; what is there already is called with --param or --params"
        yield own and self.actions_dir is not None, "--actions-dir is where a --workload or an --action without a / is looked for"
        yield self.method is not None and self.web is None, "--method is for --web; all else is a POST"
        checked = self.expect is not None or self.expect_schema is not None
        yield checked and self.trigger is not None, "a trigger has no result that --expect or --expect-schema could look at"


@dataclass(frozen=True, slots=True)
class StormRequest:
    """A storm as asked for. Of `workload`, `action` and what `call` may name exactly one is given."""

    load: LoadRequest = field(default_factory=LoadRequest)
    workload: str | None = None
    action: str | None = None
    size: str | None = None
    seed: int = 1
    warmup_s: float = 0.0
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_in_flight: int | None = None
    drop_after_s: float | None = None
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
        yield from self.call.checks(self)
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
        nothing_left = self.warmup_s >= self.load.planned_s
        yield nothing_left, f"a warm-up of {self.warmup_s:g} s leaves nothing of a storm of {self.load.planned_s:g} s to measure"

    @property
    def names_actions(self) -> bool:
        """Whether the plan says what each call goes to."""
        return self.load.elsewhere is not None and self.load.elsewhere.names_actions

    @property
    def limits(self) -> Limits:
        drop_after_ms = None if self.drop_after_s is None else round(self.drop_after_s * 1000)
        return Limits(round(self.timeout_s * 1000), self.max_in_flight, drop_after_ms)

    def recipe(self, entries: tuple[Entry, ...]) -> Recipe:
        """The plan that this asks for, over these entries."""
        stream = Stream(self.load.shape(), self.load.arrivals)
        return Recipe((stream,), entries, seed=self.seed, warmup_s=self.warmup_s, calls=self.load.calls)
