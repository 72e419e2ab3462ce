"""`GET /metrics`: what the platform has counted, in Prometheus' text format.

Read when it is asked for, out of what is counted anyway: nothing here is on the way of a call. Names with a `counter_` or `gauge_` in
front are those of a real deployment (Kamon's, with tags); there they are sampled every ten seconds, here they are of the moment. Names
that begin with `owray_` are this platform's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from cluster.openwhisk.embedded.activations import Activations
from cluster.openwhisk.embedded.config import MIB
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.outcomes import Status
from cluster.openwhisk.embedded.pipeline import Pipeline

STARTS = ("cold", "warmed", "prewarmed", "recreated", "recreatedPrewarm")
"""A state that did not occur is a zero, not a gap."""

OUTCOMES = {
    Status.SUCCESS: "success",
    Status.APPLICATION_ERROR: "application_error",
    Status.DEVELOPER_ERROR: "action_developer_error",
    Status.PLATFORM_ERROR: "whisk_internal_error",
}
"""As metrics and events spell them."""


class Metrics:
    """A collector as prometheus_client understands it. It stands in a registry of its own: what a process is registered with by default
    counts the wrong things."""

    def __init__(self, counters: Counters, pipeline: Pipeline, activations: Activations) -> None:
        self._counters = counters
        self._pipeline = pipeline
        self._activations = activations
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition, format 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: or the registry would collect at once to find out."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_pool()
        yield from self._of_activations()
        yield from self._of_records()
        yield from self._of_trouble()

    def _of_the_pool(self) -> Iterator[Metric]:
        starts = CounterMetricFamily(
            "counter_invoker_containerStart_counter", "How activations met their containers.", labels=["containerState"]
        )
        for state in dict.fromkeys((*STARTS, *self._counters.starts)):
            starts.add_metric([state], self._counters.starts[state])
        yield starts
        for what, tally in self._pipeline.census().items():
            yield GaugeMetricFamily(f"gauge_containerPool_{what}Count_counter", f"Containers, or calls: {what}.", tally.count)
            yield GaugeMetricFamily(f"gauge_containerPool_{what}Size_counter_bytes", f"Their memory: {what}.", tally.memory_mb * MIB)

    def _of_activations(self) -> Iterator[Metric]:
        counters = self._counters
        in_flight = len(self._pipeline.in_flight)
        yield GaugeMetricFamily("gauge_loadbalancer0_activationsInflight_counter", "Published and not yet completed.", in_flight)
        completed = CounterMetricFamily("owray_activations", "Completed activations by status.", labels=["status"])
        for status, name in OUTCOMES.items():
            completed.add_metric([name], counters.outcomes[status])
        yield completed
        for what, spent_ms in (("wait", counters.wait_ms), ("init", counters.init_ms), ("run", counters.run_ms)):
            yield CounterMetricFamily(f"owray_activation_{what}_seconds", f"Sum of the {what} times.", spent_ms / 1000)
        answers = CounterMetricFamily("owray_http_responses", "Answers by HTTP status.", labels=["status"])
        for code in sorted(counters.statuses):
            answers.add_metric([str(code)], counters.statuses[code])
        yield answers

    def _of_records(self) -> Iterator[Metric]:
        kept = self._activations
        yield GaugeMetricFamily("owray_activation_records", "Records of activations in the store.", len(kept))
        yield GaugeMetricFamily("owray_activation_records_bytes", "Memory that they take.", kept.bytes_kept)
        yield GaugeMetricFamily("owray_activation_records_limit_bytes", "What they may take.", kept.max_bytes)
        yield CounterMetricFamily("owray_activation_records_dropped", "Records that had to make room.", self._counters.records_dropped)

    def _of_trouble(self) -> Iterator[Metric]:
        counters = self._counters
        yield CounterMetricFamily("owray_logs_truncated", "Activations with more output than may be kept.", counters.logs_truncated)
        yield CounterMetricFamily("owray_containers_lost", "Idle containers that ended by themselves.", counters.containers_lost)
        yield CounterMetricFamily("owray_container_starts_failed", "Containers that could not be made.", counters.starts_failed)
