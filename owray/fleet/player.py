"""One invoker with all it needs, in a process of its own.

    prepare    open connections, make the first window, freeze the garbage collector
    play       start the clock
    snapshot   the sums so far, once a second
    stop, cut  end early: after the calls under way, or at once
    finish     wait for the last call, close the journal, report

The methods are coroutines of one event loop, uvloop where Ray provides it: the invoker's callbacks and the coordinator's questions
share a thread, so no lock and no switch of the interpreter stands between a due call and the wire.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from owray.fleet.spec import PlayerReport, PlayerSpec, Priority, Ready
from owray.http1.connection import Connection, connect
from owray.http1.descriptors import raise_descriptor_limit
from owray.http1.pool import Pool
from owray.record.journal import Header, Recorder
from owray.record.listed import plan_of
from owray.record.run import RunFolder
from owray.wire.agenda import Agenda, ClosedLoop, OpenLoop
from owray.wire.alarm import best_alarm
from owray.wire.counters import Counters
from owray.wire.garbage import QuietCollector
from owray.wire.invoker import Invoker
from owray.wire.requests import prepare


class Player:
    """See the module. Every method is called at most once, `snapshot` apart."""

    def __init__(self, spec: PlayerSpec) -> None:
        self._spec = spec
        self._collector = QuietCollector()
        self._late_us = 0
        self._cpu_before_us = 0
        self._t0_ns = 0
        self._priority: Priority = "normal"
        self._invoker: Invoker | None = None

    async def prepare(self) -> Ready:
        """Be ready to start. Raises OSError where the target cannot be reached, PlanError where a listed plan cannot be read."""
        spec = self._spec
        loop = asyncio.get_running_loop()
        descriptors = raise_descriptor_limit()  # a call in flight needs one
        self._priority = _take_core(spec.core)
        storm = spec.storm
        folder = RunFolder(storm.folder)
        gateway = storm.gateway
        address = gateway.address()

        async def open_connection(number: int) -> Connection:
            return await connect(loop, address, number)

        self._pool = Pool(open_connection)
        await self._pool.fill(min(spec.warm_connections, descriptors // 2))  # the rest is for calls, and for Ray
        self._recorder = Recorder(
            folder.journals(spec.node), Header(folder.run, spec.invoker, storm.invokers, spec.node), time.monotonic_ns
        )
        self._invoker = Invoker(
            _agenda(spec, folder),
            prepare(storm.recipe.entries, host=gateway.host_header, auth=gateway.auth, namespace=gateway.namespace, run=folder.run),
            self._pool,
            self._recorder,
            spec.limits,
            time.monotonic_ns,
            lambda ring: best_alarm(loop, ring, time.monotonic_ns),
        )
        self._collector.freeze()
        return Ready(spec.invoker, spec.node, os.getpid(), spec.core, type(loop).__module__, descriptors, self._priority)

    async def play(self, t0_ns: int) -> None:
        """Start the plan's clock at `t0_ns` on CLOCK_MONOTONIC."""
        self._late_us = max(0, (time.monotonic_ns() - t0_ns) // 1000)
        self._t0_ns = t0_ns
        self._cpu_before_us = time.process_time_ns() // 1000
        self._playing.play(t0_ns)

    async def snapshot(self) -> Counters:
        return self._playing.snapshot()

    async def stop(self) -> None:
        self._playing.stop()

    async def cut(self) -> None:
        self._playing.cut()

    async def finish(self) -> PlayerReport:
        """Wait for the end, seal the journal, say what happened. A storm that a full disk ended says so in `error`."""
        error = None
        try:
            await self._playing.done
        except OSError as problem:
            error = _not_written(problem)
        cpu_us = time.process_time_ns() // 1000 - self._cpu_before_us
        wall_us = (time.monotonic_ns() - self._t0_ns) // 1000
        self._pool.close()
        try:
            self._recorder.close()
        except OSError as problem:
            error = error or _not_written(problem)
        self._collector.thaw()
        spec = self._spec
        return PlayerReport(
            invoker=spec.invoker,
            node=spec.node,
            pid=os.getpid(),
            core=spec.core,
            priority=self._priority,
            counters=self._playing.snapshot(),
            cpu_us=cpu_us,
            wall_us=wall_us,
            memory_mb=round(psutil.Process().memory_info().rss / 1e6, 1),
            gc_pauses=self._collector.pauses.count,
            gc_longest_us=self._collector.pauses.longest_us,
            connections_opened=self._pool.opened,
            connections_failed=self._pool.failed,
            started_late_us=self._late_us,
            error=error,
        )

    @property
    def _playing(self) -> Invoker:
        if self._invoker is None:
            raise RuntimeError("prepare comes first")
        return self._invoker


def _agenda(spec: PlayerSpec, folder: RunFolder) -> Agenda:
    recipe = spec.storm.recipe
    windows = plan_of(folder, recipe).share(spec.invoker, spec.storm.invokers)
    closed = recipe.closed
    if closed is None:
        return OpenLoop(windows)
    return ClosedLoop(windows, spec.users, round(closed.think_s * 1e6), round(closed.duration_s * 1e6))


def _not_written(problem: OSError) -> str:
    return f"rows could not be written: {problem.strerror}.  (make room there, or --runs-dir names another place)"


def _take_core(core: int | None) -> Priority:
    """Take this process to its core, and put this thread, the loop's, before all others there if the system allows (docs/decisions/007).

    All threads go, Ray's too: one that holds Python's lock where something else keeps it from running would keep the loop waiting.
    Without a core set aside for it a real-time thread could starve what it measures: then none is asked for.
    """
    if core is None:
        return "normal"
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(int(thread.name), {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    except PermissionError:
        return "normal"
    return "real-time"
