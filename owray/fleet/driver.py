"""The driver's side of a storm: a coordinator on the cluster, spoken to in plain calls.

Everything that waits does so in short steps, so that Ctrl-C is heard between them. To be imported when the process is connected, not
before: importing this imports Ray (see `owray.fleet.cluster.connected`).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import RayActorError, RayTaskError

from owray.fleet.cluster import FleetLost, StartFailed
from owray.fleet.coordinator import Coordinator
from owray.fleet.spec import FleetReport, Progress, StormSpec

_ANSWER_WITHIN_S = 60.0


class Driver:
    """A storm's coordinator, as a detached actor of this name; a context manager that ends it. The process must be connected."""

    def __init__(self, spec: StormSpec, name: str) -> None:
        actor: Any = ray.remote(Coordinator)
        self._coordinator = actor.options(name=name, lifetime="detached", num_cpus=0, max_restarts=0, max_task_retries=0).remote(spec)
        self._result: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ray.kill(self._coordinator)

    def prepare(self) -> None:
        """Bring all invokers to the start. Raises StartFailed."""
        try:
            self._ask(self._coordinator.prepare.remote())
        except RayTaskError as problem:
            if isinstance(problem.cause, StartFailed):
                raise StartFailed(str(problem.cause)) from None
            raise

    def play(self) -> None:
        """Agree on t0; the storm then needs nobody to go on."""
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

    def stop(self, reason: str) -> None:
        """Send no more; calls under way may end."""
        self._coordinator.stop.remote(reason)

    def cut(self, reason: str) -> None:
        """End at once."""
        self._coordinator.cut.remote(reason)

    def _ask(self, question: Any) -> Any:
        try:
            return ray.get(question, timeout=_ANSWER_WITHIN_S)
        except RayActorError as problem:
            raise FleetLost(f"the storm's coordinator died: {problem}".splitlines()[0]) from problem
