"""Playing a storm: the one way through, from the wish to a judged run.

choose      names to actions, with their parameters and checks              owray.storm.choose
prepare     the platform's own words; deploy what is missing                owray.storm.deploying
preflight   a few calls: does the storm fit? Containers warmed              owray.storm.preflight
record      a run folder with the recipe, before the first call             owray.record.run
play        coordinator, invokers, live view; Ctrl-C stops, twice cuts      owray.fleet
judge       facts from the rows, verdict, into the manifest                 owray.storm.judging
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.markup import escape

import owray
from owray.ask.session import QueryError
from owray.fleet.cluster import FleetLost, connected
from owray.fleet.spec import FleetReport, StormSpec
from owray.judge.objectives import Objective
from owray.plan.recipe import Plan
from owray.record.durable import sync_folder
from owray.record.early_end import EarlyEnd, Kind
from owray.record.players import this_process
from owray.record.run import Manifest, ManifestError, RunFolder, runs_folder
from owray.storm.bad_request import BadRequest
from owray.storm.choose import Chosen
from owray.storm.deploying import PreparedPlatform, prepare
from owray.storm.ground import Ground
from owray.storm.interruptions import Interruptions, noted, unwinding
from owray.storm.judging import Judged, judge
from owray.storm.live import LiveView
from owray.storm.preflight import before_the_storm
from owray.storm.request import StormRequest

if TYPE_CHECKING:
    from owray.fleet.driver import Driver

_LOOK_EVERY_S = 0.25
_REMOVE_WITHIN_S = 5.0
_PROBE_BYTES = 1 << 16
"""More than a first run.json takes: a disk that is full is to be known before a lab is brought up."""

_VERSIONS_OF = ("ray", "uvloop", "httptools", "msgspec", "numpy", "pyarrow", "duckdb", "aiohttp")


@dataclass(frozen=True, slots=True)
class Played:
    """A storm that was played: its run, what the fleet reports, what the judge says, and the manifest that holds it all."""

    folder: RunFolder
    fleet: FleetReport
    judged: Judged
    manifest: Manifest


def play(request: StormRequest, chosen: Chosen, ground: Ground, console: Console, command: tuple[str, ...] = ()) -> Played:
    """Play a storm of what was chosen for the request to its end.

    Raises UnknownNameError, BadRequest, OpenWhiskError, NoCluster, StartFailed and KeyboardInterrupt before load, and leaves no run;
    after that every ending is a `Played`, but that of a coordinator which died or of a run that cannot be judged: FleetLost.
    """
    prepared = asyncio.run(prepare(ground.target, chosen))
    for name in prepared.left_out:
        console.print(f"[yellow]left out:[/] {escape(name)}: the platform has no such runtime", highlight=False)
    for note in prepared.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    recipe = request.recipe(chosen.entries(prepared.played))
    checked = asyncio.run(before_the_storm(request, recipe, ground.target, prepared, console))
    with connected(ground.cluster), noted() as interruptions:
        with _kept(place := runs_folder(request.runs)):
            fields = _manifest_fields(request, ground, prepared, command)
            folder = RunFolder.create(place, datetime.now(UTC), recipe, **fields, **checked)
            _keep_list(chosen, folder)
        spec = StormSpec(
            folder=folder.path.resolve(),
            recipe=recipe,
            gateway=ground.gateway(),
            limits=request.limits,
            invokers=request.invokers,
            cores=ground.cluster.cores,
        )
        is_counted_loop = recipe.closed is not None and recipe.calls is not None  # no time ends it
        fleet = _play(spec, folder, console, None if is_counted_loop else Plan(recipe).length_us() / 1e6, interruptions)
    return judged(folder, fleet, request.objectives)


def judged(folder: RunFolder, fleet: FleetReport, objectives: Sequence[Objective] = ()) -> Played:
    """Judge a run that is complete. Raises FleetLost where its rows cannot be read now, or its verdict not be kept."""
    try:
        return Played(folder, fleet, judge(folder, fleet, objectives), folder.load())
    except (OSError, QueryError, ManifestError) as problem:
        if isinstance(problem, OSError):
            told = f"the verdict could not be written: {problem.strerror}; make room first"
        else:
            told = f"the run could not be judged: {str(problem).rstrip('.')}"
        raise FleetLost(f"{told}.  (owray recover {folder.run} judges the run)") from problem


def place_for_runs(request: StormRequest) -> Path:
    """The folder for runs, made if need be. Raises BadRequest where no run can be kept there."""
    place = runs_folder(request.runs)
    with _kept(place):
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(_PROBE_BYTES))
    return place


@contextmanager
def _kept(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise BadRequest(f"cannot keep a run in {place}: {problem.strerror}.  (--runs-dir names another place)") from problem


def _keep_list(chosen: Chosen, folder: RunFolder) -> None:
    """Give the run the calls of a listed plan. Raises OSError, and then leaves no run."""
    if chosen.listed is not None:
        try:
            chosen.listed.path.replace(folder.plan)
            sync_folder(folder.path)
        except OSError:
            _remove(folder)
            raise


def _play(spec: StormSpec, folder: RunFolder, console: Console, length_s: float | None, interruptions: Interruptions) -> FleetReport:
    """Bring a fleet to the start and play. Until then any failure and any of `interruptions` take the run away again."""
    from owray.fleet.driver import Driver

    with ExitStack() as nothing_sent:
        nothing_sent.callback(_remove, folder)  # no evidence of anything
        fleet = Driver(spec, f"storm-{folder.run}")
        nothing_sent.callback(fleet.end)
        console.print(f"run {folder.run}: {spec.invokers} invoker{'s' * (spec.invokers > 1)} getting ready", highlight=False)
        with unwinding():
            if interruptions.take():
                raise KeyboardInterrupt
            fleet.prepare()
        nothing_sent.pop_all()
    with fleet:
        try:
            return _watch(fleet, console, length_s, interruptions)
        except FleetLost as problem:
            raise FleetLost(f"{problem}.  (owray recover {folder.run} accounts for every call)") from problem


def _watch(fleet: Driver, console: Console, length_s: float | None, interruptions: Interruptions) -> FleetReport:
    """Play to the end. The first of `interruptions` ends the storm in order, a further one at once."""
    fleet.play()
    obeyed = 0
    with LiveView(console, length_s) as view:
        while not fleet.has_ended(_LOOK_EVERY_S):
            for name in interruptions.take():
                if obeyed == 0:
                    fleet.stop(EarlyEnd(Kind.INTERRUPTED, name))
                    console.print("stopping: calls under way may end; once more cuts them off", highlight=False)
                else:
                    fleet.cut(EarlyEnd(Kind.INTERRUPTED, f"{name}, twice"))
                obeyed += 1
            view.show(fleet.progress())
    return fleet.result()


def _remove(folder: RunFolder) -> None:
    """Take a run's folder away, though an invoker that is being ended may still put something into it."""
    give_up_at_s = time.monotonic() + _REMOVE_WITHIN_S
    while folder.path.exists() and time.monotonic() < give_up_at_s:
        shutil.rmtree(folder.path, ignore_errors=True)
        time.sleep(0.05)


def _manifest_fields(request: StormRequest, ground: Ground, prepared: PreparedPlatform, command: tuple[str, ...]) -> dict[str, Any]:
    return {
        "command": command,
        "owner": this_process(),  # until the coordinator takes over
        "asked_by": this_process(),
        "invokers": request.invokers,
        "options": {
            "timeout_ms": round(request.timeout_s * 1000),
            "max_in_flight": request.max_in_flight,
            "workload": request.workload,
            "action": request.action,
            "mix": request.mix,
            "web": request.call.web,
            "trigger": request.call.trigger,
            "size": request.size,
            "objectives": [str(objective) for objective in request.objectives],
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
