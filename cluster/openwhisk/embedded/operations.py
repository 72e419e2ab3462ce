"""What an operator asks, outside the API and without a key: metrics, invokers, and what is in flight.

The lean balancer of the standalone server has no invokers to speak of: `{}`, 0, and never ready. A knob makes up some that are always
well, for tools that wait for one.
"""

from __future__ import annotations

from typing import Final

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import Answer, json_answer
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.front import PublicHandler
from cluster.openwhisk.embedded.metrics import Metrics
from cluster.openwhisk.embedded.pipeline import Pipeline
from cluster.openwhisk.embedded.routes import Place

EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"


class Operations:
    """Handlers of the places outside the API."""

    def __init__(self, knobs: Knobs, pipeline: Pipeline, metrics: Metrics) -> None:
        self._healthy = knobs.healthy_invokers
        self._pipeline = pipeline
        self._metrics = metrics

    def public(self) -> dict[Place, PublicHandler]:
        return {
            "metrics": self.metrics,
            "invokers": self.invokers,
            "healthy invokers": self.healthy_invokers,
            "ready invokers": self.ready_invokers,
            "in flight": self.in_flight,
            "in flight count": self.in_flight_count,
        }

    async def metrics(self) -> Answer:
        return Answer(200, self._metrics.text(), content_type=EXPOSITION, cors=False)

    async def invokers(self) -> Answer:
        return json_answer({f"invoker{number}/{number}": "up" for number in range(self._healthy)})

    async def healthy_invokers(self) -> Answer:
        return json_answer(self._healthy)

    async def ready_invokers(self) -> Answer:
        """All of them, or not ready; where there are none, never."""
        if self._healthy:
            return json_answer({"healthy": f"{self._healthy}/{self._healthy}"})
        return json_answer({"unhealthy": "0/0"}, 500)

    async def in_flight(self) -> Answer:
        """Pairs of an activation's id and the action it is of."""
        published = self._pipeline.in_flight.values()
        return json_answer([(one.activation_id, _full_name(one.prepared.action)) for one in published])

    async def in_flight_count(self) -> Answer:
        return json_answer(len(self._pipeline.in_flight))


def _full_name(action: Action) -> str:
    return f"{action.path}@{action.version}"
