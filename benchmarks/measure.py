"""Two sides measured fairly on a machine that is not quiet.

Time on the wall says what the neighbours did; so cost is CPU time, and the result is a ratio. All sides are run in turn, round after
round, in an order that reverses each time: what changes slowly (clock speed, caches, neighbours) meets all of them alike. A ratio is
taken within a round and then over the rounds, as median and quartiles. A first round is run and thrown away.

CPU time is not free of the neighbours either: they share caches and, on a virtual machine, hyperthreads. The quartiles show how much.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psutil

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of one figure over the rounds."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        if len(found) == 1:
            return cls(found[0], found[0], found[0])
        lower, median, upper = statistics.quantiles(found, n=4, method="inclusive")
        return cls(median, lower, upper)

    def __str__(self) -> str:
        return f"{_figure(self.median)} ({_figure(self.lower)} to {_figure(self.upper)})"


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """How many times as much `above` is, round by round."""
    return Spread.of(one / other for one, other in zip(above, below, strict=True))


def interleave(sides: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each side returned in each round; the first time round does not count."""
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name in sorted(sides, key=list(sides).index, reverse=bool(number % 2)):
            gc.collect()
            result = sides[name]()
            if number:
                found[name].append(result)
    return found


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the two sides of a connection run: on different cores, where there are two."""

    server: int
    client: int

    @classmethod
    def available(cls) -> Cores:
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1])


def pin(core: int) -> None:
    """Keep this process, and what it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


class Machine:
    """The machine, watched from now until `line` is asked for."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def line(self) -> str:
        now = psutil.cpu_times()
        total = sum(now[:8]) - sum(self._before[:8])  # guests are counted in user time already
        stolen = now.steal - self._before.steal
        return (
            f"CPython {platform.python_version()}, {platform.system()} {platform.release()}, {os.cpu_count()} cores, "
            f"load {psutil.getloadavg()[0]:.1f}, {stolen / max(total, 0.01):.1%} of the machine's time stolen"
        )


def arguments(description: str, rounds: int, **numbers: int) -> argparse.Namespace:
    """The command line: `--rounds`, and an option for each of `numbers` with its default."""
    parser = argparse.ArgumentParser(description=description)
    for name, default in {"rounds": rounds, **numbers}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=_count, default=default, help=f"default {default:,}")
    return parser.parse_args()


def show(title: str, rows: Iterable[Sequence[object]]) -> None:
    """Print a table; its first row is the heading."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    print(title)
    for row in texts:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _figure(value: float) -> str:
    """Three digits that matter, no more: the fourth is never the same twice."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
