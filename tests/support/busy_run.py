"""One small run with something of everything, the same each time: what the golden files of queries are made from."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from support.runs import Row, finished_run, recipe

from owray.plan.recipe import Recipe
from owray.record.layout import Outcome
from owray.record.run import RunFolder

_UNSENT_SEQ, _LOST_SEQ, _TIMED_OUT_SEQ = 1_400, 777, 300
_CONTAINERS = {0: ("c0ffee0000000001", "c0ffee0000000002", "c0ffee0000000003"), 1: ("a11600000000000a", "a11600000000000b")}
_NO_RECORD = (
    "ttfb_us",
    "ow_start_ms",
    "activation_id",
    "wait_ms",
    "duration_ms",
    "container",
    "container_calls",
    "gen_us",
    "compute_us",
    "io_us",
)

IN_FLIGHT_US = 39_900_000
"""What the run's only invoker says it counted, in call-microseconds."""


def busy_recipe(**values: Any) -> Recipe:
    """500 calls a second for three seconds, of which half a second is warm-up; two actions."""
    return recipe(**{"rps": 500, "duration_s": 3.0, "warmup_s": 0.5, "arrivals": "poisson", "seed": 11, **values})


def busy_run(runs: Path, **values: Any) -> RunFolder:
    """Cold starts, both kinds of throttle, a wrong result, application errors, a time-out, one call unsent and one lost."""
    plan = busy_recipe()
    fleet = ({"invoker": 0, "node": "0", "counters": {"area_call_us": IN_FLIGHT_US}},)
    return finished_run(runs, plan, _Story(), **{"fleet": fleet, **values})


class _Story:
    """What became of each call, told in the order of the plan; the numbers are drawn from a seed."""

    def __init__(self) -> None:
        self._random = random.Random(4)  # noqa: S311  a story has no secrets
        self._served: dict[str, int] = {}

    def __call__(self, row: Row) -> Row:
        draw = self._random.random()
        if row["seq"] in (_UNSENT_SEQ, _LOST_SEQ):
            return self._without_end(row, Outcome.UNSENT if row["seq"] == _UNSENT_SEQ else Outcome.LOST)
        if row["seq"] == _TIMED_OUT_SEQ:
            late = {"outcome": Outcome.TIMEOUT, "service_us": 900_000, "lag_us": 90, "censored": 1, "error": "no answer in time"}
            return self._refused(row) | late
        if 1_500_000 <= row["intended_us"] < 1_900_000 and draw < 0.4:
            busy = {"outcome": Outcome.THROTTLED_RATE, "error": "Too many requests in the last minute (count: N, allowed: N)."}
            return self._refused(row) | busy | {"http_status": 429}
        if draw > 0.995:
            busy = {"outcome": Outcome.THROTTLED_CONCURRENCY, "error": "Too many concurrent requests in flight (count: N, allowed: N)."}
            return self._refused(row) | busy | {"http_status": 429}
        return self._answered(row, draw)

    def _answered(self, row: Row, draw: float) -> Row:
        container = self._container(row["entry"])
        served = self._served[container] = self._served.get(container, 0) + 1
        is_long = row["entry"] == 1
        duration_ms = self._random.randrange(30, 60) if is_long else self._random.randrange(2, 6)
        wait_ms = self._random.randrange(1, 4)
        answer = {
            "lag_us": self._random.randrange(15, 400),
            "held_us": 2_000 if draw < 0.02 else 0,
            "wait_ms": wait_ms,
            "duration_ms": duration_ms,
            "container": container,
            "container_calls": served,
            "compute_us": duration_ms * 900,
        }
        if served % 20 == 1:  # this container was made anew for it
            answer |= {"init_ms": 80, "duration_ms": duration_ms + 80, "wait_ms": wait_ms + 150, "connect_us": 400, "conn_reused": 0}
        answer["service_us"] = 1000 * (answer["wait_ms"] + answer["duration_ms"]) + self._random.randrange(700, 1500)
        answer["ttfb_us"] = answer["service_us"] - 60
        if is_long and draw < 0.05:
            answer |= {"outcome": Outcome.APPLICATION_ERROR, "http_status": 502, "error": "no such reference: chrN", "checked": 0}
        elif draw > 0.994:
            answer |= {"outcome": Outcome.WRONG, "checked": 0}
        return row | answer

    def _container(self, entry: int) -> str:
        """The first that is free: so the first serves most."""
        return self._random.choices(_CONTAINERS[entry], weights=(6, 3, 1)[: len(_CONTAINERS[entry])])[0]

    def _refused(self, row: Row) -> Row:
        kept = {name: value for name, value in row.items() if name not in _NO_RECORD and name not in ("http_status", "checked")}
        return kept | {"service_us": self._random.randrange(600, 1400)}

    @staticmethod
    def _without_end(row: Row, outcome: Outcome) -> Row:
        return {"seq": row["seq"], "intended_us": row["intended_us"], "entry": row["entry"], "outcome": outcome}
