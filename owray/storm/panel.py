"""The panel that a terminal shows while a storm is played: a few lines that are drawn over and over.

    wide (60 columns and more)      three facts a line, six lines in all
    narrow                          two facts a line, and what does not fit is cut off, never wrapped

What needs a look has a colour (NO_COLOR takes it away; the words stay): calls that are not ok, calls held, invokers lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from owray.fleet.spec import Progress
from owray.record.layout import Outcome
from owray.texts import milliseconds

_WIDE_COLUMNS = 60
_INDENT = 2
_TIME_COLUMNS = 26
_LEAST_BAR_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class RatesOfLate:
    """Calls a second, of late."""

    sent: float = 0.0
    done: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One look at a storm of this length, for rich to draw at whatever width the terminal then has; without a length, calls are counted."""

    progress: Progress
    length_s: float | None
    rates: RatesOfLate

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.progress.elapsed_us < 0:
            yield _cut_off(Text(before_t0(self.progress)))
            return
        width = options.max_width
        yield self._time(width)
        yield self._facts(3 if width >= _WIDE_COLUMNS else 2)
        yield _cut_off(outcomes(self.progress))

    def _time(self, width: int) -> Table:
        """How far it has come, as a bar and in words."""
        total, completed, left = self._way()
        words = left if self.progress.phase == "playing" else self.progress.phase
        bar = ProgressBar(
            total=total,
            completed=completed,
            width=max(width - _INDENT - _TIME_COLUMNS, _LEAST_BAR_COLUMNS),
            complete_style="cyan",
            finished_style="cyan",
        )
        grid = Table.grid(padding=(0, 0, 0, _INDENT), pad_edge=True)
        grid.add_column()
        grid.add_column(no_wrap=True)
        grid.add_row(bar, words)
        return grid

    def _way(self) -> tuple[float, float, str]:
        """The whole, what of it is done, and how far that is in words."""
        elapsed_s = self.progress.elapsed_us / 1e6
        if self.length_s is None:
            return self.progress.planned or 1, self.progress.counters.finished, f"{elapsed_s:.0f} s"
        elapsed_s = min(elapsed_s, self.length_s)
        return self.length_s, elapsed_s, f"{elapsed_s:.0f} of {self.length_s:.0f} s, {self.length_s - elapsed_s:.0f} s left"

    def _facts(self, columns: int) -> Table:
        grid = Table.grid(padding=(0, 0, 0, _INDENT), pad_edge=True, expand=True)
        for _ in range(columns):
            grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        facts = list(self._all_facts())
        for start in range(0, len(facts), columns):
            grid.add_row(*facts[start : start + columns])
        return grid

    def _all_facts(self) -> Iterator[Text]:
        counters = self.progress.counters
        yield _fact("planned", "-" if self.progress.planned is None else f"{self.progress.planned:,}")
        yield _fact("sent", f"{counters.attempted:,}")
        yield _fact("done", f"{counters.finished:,}")
        yield _fact("sent/s", f"{self.rates.sent:,.0f}")
        yield _fact("done/s", f"{self.rates.done:,.0f}")
        yield _fact("in flight", f"{counters.in_flight:,}")
        yield _fact("p50", milliseconds(counters.response_percentile_us(0.5)))
        yield _fact("p99", milliseconds(counters.response_percentile_us(0.99)))
        yield _fact("most lag", milliseconds(counters.lag_max_us))
        yield _fact("cold", f"{counters.cold:,}")
        yield _fact("containers", f"{counters.containers:,}")
        yield _fact("held", f"{counters.held_now:,}", "yellow" if counters.held_now else "")


def before_t0(progress: Progress) -> str:
    planned = "as many calls as its users find time for" if progress.planned is None else f"{progress.planned:,} calls planned"
    return f"starts in {-progress.elapsed_us / 1e6:.1f} s: {planned}"


def outcomes(progress: Progress) -> Text:
    """Who was lost, and how calls ended: ok first, then by how often."""
    counts = progress.counters.outcomes
    others = sorted((Outcome(code) for code, count in enumerate(counts) if count and code != Outcome.OK), key=lambda one: -counts[one])
    text = Text()
    if progress.lost:
        text.append(f"{len(progress.lost)} invoker{'s' * (len(progress.lost) > 1)} lost; ", style="bold red")
    text.append(f"{counts[Outcome.OK]:,} ok", style="green" if counts[Outcome.OK] else "")
    for outcome in others:
        text.append(f", {counts[outcome]:,} {outcome.label}", style="yellow")
    return text


def _fact(name: str, value: str, style: str = "") -> Text:
    return Text.assemble((f"{name} ", "dim"), (value, style or "bold"))


def _cut_off(text: Text) -> Table:
    grid = Table.grid(padding=(0, 0, 0, _INDENT), pad_edge=True, expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(text)
    return grid
