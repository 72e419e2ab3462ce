"""What people see of a preflight: one line where the storm fits, a table where it does not.

All of it goes where progress goes, to the error stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from owray.plan.mix import Kind
from owray.problems import visible
from owray.storm.ceilings import binds_first, cures, rate_that_fits
from owray.storm.figures import Accuracy, Ceiling, Fit, Supply
from owray.storm.prewarm import Prewarmed
from owray.texts import milliseconds

if TYPE_CHECKING:
    from owray.storm.beforehand import Called

_NOT_CALLED: Mapping[Kind, str] = {
    "action": "not called",
    "web": "web actions are not called beforehand",
    "trigger": "triggers are not fired beforehand",
}

FORCED = "--force plays it all the same"


def show(line: str, console: Console, style: str = "") -> None:
    console.print(visible(line), highlight=False, markup=False, soft_wrap=True, style=style)


@contextmanager
def telling(console: Console) -> Iterator[Callable[[str], None]]:
    """A way to tell how far it is: a terminal has one line for it, which is gone at the end; elsewhere each time is a line."""
    if not console.is_interactive or console.is_dumb_terminal:
        yield partial(show, console=console)
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield lambda line: live.update(Text(visible(line), no_wrap=True, overflow="ellipsis"), refresh=True)


def show_passed(called: Sequence[Called], ceilings: Sequence[Ceiling], supply: Supply, length_s: float, console: Console) -> None:
    """One line, and one for each finding that is to be known."""
    show("preflight  " + "; ".join([*_times(called), *_binding(called, ceilings, length_s)]), console)
    for each in ceilings:
        if each.level is Fit.SPOILS:
            show(f"forced     {each.sentence}", console, "yellow")
        elif each.level is Fit.DOUBTFUL:
            lifted = "".join(f"  ({cure})" for cure in cures([each], supply))
            show(f"warning    {each.sentence}{lifted}", console, "yellow")


def show_refusal(
    called: Sequence[Called], ceilings: Sequence[Ceiling], supply: Supply, console: Console, *, is_closed: bool = False
) -> None:
    """All ceilings, the lowest first, where one is too low; what refuses the storm, and what lifts it; no --rps does in a closed loop."""
    show("preflight  " + "; ".join(_times(called)), console)
    spoilers = [each for each in ceilings if each.level is Fit.SPOILS]
    if any(each.asked for each in spoilers):
        console.print(_table(ceilings))
    for each in spoilers:
        show(f"refused    {each.sentence}", console)
    for cure in cures(spoilers, supply):
        show(f"cure       {cure}", console)
    rate = rate_that_fits(spoilers)
    if rate is not None:
        show(f"or         {f'fewer users, or more --think: {rate:g} calls a second' if is_closed else f'--rps {rate:g}'} at most", console)


def refusal(spoilers: Sequence[Ceiling], supply: Supply) -> str:
    """The one line that a refused storm ends with."""
    first = spoilers[0]
    others = f", and {len(spoilers) - 1} more" if len(spoilers) > 1 else ""
    lifted = cures(spoilers if first.cure.knob else [first], supply)[:1]
    return f"not played: {first.sentence}{others}.  ({'; '.join([*lifted, FORCED])})"


def show_prewarmed(done: Sequence[Prewarmed], console: Console) -> None:
    for each in done:
        show(f"{'prewarm' if each.is_enough else 'warning':<10} {each.sentence}", console, "" if each.is_enough else "yellow")


def _binding(called: Sequence[Called], ceilings: Sequence[Ceiling], length_s: float) -> Iterator[str]:
    """What binds first; where nothing was called, that is not known, and only what the namespace's limits leave is told."""
    if not any(each.probes for each in called):
        yield from (each.sentence for each in ceilings if each.rps is not None)
    elif (lowest := binds_first(ceilings)) is not None:
        # What a minute allows is alone in being exact, and a shorter storm may have it all at a higher rate.
        bounded = f" for {length_s:g} s" if lowest.accuracy is Accuracy.EXACT and length_s < 60 else ""
        yield f"binds first: {lowest.what} ({lowest.has}), at {lowest.reached_at} calls a second{bounded}"


def _times(called: Sequence[Called]) -> Iterator[str]:
    """What calls took from here, for each action."""
    for each in called:
        fine = [probe for probe in each.probes if probe.is_fine]
        parts = []
        cold = [probe.elapsed_ms for probe in fine if probe.is_cold]
        warm = [probe.elapsed_ms for probe in fine if not probe.is_cold]
        if cold:
            parts.append(f"cold {milliseconds(cold[0] * 1000)}")
        if warm:
            parts.append(f"warm {milliseconds(median(warm) * 1000)}")
        nothing = "no call went well" if each.probes else _NOT_CALLED[each.entry.kind]
        yield f"{each.entry.action}: {', '.join(parts) or nothing}"


def _table(ceilings: Sequence[Ceiling]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("ceiling")
    for heading in ("calls a second", "asked for", "there"):
        table.add_column(heading, justify="right")
    lowest = binds_first(ceilings)
    marks = {Fit.SPOILS: "too low", Fit.DOUBTFUL: "warning", Fit.FITS: ""}
    for each in ceilings:
        if each.asked:
            table.add_row("binds first" if each is lowest else marks[each.level], visible(each.what), each.reached_at, each.asked, each.has)
    return table
