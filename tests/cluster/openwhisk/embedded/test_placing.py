"""What is done with the pool's decisions, in virtual time and without a process."""

import asyncio
from pathlib import Path

import pytest
from support.virtual import run_virtually

from cluster.openwhisk.embedded.config import Knobs, StemCell
from cluster.openwhisk.embedded.containers import CannotStart
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.kinds import Kind, Kinds
from cluster.openwhisk.embedded.placing import LONGEST_LOOK_S, Placing
from cluster.openwhisk.embedded.pool import Need

NODE = Kind("nodejs:20", "nodejs", Path("node"), "20.0.0")


class Action:
    """An action as far as placing looks at it, by its name; it is its own Prepared and its own invocation."""

    def __init__(self, name):
        self.prepared = self.action = self
        self.user = "guest"
        self.runtime = NODE
        self.slot = self.container = None
        self.name = name
        self.placed = asyncio.Event()

    def need(self, user):
        return Need((user, self.name.encode()), 256, NODE.name)


class StandInContainer:
    def __init__(self, number):
        self.number = number
        self.alive = True


class StandInContainers:
    """Starts take a second; what was ordered is in `orders`, with the time."""

    def __init__(self, loop):
        self.loop = loop
        self.running = {}
        self.orders = []
        self.on_lost = None
        self.resuming = {}
        self.broken = False

    async def start(self, number, kind, memory_mb):
        self.note("start", number)
        await asyncio.sleep(1)
        if self.broken:
            raise CannotStart("no more")
        self.running[number] = StandInContainer(number)
        return self.running[number]

    def find(self, number):
        return self.running.get(number)

    def destroy(self, number):
        if self.running.pop(number, None):
            self.note("destroy", number)

    def pause(self, number):
        self.note("pause", number)

    def resume(self, number, then):
        self.note("resume", number)
        self.resuming[number] = then

    def prepare(self):
        self.note("prepare", 0)

    def end(self, number):
        """By itself."""
        del self.running[number]
        if number in self.resuming:
            self.resuming.pop(number)()
        self.on_lost(number)

    def note(self, order, number):
        self.orders.append((order, number, self.loop.time()))

    def ordered(self, order):
        return [number for one, number, _ in self.orders if one == order]

    def when(self, order):
        return next(at_s for one, _, at_s in self.orders if one == order)


class Stage:
    """A Placing and the `then` that it reports to."""

    def __init__(self, loop, **knobs):
        self.loop = loop
        self.containers = StandInContainers(loop)
        self.counters = Counters()
        self.heard = []
        self.placing = Placing(Knobs(**{"stem_cells": ()} | knobs), self.containers, self.counters, self)
        self.placing.begin(Kinds([NODE]))

    def placed(self, invocation, container, *, cold):
        self.heard.append((invocation.name, container.number, cold))
        invocation.placed.set()

    def unplaced(self, invocation):
        self.heard.append((invocation.name, None, None))
        self.placing.release(invocation, keep=False)

    def failed(self, invocation):
        raise AssertionError

    def place(self, name):
        invocation = Action(name)
        self.placing.place(invocation)
        return invocation

    async def served(self, name):
        """A call from its placing to its end, of no duration once it is placed."""
        invocation = self.place(name)
        await invocation.placed.wait()
        self.placing.release(invocation, keep=True)


def on_stage(scene, **knobs):
    async def main(loop):
        stage = Stage(loop, **knobs)
        await scene(stage)
        await stage.placing.stop()

    run_virtually(main)


def test_starts_are_counted_by_the_pools_words():
    async def scene(stage):
        await asyncio.sleep(2)
        for name in ("a", "a", "b"):
            await stage.served(name)
        assert stage.counters.starts == {"prewarmed": 1, "warmed": 1, "cold": 1}  # b came before the replacement had started
        for name in ("c", "d", "b"):
            await stage.served(name)
        assert stage.counters.starts == {"prewarmed": 2, "warmed": 2, "cold": 1, "recreated": 1}

    on_stage(scene, user_memory_mb=1024, stem_cells=(StemCell("nodejs", 1, 256),))


def test_an_idle_container_is_paused_after_ten_seconds_and_removed_ten_minutes_later():
    async def scene(stage):
        await stage.served("a")
        idle_since_s = stage.loop.time()
        await asyncio.sleep(700)
        assert 10 <= stage.containers.when("pause") - idle_since_s <= 10 + LONGEST_LOOK_S + 0.01
        assert 610 <= stage.containers.when("destroy") - idle_since_s <= 610 + LONGEST_LOOK_S + 0.01
        assert stage.containers.ordered("pause") == stage.containers.ordered("destroy") == [1]
        await stage.served("a")
        assert stage.counters.starts["cold"] == 2

    on_stage(scene)


@pytest.mark.parametrize("grace_ms", [100, 800])
def test_short_times_are_kept_to_a_quarter(grace_ms):
    async def scene(stage):
        await stage.served("a")
        idle_since_s = stage.loop.time()
        await asyncio.sleep(5)
        assert grace_ms <= (stage.containers.when("pause") - idle_since_s) * 1000 <= grace_ms * 1.25 + 2

    on_stage(scene, pause_grace_ms=grace_ms)


def test_containers_that_are_called_again_and_again_are_never_paused():
    async def scene(stage):
        for _ in range(40):
            await stage.served("a")
            await asyncio.sleep(9)
        assert stage.containers.ordered("pause") == []

    on_stage(scene)


def test_where_pausing_does_nothing_idle_containers_are_only_removed():
    async def scene(stage):
        await stage.served("a")
        await asyncio.sleep(700)
        assert stage.containers.ordered("pause") == []
        assert stage.containers.ordered("destroy") == [1]

    on_stage(scene, pauses=False)


def test_a_call_of_a_paused_container_is_placed_when_the_container_was_resumed():
    async def scene(stage):
        await stage.served("a")
        await asyncio.sleep(15)
        stage.place("a")
        await asyncio.sleep(1)
        assert stage.heard == [("a", 1, True)]
        stage.containers.resuming.pop(1)()
        assert stage.heard == [("a", 1, True), ("a", 1, False)]

    on_stage(scene)


def test_a_call_whose_container_ends_instead_of_being_resumed_is_placed_anew():
    async def scene(stage):
        await stage.served("a")
        await asyncio.sleep(15)
        stage.place("a")
        stage.containers.end(1)
        await asyncio.sleep(2)
        assert stage.heard == [("a", 1, True), ("a", 2, True)]
        assert stage.counters.containers_lost == 0, "it was not idle"

    on_stage(scene, user_memory_mb=512)


def test_stem_cells_shrink_at_the_first_upkeep_and_wait_for_calls():
    async def scene(stage):
        await asyncio.sleep(585)
        assert stage.containers.ordered("start") == [1, 2]
        await asyncio.sleep(30)
        assert stage.containers.ordered("destroy") == [1, 2]
        assert stage.containers.ordered("start") == [1, 2, 3]
        await stage.served("a")
        assert stage.heard == [("a", 3, True)]
        assert stage.counters.starts == {"prewarmed": 1}

    on_stage(scene, stem_cells=(StemCell("nodejs", 2, 256),))


def test_stem_cells_that_cannot_be_started_are_tried_again_but_not_all_the_time():
    async def scene(stage):
        stage.containers.broken = True
        await asyncio.sleep(20)
        assert 5 <= len(stage.containers.ordered("start")) <= 12
        stage.containers.broken = False
        await asyncio.sleep(5)
        assert len(stage.containers.running) == 1
        assert stage.counters.starts_failed >= 4

    on_stage(scene, stem_cells=(StemCell("nodejs", 1, 256),))


def test_spares_are_made_after_ten_seconds_without_a_call():
    async def scene(stage):
        for _ in range(30):
            await stage.served("a")
            await asyncio.sleep(1)
        assert stage.containers.ordered("prepare") == []
        await asyncio.sleep(25)
        assert len(stage.containers.ordered("prepare")) == 2

    on_stage(scene)
