"""Storms as tests play them: the real command in a process of its own, or the fleet alone against a scripted gateway.

    owray("storm", "--rps", 10, home=home, runs=runs)          the command, to its end
    Command("storm", "--rps", 10, home=home, runs=runs)        the command under way: interrupt it, kill what belongs to it
    against_gateway(gateway, home=home, runs=runs, rps=100)    as a `Command`, but without the control plane that a scripted gateway lacks

The last is this file as a program, with tests/ on PYTHONPATH: it plays `noop` through owray.fleet on the lab of $OWRAY_HOME.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

from cluster import processes
from cluster.lab import DEFAULT_NAME, Lab, find
from cluster.state import LabFolder
from owray.ask.session import Session
from owray.fleet.cluster import RayCluster, connected
from owray.fleet.patience import Waits
from owray.fleet.spec import Gateway, StormSpec
from owray.plan.closed import LONGEST_S, Closed
from owray.plan.mix import Entry, Variant
from owray.plan.recipe import Recipe, Stream
from owray.record.journal import MARK_SUFFIX
from owray.record.run import RunFolder, list_runs
from owray.wire.invoker import Limits

Found = TypeVar("Found")

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "cli.py"
PATIENCE_S = 90.0
"""For anything that should happen soon: a machine that is busy with other things is slow, not wrong."""

_NO_KEY = "scripted:gateway"

_LEAD_S = 0.5
"""A fleet of two on one machine has heard of its t0 by then."""


def lab_of(home: Path) -> Lab:
    """The lab that is up there now."""
    lab = find(home, DEFAULT_NAME)
    assert lab is not None, f"no lab is up in {home}"
    return lab


def ray_pids(home: Path, title: str) -> list[int]:
    """Processes of the lab's Ray with such a title: `ray::Player`, `ray::Scribe`."""
    lab_id = LabFolder(home, DEFAULT_NAME).lab_id
    return [mark.pid for mark in processes.of_lab(lab_id) if command_line(mark.pid).startswith(title)]


def command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


class Command:
    """The `owray` command, or another program, while it runs. A context manager: it does not outlive the test."""

    def __init__(
        self,
        *arguments: object,
        home: Path,
        runs: Path | None = None,
        program: Iterable[str] = (str(CLI),),
        errors: int = subprocess.PIPE,
        variables: Mapping[str, str | None] | None = None,
    ) -> None:
        places = [] if runs is None else ["--runs-dir", str(runs)]
        self._runs = runs
        self._before = set() if runs is None else {folder.run for folder in list_runs(runs)}
        self._process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments), *places],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_with(environment(home), variables or {}),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def folder(self) -> RunFolder:
        """The run that this storm makes, as soon as there is one."""

        def made() -> RunFolder | None:
            assert self._runs is not None
            return next((folder for folder in list_runs(self._runs) if folder.run not in self._before), None)

        return self._soon(made)

    def started(self) -> RunFolder:
        """The run, when its t0 is agreed."""
        folder = self.folder()
        self._soon(lambda: folder.load().t0_us)
        return folder

    def wait_until(self, since_t0_s: float) -> RunFolder:
        """The run, so many seconds into the plan."""
        folder = self.started()
        t0_us = folder.load().t0_us or 0
        time.sleep(max(0.0, t0_us / 1e6 + since_t0_s - time.time()))
        return folder

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        output, errors = self._process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(self._process.args, self._process.returncode, output, errors)

    def _soon(self, look: Callable[[], Found | None]) -> Found:
        give_up_at_s = time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            if not self.is_alive or time.monotonic() > give_up_at_s:
                self._process.kill()
                raise AssertionError(f"the storm never came so far:\n{self._process.communicate()}")
            time.sleep(0.02)
        return found


def owray(
    *arguments: object, home: Path, runs: Path | None = None, variables: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """The `owray` command, to its end; `variables` are added to its environment, or taken out of it where they are None."""
    with Command(*arguments, home=home, runs=runs, variables=variables) as command:
        return command.end()


def environment(home: Path) -> dict[str, str]:
    """What a command finds: the home, this checkout, and nothing of anybody's Ray or OpenWhisk or of a test's OWRAY_* settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "OWRAY_", "WHISK_"))}
    return {
        **kept,
        "WSK_CONFIG_FILE": "",
        "OWRAY_HOME": str(home),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        "COLUMNS": "200",
    }


def _with(variables: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**variables, **changes}.items() if value is not None}


# --- what a storm leaves, and who plays it


def calls_of(folder: RunFolder) -> dict[int, dict[str, Any]]:
    """The rows of a finished run, with what views add to them, by seq."""
    with Session([folder]) as session:
        return {row["seq"]: row for row in session.rows("select * from calls")}


def player_pids(folder: RunFolder) -> dict[int, int]:
    """Who plays this very run, by number of invoker: the processes that hold its marks open."""
    holders = {}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            path = descriptor.readlink()
            if path.suffix == MARK_SUFFIX and folder.path.resolve() in path.parents:
                holders[int(path.stem.rpartition("-")[2])] = int(descriptor.parts[2])
    return holders


def wait_for_end(pids: Iterable[int]) -> None:
    """Until none of them is there any more."""
    left = set(pids)
    give_up_at_s = time.monotonic() + PATIENCE_S
    while left := {pid for pid in left if psutil.pid_exists(pid)}:
        assert time.monotonic() < give_up_at_s, f"{left} live on"
        time.sleep(0.05)


# --- a scripted gateway, and the fleet against it


@dataclass(frozen=True, slots=True)
class Witness:
    """A scripted gateway in a process of its own, and the log that only it writes."""

    port: int
    log: Path

    def heard(self, run: str) -> dict[int, int]:
        """When which call of a run came in whole: nanoseconds on CLOCK_MONOTONIC, by seq."""
        lines = (line.split() for line in self.log.read_text().splitlines() if line.startswith(f"{run}-"))
        return {int(request_id.rpartition("-")[2]): int(at_ns) for request_id, at_ns in lines}


@contextmanager
def scripted_gateway(folder: Path, script: Mapping[str, Any]) -> Iterator[Witness]:
    port_file, log = folder / "gateway.port", folder / "gateway.log"
    command = [sys.executable, "-m", "support.gateway", "--port-file", port_file, "--log", log, "--script", json.dumps(script)]
    process = subprocess.Popen(command, env=environment(folder))
    try:
        give_up_at_s = time.monotonic() + PATIENCE_S
        while not port_file.exists():
            assert process.poll() is None, "the gateway has ended"
            assert time.monotonic() < give_up_at_s, "the gateway does not listen"
            time.sleep(0.02)
        yield Witness(int(port_file.read_text()), log)
    finally:
        process.terminate()
        process.wait()


def against_gateway(gateway: Witness, *, home: Path, runs: Path, **options: object) -> Command:
    """The fleet, playing `noop` against this gateway; prints its report as JSON, and looks on the error stream: the seconds since t0 and
    the calls attempted by then. Options are those of the program below."""
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Command("--port", gateway.port, *arguments, home=home, runs=runs, program=("-m", "support.storms"))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="support.storms", description="Plays a storm of noop against a gateway.")
    parser.add_argument("--runs-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rps", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--users", type=int, help="A closed loop of so many, instead of a rate.")
    parser.add_argument("--think_s", type=float, default=0.0)
    parser.add_argument("--calls", type=int, help="How many end a closed loop, instead of --seconds.")
    parser.add_argument("--invokers", type=int, default=1)
    parser.add_argument("--timeout_ms", type=int, default=Limits().timeout_ms)
    parser.add_argument("--silent_s", type=float, default=Waits().silent_s)
    parser.add_argument("--coordinator_silent_s", type=float, default=Waits().coordinator_silent_s)
    parser.add_argument("--sealed_within_s", type=float, default=Waits().sealed_within_s)
    asked = parser.parse_args(arguments)
    waits = Waits(
        lead_s=_LEAD_S,
        silent_s=asked.silent_s,
        sealed_within_s=asked.sealed_within_s,
        coordinator_silent_s=asked.coordinator_silent_s,
    )
    lab = lab_of(Path(os.environ["OWRAY_HOME"]))
    recipe = _recipe(asked)
    with connected(RayCluster(lab.ray_address, lab.ray_environment)):
        from owray.fleet.driver import Driver

        folder = RunFolder.create(asked.runs_dir, datetime.now(UTC), recipe, invokers=asked.invokers)
        gateway = Gateway("127.0.0.1", asked.port, _NO_KEY)
        spec = StormSpec(folder.path, recipe, gateway, Limits(asked.timeout_ms), asked.invokers, lab.invoker_cores, waits)
        with Driver(spec, f"storm-{folder.run}") as fleet:
            fleet.prepare()
            fleet.play()
            while not fleet.has_ended(0.2):
                progress = fleet.progress()
                print(progress.elapsed_us / 1e6, progress.counters.attempted, file=sys.stderr)
            report = fleet.result()
    print(json.dumps(asdict(report)))


def _recipe(asked: argparse.Namespace) -> Recipe:
    entries = (Entry("micro", "noop", "", "noop", variants=(Variant(),)),)
    if asked.users is None:
        return Recipe.steady(asked.rps, asked.seconds, entries)
    duration_s = LONGEST_S if asked.calls else asked.seconds
    return Recipe((Stream(Closed(asked.users, asked.think_s, duration_s)),), entries, calls=asked.calls)


if __name__ == "__main__":
    main(sys.argv[1:])
