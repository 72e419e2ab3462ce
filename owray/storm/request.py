"""What the user asked for, checked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from owray.judge.objectives import Objective
from owray.plan.mix import Entry, Method
from owray.plan.recipe import Recipe
from owray.storm.bad_request import BadRequest
from owray.storm.load import LoadRequest
from owray.storm.streams import StreamRequest
from owray.wire.invoker import Limits

DEFAULT_TIMEOUT_S = 90.0
"""Longer than any answer that OpenWhisk may rightly give: 202 after 60 s, the controller's 503 after 65 s, nginx's 504 after 75 s."""

MOST_PREWARMED = 1000
"""Containers of an action: more are beyond what calls from one place can hold open together."""


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

    def checks(self, stream: StreamRequest, *, is_streams: bool = False, names_actions: bool = False) -> Iterator[tuple[bool, str]]:
        """What would be wrong, and what to say then. `stream` is the one that the options ask for; `is_streams` where a file asks for
        several instead, `names_actions` where a plan says for each call what it goes to."""
        workload, action, mix, size = stream.workload, stream.action, stream.mix, stream.size
        named = [name for name in (workload, action, mix, self.web, self.trigger) if name is not None]
        yield is_streams and bool(named), "--streams FILE says what is called; leave out --workload, --action, --mix, --web and --trigger"
        one = "name what is to be called: one of --workload, --action, --mix, --web, --trigger.  (owray workloads lists what owray brings)"
        yield len(named) > 1 or not (named or is_streams or names_actions), one
        yield is_streams and size is not None, "--streams FILE says the size of each stream; leave out --size"
        own = workload is None and mix is None and not is_streams and (action is None or "/" in action)
        yield own and size is not None, "--size is one of a catalogue's action; what is there already is called with --param or --params"
        yield own and self.actions_dir is not None, "--actions-dir is where a --workload or an --action without a / is looked for"
        yield self.method is not None and self.web is None, "--method is for --web; all else is a POST"
        checked = self.expect is not None or self.expect_schema is not None
        yield checked and self.trigger is not None, "a trigger has no result that --expect or --expect-schema could look at"


@dataclass(frozen=True, slots=True)
class StormRequest:
    """A storm as asked for. Of `workload`, `action`, `mix`, `several` streams and what `call` may name exactly one is given."""

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
    mix: str | None = None
    several: tuple[StreamRequest, ...] = ()

    def __post_init__(self) -> None:
        for wrong, text in self._checks():
            if wrong:
                raise BadRequest(text)

    def _checks(self) -> Iterator[tuple[bool, str]]:
        """What would be wrong, and what to say then; each may rely on those before it."""
        yield from self.call.checks(self._alone(), is_streams=bool(self.several), names_actions=self.names_actions)
        replaced = self.load.given() if self.several else []
        yield bool(replaced), f"--streams FILE says when calls are due; leave out {', '.join(replaced)}"
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
        nothing_left = self.warmup_s >= self.planned_s
        yield nothing_left, f"a warm-up of {self.warmup_s:g} s leaves nothing of a storm of {self.planned_s:g} s to measure"
        yield from self._closed_loop_checks()

    def _closed_loop_checks(self) -> Iterator[tuple[bool, str]]:
        users = self.load.concurrency
        if users is None:
            return
        yield users < self.invokers, f"--concurrency {users} cannot be shared by {self.invokers} invokers; each needs at least one user"
        yield self.drop_after_s is not None, "--late drop is of no use in a closed loop (--concurrency): no user calls before it is free"
        unused = "--max-in-flight: leave it out; a closed loop has never more calls under way than --concurrency has users"
        yield self.max_in_flight is not None, unused

    @property
    def names_actions(self) -> bool:
        """Whether the plan says what each call goes to."""
        return self.load.elsewhere is not None and self.load.elsewhere.names_actions

    @property
    def limits(self) -> Limits:
        drop_after_ms = None if self.drop_after_s is None else round(self.drop_after_s * 1000)
        return Limits(round(self.timeout_s * 1000), self.max_in_flight, drop_after_ms)

    @property
    def planned(self) -> float:
        """How many calls, or about how many where arrivals are random."""
        planned = sum(stream.load.planned for stream in self.streams())
        return planned if self.load.calls is None else min(planned, self.load.calls)

    @property
    def planned_s(self) -> float:
        """How long the plan lasts, or about how long where calls are counted."""
        return max(stream.planned_end_s for stream in self.streams())

    @property
    def is_level(self) -> bool:
        """Whether it is a rate that stays the same, so that more calls are a matter of `--calls` or `--duration`."""
        return not self.several and {"--rps", "--duration", "--arrivals"}.issuperset(self.load.given())

    def streams(self) -> tuple[StreamRequest, ...]:
        """What is planned: several streams, or the one that the options ask for."""
        return self.several or (self._alone(),)

    def _alone(self) -> StreamRequest:
        return StreamRequest(self.load, self.workload, self.action, self.mix, self.size)

    def recipe(self, entries: tuple[Entry, ...]) -> Recipe:
        """The plan that this asks for, over these entries."""
        streams = tuple(stream.stream() for stream in self.streams())
        return Recipe(streams, entries, seed=self.seed, warmup_s=self.warmup_s, calls=self.load.calls)
