"""Playing a storm: the one way through, from the wish to a judged run.

choose      names to manifests                                              owray.storm.choose
prepare     the platform's own words; deploy what is missing                owray.storm.deploying
record      a run folder with the recipe, before the first call             owray.record.run
play        coordinator, invokers, live view; Ctrl-C stops, twice cuts      owray.fleet
judge       facts from the rows, verdict, into the manifest                 owray.storm.judging
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console

import owray
from owray.fleet.cluster import StartFailed, connected
from owray.fleet.spec import FleetReport, StormSpec
from owray.plan.recipe import Plan
from owray.record.run import RunFolder, runs_folder
from owray.storm import choose
from owray.storm.deploying import Prepared, prepare
from owray.storm.ground import Ground
from owray.storm.judging import Judged, judge
from owray.storm.live import LiveView
from owray.storm.request import StormRequest
from owray.wire.invoker import Limits

if TYPE_CHECKING:
    from owray.fleet.driver import Driver

_LOOK_EVERY_S = 0.25
_VERSIONS_OF = ("ray", "uvloop", "httptools", "msgspec", "numpy", "pyarrow", "duckdb", "aiohttp")


@dataclass(frozen=True, slots=True)
class Played:
    """A storm that was played: its run, what the fleet reports, and what the judge says."""

    folder: RunFolder
    fleet: FleetReport
    judged: Judged


def play(request: StormRequest, ground: Ground, console: Console, command: tuple[str, ...] = ()) -> Played:
    """Play a storm to its end.

    Raises UnknownNameError, BadRequest, OpenWhiskError, NoCluster and StartFailed before load; after that every ending is a `Played`.
    """
    chosen = choose.manifests(request)
    choose.entries(chosen, request.size)  # a size that no action has is said before anything is touched
    prepared = asyncio.run(prepare(ground.target, chosen))
    for name in prepared.left_out:
        console.print(f"[yellow]left out:[/] {name}: the platform has no such runtime", highlight=False)
    recipe = request.recipe(choose.entries(prepared.played, request.size))
    with connected(ground.cluster):
        folder = RunFolder.create(
            runs_folder(request.runs), datetime.now(UTC), recipe, **_manifest_fields(request, ground, prepared, command)
        )
        spec = StormSpec(
            folder=folder.path.resolve(),
            recipe=recipe,
            gateway=ground.gateway(),
            limits=Limits(timeout_ms=round(request.timeout_s * 1000), max_in_flight=request.max_in_flight),
            invokers=request.invokers,
            cores=ground.cluster.cores,
        )
        fleet = _play(spec, folder, console, Plan(recipe).length_us() / 1e6)
    return Played(folder, fleet, judge(folder, fleet))


def _play(spec: StormSpec, folder: RunFolder, console: Console, length_s: float) -> FleetReport:
    from owray.fleet.driver import Driver

    with Driver(spec, f"storm-{folder.run}") as fleet, _interruptions(fleet, console):
        console.print(f"run {folder.run}: {spec.invokers} invoker{'s' * (spec.invokers > 1)} getting ready", highlight=False)
        try:
            fleet.prepare()
        except StartFailed:
            shutil.rmtree(folder.path)  # nothing was sent: no evidence of anything
            raise
        fleet.play()
        with LiveView(console, length_s) as view:
            while not fleet.has_ended(_LOOK_EVERY_S):
                view.show(fleet.progress())
        return fleet.result()


@contextmanager
def _interruptions(fleet: Driver, console: Console) -> Iterator[None]:
    """While this lasts, Ctrl-C (or a closed terminal, or a kill) ends the storm in order, and a second one at once."""
    said: list[str] = []

    def interrupted(number: int, frame: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        said.append(name)
        if len(said) == 1:
            fleet.stop(name)
            console.print("stopping: calls under way may end; once more cuts them off", highlight=False)
        else:
            fleet.cut(f"{name}, twice")

    with _handled(interrupted):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _manifest_fields(request: StormRequest, ground: Ground, prepared: Prepared, command: tuple[str, ...]) -> dict[str, Any]:
    return {
        "command": command,
        "invokers": request.invokers,
        "options": {
            "timeout_ms": round(request.timeout_s * 1000),
            "max_in_flight": request.max_in_flight,
            "workload": request.workload,
            "action": request.action,
            "size": request.size,
        },
        "target": {"api_host": ground.target.api_host, "source": ground.target.source, "namespace": ground.target.namespace},
        "platform": prepared.platform(),
        "versions": {
            "owray": owray.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _VERSIONS_OF},
        },
        "hosts": (
            {
                "node": "0",
                "kernel": platform.release(),
                "machine": platform.machine(),
                "cores": psutil.cpu_count(),
                "memory_mb": psutil.virtual_memory().total // 1_000_000,
                "invoker_cores": list(ground.cluster.cores),
            },
        ),
    }
