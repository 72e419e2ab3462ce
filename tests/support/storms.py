"""Storms as tests play them: the real command in a process of its own, or the fleet alone against any gateway.

    lab = LabHome(home)                                   whatever lab is up there, found again at each look
    owray("storm", "--rps", "10", lab=lab, runs=...)      the command, to its end
    Command("storm", ..., lab=lab, runs=...)              the command under way: interrupt it, kill what belongs to it

As a program, with tests/ on PYTHONPATH, it plays a plan of `noop` against a gateway through owray.fleet, without the control plane that a
scripted gateway lacks, and prints the fleet's report as JSON:

    python -m support.storms --runs RUNS --lab HOME --port PORT [--rps 100] [--duration 2] [--invokers 1]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from cluster import processes
from cluster.lab import DEFAULT_NAME, Lab, find
from cluster.state import LabFolder
from owray.record.run import RunFolder, list_runs

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "cli.py"
PATIENCE_S = 90.0
"""For anything that should happen soon: a machine that is busy with other things is slow, not wrong."""

KEY = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:secretOfTheScriptedGateway0123456789"


class LabHome:
    """An OWRAY_HOME and the lab in it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def lab(self) -> Lab:
        lab = find(self.home, DEFAULT_NAME)
        assert lab is not None, f"no lab is up in {self.home}"
        return lab

    def pids_of(self, title: str) -> list[int]:
        """Processes of the lab's Ray with such a title: `ray::Player`, `ray::Coordinator`, `ray::Scribe`."""
        lab_id = LabFolder(self.home, DEFAULT_NAME).lab_id
        return [mark.pid for mark in processes.of_lab(lab_id, "ray") if command_line(mark.pid).startswith(title)]


class Command:
    """The `owray` command, or another program that plays a storm, while it runs. A context manager: it does not outlive the test."""

    def __init__(self, *arguments: object, home: Path, runs: Path | None = None, program: Iterable[str] = (str(CLI),)) -> None:
        places = [] if runs is None else ["--runs-dir", str(runs)]
        self._runs = runs
        self._before = set() if runs is None else {folder.run for folder in list_runs(runs)}
        self._process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments), *places],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
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

    def _soon[Found](self, look: Callable[[], Found | None]) -> Found:
        give_up_at_s = time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            if not self.is_alive or time.monotonic() > give_up_at_s:
                self._process.kill()
                raise AssertionError(f"the storm never came so far:\n{self._process.communicate()}")
            time.sleep(0.02)
        return found


def owray(*arguments: object, home: Path, runs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The `owray` command, to its end."""
    with Command(*arguments, home=home, runs=runs) as command:
        return command.end()
