"""The coordinator of a storm: brings the invokers to one start, watches them, and seals the run.

    phase        leaves when                                   next
    preparing    every invoker is ready, or one cannot be      waiting, over
    waiting      t0 has come                                   playing
    playing      the plan's end has passed, or a stop          draining
    draining     every invoker has reported or is lost         sealing
    sealing      parts are written, every call has its row     over

It is a detached, named actor: a storm goes on when the terminal that asked for it goes away. Invokers are never restarted (a restarted
one would play a different schedule); when one is lost the others are stopped, since a ruler that changes its size measures nothing.
One that does not answer any more when nothing can be under way (`owray.fleet.patience`) is killed, and counts as lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from owray.fleet.cluster import StartFailed
from owray.fleet.patience import Patience
from owray.fleet.player import Player
from owray.fleet.scribe import Scribe
from owray.fleet.spec import FleetReport, Phase, PlayerReport, Progress, Ready, StormSpec
from owray.plan.recipe import Plan
from owray.record.early_end import EarlyEnd, Kind
from owray.record.players import this_process
from owray.record.recover import Recovery, StillPlaying, complete
from owray.record.run import ManifestError, RunFolder
from owray.wire.counters import Counters

LOOK_EVERY_S = 0.5

UNHEEDED_S = 30.0
"""Nobody has asked for so long: the driver is gone, and when the storm is over there is nobody to end its coordinator but itself."""

NODE = "0"
"""What the one node is called in folders and rows."""


class Coordinator:
    """Made by `owray.fleet.driver`. `prepare`, `play`, then `result`; `progress`, `stop` and `cut` at any time between."""

    def __init__(self, spec: StormSpec) -> None:
        self._spec = spec
        self._folder = RunFolder(spec.folder)
        plan = Plan(spec.recipe)
        self._length_us = plan.length_us()  # of a counted plan it takes making all of it
        self._planned = None if spec.recipe.is_open_ended else plan.count()
        self._node = ray.get_runtime_context().get_node_id()
        self._phase: Phase = "preparing"
        self._t0_ns = 0
        self._heeded_ns = time.monotonic_ns()
        self._counters: list[Counters] = [Counters() for _ in range(spec.invokers)]
        self._reports: dict[int, PlayerReport] = {}
        self._answered_ns = [0] * spec.invokers
        self._patience: Patience | None = None
        self._lost: list[int] = []
        self._early_end: EarlyEnd | None = None
        self._players: list[Any] = []
        self._ending: asyncio.Task[FleetReport] | None = None

    async def prepare(self) -> list[Ready]:
        """Make the actors and bring them to the start. Raises StartFailed."""
        asyncio.get_running_loop().call_later(UNHEEDED_S, self._leave_unless_needed)
        self._folder.update(owner=this_process())
        self._scribe = self._actor(Scribe, self._spec.folder, NODE)
        self._players = [self._actor(Player, self._spec.of_invoker(index, NODE)) for index in range(self._spec.invokers)]
        try:
            await self._scribe.start.remote()
            return list(await asyncio.gather(*(player.prepare.remote() for player in self._players)))
        except (RayActorError, RayTaskError) as problem:
            self._phase = "over"
            raise StartFailed(_cause(problem)) from None

    async def play(self) -> None:
        """Agree on t0 and start all clocks."""
        self._t0_ns = time.monotonic_ns() + round(self._spec.waits.lead_s * 1e9)
        t0_wall_us = time.time_ns() // 1000 + (self._t0_ns - time.monotonic_ns()) // 1000
        self._folder.update(t0_utc=datetime.fromtimestamp(t0_wall_us / 1e6, UTC).isoformat())
        self._phase = "waiting"
        self._patience = Patience(self._t0_ns + self._length_us * 1000 + self._timeout_ns, self._spec.waits)
        await asyncio.gather(*(player.play.remote(self._t0_ns) for player in self._players), return_exceptions=True)
        if self._early_end is not None:  # stopped while it got ready
            self._tell(lambda player: player.stop.remote())
        self._ending = asyncio.get_running_loop().create_task(self._end())

    async def progress(self) -> Progress:
        """How it goes, as of the last look."""
        self._heeded_ns = time.monotonic_ns()
        elapsed_us = (time.monotonic_ns() - self._t0_ns) // 1000 if self._t0_ns else 0
        return Progress(self._phase, elapsed_us, self._planned, Counters.sum(self._counters), tuple(self._lost))

    async def stop(self, why: EarlyEnd) -> None:
        """Dispatch no more calls; those under way may end."""
        self._end_early(why)
        if self._patience is not None:
            self._patience.stopped(time.monotonic_ns(), self._timeout_ns)
        self._tell(lambda player: player.stop.remote())

    async def cut(self, why: EarlyEnd) -> None:
        """End at once; calls under way are lost."""
        self._end_early(why)
        if self._patience is not None:
            self._patience.cut(time.monotonic_ns())
        self._tell(lambda player: player.cut.remote())

    async def result(self) -> FleetReport:
        """Wait for the end."""
        if self._ending is None:
            raise RuntimeError("play comes first")
        return await asyncio.shield(self._ending)

    # --- the end

    def _end_early(self, why: EarlyEnd) -> None:
        """The first reason counts. It is kept at once: who is killed meanwhile cannot tell it any more."""
        if self._early_end is None:
            self._early_end = why
            with suppress(OSError, ManifestError):
                self._folder.update(early_end=why)

    async def _end(self) -> FleetReport:
        loop = asyncio.get_running_loop()
        indices = range(self._spec.invokers)
        looking = [loop.create_task(self._keep_time()), *(loop.create_task(self._look_at(index)) for index in indices)]
        try:
            await asyncio.gather(*(self._await_player(index) for index in indices))
            self._phase = "sealing"
            return await self._seal()
        finally:
            for look in looking:
                look.cancel()
            self._phase = "over"

    def _leave_unless_needed(self) -> None:
        """End this actor when nobody asks for it any more and no storm is under way: the driver was killed."""
        unheeded = time.monotonic_ns() - self._heeded_ns > UNHEEDED_S * 1e9
        if unheeded and self._phase in {"preparing", "over"}:
            ray.kill(ray.get_runtime_context().current_actor)
        else:
            asyncio.get_running_loop().call_later(UNHEEDED_S, self._leave_unless_needed)

    async def _await_player(self, index: int) -> None:
        try:
            report: PlayerReport = await self._players[index].finish.remote()
        except RayActorError:
            ray.kill(self._players[index])  # if it was only out of reach: nobody may write to the run any more when it is sealed
            self._lost.append(index)
            await self.stop(EarlyEnd(Kind.INVOKER_LOST, f"invoker {index} was lost"))
            return
        self._reports[index] = report
        self._counters[index] = report.counters
        if report.error is not None:
            await self.stop(EarlyEnd(Kind.NOT_WRITTEN, report.error))

    async def _seal(self) -> FleetReport:
        try:  # a scribe that fails leaves journals, which `complete` converts
            await asyncio.wait_for(self._scribe_finishes(), self._spec.waits.sealed_within_s)
        except (RayActorError, RayTaskError, TimeoutError):
            ray.kill(self._scribe)
        recovery = await self._complete()
        if recovery.set_aside:
            damaged = f"{', '.join(recovery.set_aside)} could not be read: its calls count as lost"
            self._end_early(EarlyEnd(Kind.JOURNAL_DAMAGED, damaged))
        reports = tuple(self._reports[index] for index in sorted(self._reports))
        report = FleetReport(
            reports=reports,
            lost=tuple(sorted(self._lost)),
            late=tuple(one.invoker for one in reports if one.started_late_us > 0),
            aborted=None if self._early_end is None else self._early_end.text,
        )
        self._folder.update(
            status="aborted" if self._early_end else "ended",
            ended_at=datetime.now(UTC).isoformat(),
            early_end=self._early_end,
            fleet=tuple(asdict(one) for one in reports),
            recovery=asdict(recovery) if recovery.lost or recovery.unsent or recovery.set_aside else None,
        )
        self._folder.remove_journals()
        return report

    async def _complete(self) -> Recovery:
        """Give every call its row. A scribe that was killed holds the journal it was at until its process is gone."""
        give_up_s = time.monotonic() + self._spec.waits.killed_within_s
        while True:
            try:
                return await asyncio.to_thread(complete, self._folder, self._folder.load())
            except StillPlaying:
                if time.monotonic() > give_up_s:
                    raise
                await asyncio.sleep(0.05)

    async def _scribe_finishes(self) -> None:
        await self._scribe.finish.remote()

    async def _keep_time(self) -> None:
        """Know the phase, whatever the invokers do."""
        while True:
            if self._t0_ns and self._phase in {"waiting", "playing"}:
                elapsed_us = (time.monotonic_ns() - self._t0_ns) // 1000
                over = elapsed_us > self._length_us or self._early_end is not None
                self._phase = "draining" if over else "playing" if elapsed_us >= 0 else "waiting"
            self._give_up_the_silent()
            await asyncio.sleep(LOOK_EVERY_S)

    def _give_up_the_silent(self) -> None:
        now_ns = time.monotonic_ns()
        for index, player in enumerate(self._players):
            ended = index in self._reports or index in self._lost
            if not ended and self._patience is not None and self._patience.is_over(now_ns, self._answered_ns[index]):
                ray.kill(player)  # `_await_player` counts it lost

    async def _look_at(self, index: int) -> None:
        """Keep the live numbers of one invoker fresh. Each is waited for on its own, so one that is stuck hides its own numbers only."""
        with suppress(RayActorError, RayTaskError):
            while True:
                counters: Counters = await self._players[index].snapshot.remote()
                if index in self._reports:
                    return
                self._counters[index] = counters
                self._answered_ns[index] = time.monotonic_ns()
                await asyncio.sleep(LOOK_EVERY_S)

    @property
    def _timeout_ns(self) -> int:
        return self._spec.limits.timeout_ms * 1_000_000

    # --- actors

    def _actor(self, kind: type[Any], *arguments: Any) -> Any:
        """An actor on this node; it takes no CPU of Ray's count, since cores are shared out by pinning."""
        here = NodeAffinitySchedulingStrategy(self._node, soft=False)
        return ray.remote(kind).options(num_cpus=0, max_restarts=0, max_task_retries=0, scheduling_strategy=here).remote(*arguments)

    def _tell(self, order: Callable[[Any], Any]) -> None:
        for index, player in enumerate(self._players):
            if index not in self._lost and index not in self._reports:
                order(player)


def _cause(problem: Exception) -> str:
    """The line that matters of an actor's error: Ray wraps it in a traceback."""
    cause = getattr(problem, "cause", None) or problem
    text = str(cause).strip()
    return text.splitlines()[-1] if text else type(cause).__name__
