"""The driver's side of a storm: a coordinator on the cluster, spoken to in plain calls.

Everything that waits does so in short steps, so that Ctrl-C is heard between them. To be imported when the process is connected, not
before: importing this imports Ray (see `owray.fleet.cluster.connected`).
"""

from __future__ import annotations

import errno
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from owray.fleet.cluster import FleetLost, StartFailed
from owray.fleet.coordinator import Coordinator
from owray.fleet.spec import FleetReport, Progress, StormSpec
from owray.record.early_end import EarlyEnd

_READY_WITHIN_S = 60.0
"""For the first process of a fleet; each further invoker may take `_MORE_PER_INVOKER_S` more."""

_MORE_PER_INVOKER_S = 10.0


class Driver:
    """A storm's coordinator, as a detached actor of this name; a context manager that ends it. The process must be connected.

    A coordinator that has been asked and has not answered in the storm's time for it is given up.
    """

    def __init__(self, spec: StormSpec, name: str) -> None:
        actor: Any = ray.remote(Coordinator)
        self._coordinator = actor.options(name=name, lifetime="detached", num_cpus=0, max_restarts=0, max_task_retries=0).remote(spec)
        self._silent_s = spec.waits.coordinator_silent_s
        self._ready_within_s = _READY_WITHIN_S + _MORE_PER_INVOKER_S * spec.invokers
        self._result: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Make an end of the coordinator, and thereby of its invokers, whatever they do; may be called again."""
        ray.kill(self._coordinator)

    def prepare(self) -> None:
        """Bring all invokers to the start. Raises StartFailed."""
        try:
            self._ask(self._coordinator.prepare.remote(), self._ready_within_s)
        except FleetLost as problem:
            raise StartFailed(str(problem)) from problem

    def play(self) -> None:
        """Agree on t0; the storm then needs nobody to go on. This and all that follows raises FleetLost where the coordinator cannot."""
        self._ask(self._coordinator.play.remote())
        self._result = self._coordinator.result.remote()

    def has_ended(self, within_s: float) -> bool:
        """Whether the storm is over, after waiting at most so long for it."""
        return bool(ray.wait([self._result], timeout=within_s)[0])

    def progress(self) -> Progress:
        progress: Progress = self._ask(self._coordinator.progress.remote())
        return progress

    def result(self) -> FleetReport:
        report: FleetReport = self._ask(self._result)
        return report

    def stop(self, why: EarlyEnd) -> None:
        """Send no more; calls under way may end."""
        self._coordinator.stop.remote(why)

    def cut(self, why: EarlyEnd) -> None:
        """End at once."""
        self._coordinator.cut.remote(why)

    def _ask(self, question: Any, within_s: float | None = None) -> Any:
        within_s = within_s or self._silent_s
        try:
            return ray.get(question, timeout=within_s)
        except RayActorError as problem:
            raise FleetLost("the storm's coordinator died") from problem
        except GetTimeoutError as problem:
            raise FleetLost(f"the storm's coordinator has not answered for {within_s:.0f} s") from problem
        except RayTaskError as problem:
            raise FleetLost(_told(problem.cause or problem)) from problem


def _told(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        return f"the run could not be written to its end: {problem.strerror}; make room first"
    return str(problem)
