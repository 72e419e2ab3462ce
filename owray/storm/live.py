"""A storm while it is played: a panel that changes on a terminal, a line now and then elsewhere.

It goes to the error stream: what a program reads from the output stream is the result alone.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from owray.fleet.spec import Progress
from owray.record.layout import Outcome
from owray.storm.panel import Panel, RatesOfLate, before_t0
from owray.texts import milliseconds

PLAIN_EVERY_S = 5.0


class LiveView:
    """Shows `Progress`. A context manager: a terminal's panel is taken away at the end.

    A terminal that cannot move its cursor (TERM=dumb) gets lines. `length_s` is None where no time ends the storm.
    """

    def __init__(self, console: Console, length_s: float | None) -> None:
        self._console = console
        self._length_s = length_s
        self._live: Live | None = None
        self._shown_at_s = 0.0
        self._before = (0.0, 0, 0)
        self._rates = RatesOfLate()

    def __enter__(self) -> Self:
        if self._console.is_interactive and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        elapsed_s = progress.elapsed_us / 1e6
        self._measure_rates(elapsed_s, progress)
        if self._live is not None:
            self._live.update(Panel(progress, self._length_s, self._rates), refresh=True)
        elif elapsed_s - self._shown_at_s >= PLAIN_EVERY_S:
            self._shown_at_s = elapsed_s
            self._console.print(line(progress, self._length_s, self._rates.done), highlight=False, soft_wrap=True)

    def _measure_rates(self, elapsed_s: float, progress: Progress) -> None:
        then_s, sent_then, done_then = self._before
        span_s = elapsed_s - then_s
        if span_s >= 1.0:
            sent, done = progress.counters.attempted, progress.counters.finished
            self._rates = RatesOfLate((sent - sent_then) / span_s, (done - done_then) / span_s)
            self._before = (elapsed_s, sent, done)


def line(progress: Progress, length_s: float | None, done_per_s: float) -> str:
    """One line on how the storm goes."""
    counters = progress.counters
    elapsed_s = progress.elapsed_us / 1e6
    if elapsed_s < 0:
        return f"  {before_t0(progress)}"
    failed = counters.finished - counters.outcomes[Outcome.OK]
    parts = [
        _time(elapsed_s, length_s) if progress.phase == "playing" else progress.phase,
        f"{counters.attempted:,} sent" if progress.planned is None else f"{counters.attempted:,} of {progress.planned:,} sent",
        f"{done_per_s:,.0f} done/s",
        f"{counters.in_flight:,} in flight",
        f"{counters.outcomes[Outcome.OK]:,} ok",
    ]
    if failed:
        parts.append(f"{failed:,} not ok ({_worst(counters.outcomes)})")
    if counters.held_now:
        parts.append(f"{counters.held_now:,} held")
    parts.append(f"p50 {milliseconds(counters.response_percentile_us(0.5))}, p99 {milliseconds(counters.response_percentile_us(0.99))}")
    parts.append(f"lag at most {milliseconds(counters.lag_max_us)}")
    parts.append(f"{counters.cold:,} cold")
    if progress.lost:
        parts.append(f"{len(progress.lost)} invoker{'s' * (len(progress.lost) > 1)} lost")
    return "  " + " | ".join(parts)


def _time(elapsed_s: float, length_s: float | None) -> str:
    return f"{elapsed_s:.0f} s" if length_s is None else f"{min(elapsed_s, length_s):.0f} of {length_s:.0f} s"


def _worst(outcomes: list[int]) -> str:
    """The most frequent outcome but ok."""
    others = {Outcome(code): count for code, count in enumerate(outcomes) if code != Outcome.OK}
    return max(others, key=lambda outcome: others[outcome]).label
