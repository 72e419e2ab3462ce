"""What becomes of the measurement when the generator is near its end?

An open loop: calls are due evenly, and the server answers each after 500 ms. owray's invoker against aiohttp with a Task a call, which is
woken by the same timerfd, has all its connections open before it starts and its garbage collector tamed as well. Lag says how late a call
was sent; service should be 500 ms, and what it is above that is the generator's own delay (or the server's), told as the server's.

    python -m benchmarks.open_loop [--rounds 3] [--rps 4000] [--seconds 2]
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.clients import ENTRY, AiohttpCaller, Ledger, aiohttp_session, make_invoker
from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from benchmarks.pacing import LEAD_NS, Pacer, timerfd
from benchmarks.server import serving
from owray.plan.recipe import Recipe
from owray.record.journal import Journal
from owray.record.parts import PACKED_DTYPE
from owray.wire.garbage import QuietCollector
from owray.wire.invoker import Limits

DELAY_MS = 500

Way = Callable[[int, Recipe, Ledger], Coroutine[None, None, int]]
"""Plays a recipe against a port and returns the nanoseconds of CPU it took."""


@dataclass(frozen=True, slots=True)
class Played:
    """Times of one playing in microseconds, CPU a call."""

    lag_p50: float
    lag_p99: float
    service_p99: float
    cpu: float


def main() -> None:
    asked = arguments("Lag of two clients in an open loop.", rounds=3, rps=4_000, seconds=2)
    machine, cores = Machine(), Cores.available()
    recipe = Recipe.steady(rps=asked.rps, duration_s=asked.seconds, entries=(ENTRY,))
    with serving(cores.server, DELAY_MS) as port:
        pin(cores.client)
        ways: dict[str, Way] = {"owray's invoker": _owray, "aiohttp": _aiohttp}
        found = interleave({name: partial(_play, way, port, recipe) for name, way in ways.items()}, asked.rounds)
    heading = ("client", "lag p50 us", "lag p99 us", f"service p99 ms ({DELAY_MS} is true)", "us of CPU a call")
    rows = [
        (
            name,
            Spread.of(one.lag_p50 for one in played),
            Spread.of(one.lag_p99 for one in played),
            Spread.of(one.service_p99 / 1000 for one in played),
            Spread.of(one.cpu for one in played),
        )
        for name, played in found.items()
    ]
    show(f"{asked.rps:,} calls a second, {asked.rounds} rounds of {asked.seconds} s; median (quartiles)", [heading, *rows])
    ours, theirs = found["owray's invoker"], found["aiohttp"]
    print(f"  aiohttp's lag p99: {ratio([one.lag_p99 for one in theirs], [one.lag_p99 for one in ours])} times owray's")
    print(f"  aiohttp's CPU a call: {ratio([one.cpu for one in theirs], [one.cpu for one in ours])} times owray's")
    print(machine.line())


def _play(way: Way, port: int, recipe: Recipe) -> Played:
    collector = QuietCollector()
    with tempfile.TemporaryDirectory() as folder:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ledger = Ledger(Path(folder))
            collector.freeze()
            try:
                cpu_ns = runner.run(way(port, recipe, ledger))
            finally:
                collector.thaw()
                ledger.recorder.close()
        [journal] = Path(folder).glob("*.journal")
        rows = np.concatenate([np.frombuffer(block.rows, PACKED_DTYPE) for block in Journal(journal).blocks()])
    if len(rows) != recipe.mean_rps * recipe.duration_s:
        raise SystemExit(f"{recipe.mean_rps * recipe.duration_s:,.0f} calls made {len(rows):,} rows")
    p50, p99 = np.percentile(rows["lag_us"], [50, 99])
    return Played(float(p50), float(p99), float(np.percentile(rows["service_us"], 99)), cpu_ns / len(rows) / 1000)


def _connections(recipe: Recipe) -> int:
    """For the calls that are in flight at once, and some to spare."""
    return int(recipe.mean_rps * DELAY_MS / 1000 * 1.1) + 10


async def _owray(port: int, recipe: Recipe, ledger: Ledger) -> int:
    invoker, pool = await make_invoker(port, recipe, ledger.recorder, Limits(), _connections(recipe))
    before_ns = time.process_time_ns()
    invoker.play(time.monotonic_ns() + LEAD_NS)
    await invoker.done
    cpu_ns = time.process_time_ns() - before_ns
    pool.close()
    return cpu_ns


async def _aiohttp(port: int, recipe: Recipe, ledger: Ledger) -> int:
    async with aiohttp_session() as session:
        caller = AiohttpCaller(session, port, ledger)
        await asyncio.gather(*(caller.connect() for _ in range(_connections(recipe))))
        tasks: set[asyncio.Task[None]] = set()
        ledger.t0_ns = time.monotonic_ns() + LEAD_NS
        due_ns = [ledger.t0_ns + int((index + 0.5) / recipe.mean_rps * 1e9) for index in range(int(recipe.mean_rps * recipe.duration_s))]

        def fire(seq: int, now_ns: int) -> None:
            task = asyncio.create_task(caller.call(seq, (due_ns[seq] - ledger.t0_ns) // 1000))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        before_ns = time.process_time_ns()
        ticking = asyncio.create_task(ledger.tick())
        await Pacer(due_ns, fire, timerfd).done
        await asyncio.gather(*tasks)
        ticking.cancel()
        return time.process_time_ns() - before_ns


if __name__ == "__main__":
    main()
