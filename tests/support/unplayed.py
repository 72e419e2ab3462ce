"""`owray` with storms that no fleet plays, for tests of what a storm shows: all is real but the fleet, and each of its calls is well.

It is `owray` as a program, with tests/ on PYTHONPATH: `python -m support.unplayed storm ...`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from support.runs import planned_rows, record

import cli
import owray.storm.play
from owray.fleet.cluster import RayCluster
from owray.fleet.spec import FleetReport, Progress, StormSpec
from owray.record.parts import convert_closed
from owray.record.run import RunFolder
from owray.wire.counters import Counters

LOOKS_US = (-1_000_000, 0, 500_000)
"""When it is looked at: before its start, at it, and in the midst."""


class Unplayed:
    """What the command asks of `owray.fleet.driver.Driver`."""

    def __init__(self, spec: StormSpec, name: str) -> None:
        self._spec = spec
        self._left_us = list(LOOKS_US)

    def __enter__(self) -> Unplayed:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""

    end = __exit__

    def prepare(self) -> None:
        """It is ready."""

    play = prepare

    def has_ended(self, within_s: float) -> bool:
        return not self._left_us

    def progress(self) -> Progress:
        elapsed_us = self._left_us.pop(0)
        return Progress("waiting" if elapsed_us < 0 else "playing", elapsed_us, 5, Counters())

    def result(self) -> FleetReport:
        folder = RunFolder(self._spec.folder)
        record(folder, planned_rows(self._spec.recipe)).close()
        convert_closed(folder.journals("0"), folder.calls("0"), self._spec.recipe)
        folder.remove_journals()
        folder.update(status="ended", t0_utc=folder.load().started_at)
        return FleetReport(reports=(), lost=(), late=(), aborted=None)


@contextmanager
def unconnected(cluster: RayCluster) -> Iterator[None]:
    yield


if __name__ == "__main__":
    owray.storm.play.connected = unconnected
    sys.modules["owray.fleet.driver"] = SimpleNamespace(Driver=Unplayed)
    sys.exit(cli.main())
