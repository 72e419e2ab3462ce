"""What does it cost every invoker to make the whole plan instead of being sent its share?

python -m benchmarks.plan [--rounds 7] [--calls 1000000]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from benchmarks.clients import ENTRY
from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from owray.plan.arrivals import Even, Poisson, Spacing, due_us
from owray.plan.recipe import Arrivals, Plan, Recipe
from owray.plan.shapes import Ramp

RPS = 100_000.0
INVOKERS = 4


def main() -> None:
    asked = arguments("CPU of making a plan, a call of the whole stream.", rounds=7, calls=1_000_000)
    machine = Machine()
    pin(Cores.available().client)
    sides: dict[str, Callable[[], float]] = {
        "constant: due times": partial(_due_times, Even(), asked.calls),
        "poisson: due times": partial(_due_times, Poisson(1), asked.calls),
        f"constant: share of 1 in {INVOKERS}, with its actions": partial(_share, "constant", asked.calls),
        f"poisson: share of 1 in {INVOKERS}, with its actions": partial(_share, "poisson", asked.calls),
    }
    found = interleave(sides, asked.rounds)
    first = next(iter(found.values()))
    rows = [(name, Spread.of(costs), ratio(costs, first), f"{Spread.of(costs).median * RPS / 1e9:.2%}") for name, costs in found.items()]
    title = f"{asked.rounds} rounds of {asked.calls:,} calls; median (quartiles)"
    show(title, [("plan", "ns of CPU a call", "times the first", f"of a core at {RPS:,.0f} a second"), *rows])
    print(machine.line())


def _due_times(spacing: Spacing, calls: int) -> float:
    before_ns = time.process_time_ns()
    made = sum(len(due) for due in due_us(Ramp(RPS, RPS, calls / RPS), spacing))
    return (time.process_time_ns() - before_ns) / made


def _share(arrivals: Arrivals, calls: int) -> float:
    plan = Plan(Recipe.steady(rps=RPS, duration_s=calls / RPS, entries=(ENTRY,), arrivals=arrivals))
    before_ns = time.process_time_ns()
    mine = sum(len(window) for window in plan.share(0, INVOKERS))
    return (time.process_time_ns() - before_ns) / (mine * INVOKERS)


if __name__ == "__main__":
    main()
