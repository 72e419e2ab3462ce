"""The calls of a preflight: actions side by side, the calls of one after each other, and what became of them.

A namespace's limit of calls a minute is that of the calendar minute, so a call that is refused by it is made again in the next full minute.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.plan.mix import Entry
from owray.record.layout import Outcome
from owray.storm import preflight_view as view
from owray.storm.figures import Ceiling, Cure, Fit
from owray.storm.probing import Probe, last_log_line, probe

LONG_ENOUGH_S = 10.0
"""An action that has taken so long is not called again."""

FIRST_WORD_S = 2.0
NEXT_WORD_S = 5.0
"""When it is told how far the calls are: nobody minds two seconds of silence."""

_MINUTE_S = 60.0
_CLOCKS_DIFFER_BY_S = 1.0

_COUNTS = re.compile(r"count: (\d+), allowed: (\d+)")
_USED_UP = {
    Outcome.THROTTLED_RATE: ("calls a minute", "wait for the next minute, or raise invocationsPerMinute"),
    Outcome.THROTTLED_CONCURRENCY: ("calls at once", "wait for the end of other calls, or raise concurrentInvocations"),
    Outcome.THROTTLED: ("calls", "wait a minute, or raise the namespace's limits"),
}
"""Refusals that say nothing of an action: which limit of the namespace, and what helps."""


@dataclass(slots=True)
class Called:
    """The calls of one action, as they come in, what became of the one that failed, and the limit that kept it from being called."""

    entry: Entry
    probes: list[Probe]
    memory_mb: int | None = None
    time_limit_ms: int | None = None
    failure: Ceiling | None = None
    used_up: Ceiling | None = None


@dataclass(slots=True)
class NextMinute:
    """Waits for the next full minute of the platform's clock, which may differ a little from `wall_s` here, in seconds since 1970."""

    wall_s: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    begins_at_s: float = 0.0

    @property
    def left_s(self) -> float:
        """Seconds that are still to be waited; none where nobody waits."""
        return max(0.0, self.begins_at_s - self.wall_s())

    async def wait(self) -> None:
        now_s = self.wall_s()
        self.begins_at_s = now_s - now_s % _MINUTE_S + _MINUTE_S + _CLOCKS_DIFFER_BY_S
        await self.sleep(self.left_s)


async def call_beforehand(client: OpenWhisk, called: Sequence[Called], calls: int, console: Console, minute: NextMinute | None) -> None:
    """Call each action so often, as far as it goes well. `minute` is waited for where the limit of calls a minute is used up; without one
    that is told at once. Raises OpenWhiskError where the platform cannot be called at all."""
    with view.telling(console) as tell:
        teller = asyncio.create_task(_tell(called, calls, minute, tell))
        try:
            await asyncio.gather(*(_call(client, each, calls, minute) for each in called))
        finally:
            teller.cancel()


async def _tell(called: Sequence[Called], calls: int, minute: NextMinute | None, tell: Callable[[str], None]) -> None:
    await asyncio.sleep(FIRST_WORD_S)
    while True:
        done = sum(len(each.probes) for each in called)
        if minute is not None and minute.left_s:
            tell(f"preflight  the limit of calls a minute is used up; waiting for the next minute, {minute.left_s:.0f} s")
        else:
            tell(f"preflight  {done} of {calls * len(called)} calls answered")
        await asyncio.sleep(NEXT_WORD_S)


async def _call(client: OpenWhisk, called: Called, calls: int, minute: NextMinute | None) -> None:
    """Call one action until it fails, has taken long enough, or was called so often."""
    await _ask_for_limits(client, called)
    took_ms = 0.0
    for number in range(calls):
        each = await probe(client, called.entry, number)
        if each.reading.outcome is Outcome.THROTTLED_RATE and minute is not None:
            await minute.wait()
            each = await probe(client, called.entry, number)
        called.probes.append(each)
        took_ms += each.elapsed_ms
        if not each.is_fine or each.reading.outcome is Outcome.ACCEPTED:
            await _note_problem(client, called, each)
            return
        if took_ms > LONG_ENOUGH_S * 1000:
            return


async def _ask_for_limits(client: OpenWhisk, called: Called) -> None:
    try:
        action = await client.get_action(called.entry.path, called.entry.namespace)
    except OpenWhiskError:  # what may be called may not always be read
        return
    limits = action.get("limits")
    if isinstance(limits, dict):
        told = {name: value for name, value in limits.items() if isinstance(value, int)}
        called.memory_mb, called.time_limit_ms = told.get("memory"), told.get("timeout")


async def _note_problem(client: OpenWhisk, called: Called, last: Probe) -> None:
    outcome, action = last.reading.outcome, called.entry.action
    if outcome in _USED_UP:
        called.used_up = _used_up(last)
    elif outcome is Outcome.ACCEPTED:
        note = f"{action} was not finished when the platform stopped waiting: such calls are `accepted`, without times"
        called.failure = Ceiling(action, "", "", Fit.DOUBTFUL, note=note)
    else:
        line = await last_log_line(client, last)
        ends = f"; its log ends: {line}" if line else ""
        when = "fails to initialise" if last.is_cold and outcome is Outcome.DEVELOPER_ERROR else "fails"
        called.failure = Ceiling(action, "", "", Fit.SPOILS, note=f"{action} {when}: {outcome.label}: {last.words}{ends}")


def _used_up(refused: Probe) -> Ceiling:
    limit, cure = _USED_UP[refused.reading.outcome]
    counts = _COUNTS.search(refused.words)
    how_far = f"{int(counts[1]):,} calls, {int(counts[2]):,} allowed" if counts else refused.words
    return Ceiling(f"{limit} used up", "", "", Fit.SPOILS, cure=Cure(text=cure), note=f"the limit of {limit} is used up: {how_far}")
