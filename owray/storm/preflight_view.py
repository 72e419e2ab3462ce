"""What people see of a preflight: one line where the storm fits, a table where it does not.

All of it goes where progress goes, to the error stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from owray.problems import visible
from owray.storm.ceilings import binds_first, cures, rate_that_fits
from owray.storm.figures import Capacity, Ceiling, Level
from owray.storm.prewarm import Prewarmed

if TYPE_CHECKING:
    from owray.storm.preflight import Called

FORCED = "--force plays it all the same"


def show(line: str, console: Console, style: str = "") -> None:
    console.print(visible(line), highlight=False, markup=False, soft_wrap=True, style=style)


def show_passed(called: Sequence[Called], ceilings: Sequence[Ceiling], capacity: Capacity, console: Console) -> None:
    """One line, and one for each finding that is to be known."""
    lowest = binds_first(ceilings)
    binds = [] if lowest is None else [f"binds first: {lowest.what}, {lowest.reached_at} calls a second"]
    show("preflight  " + "; ".join([*_times(called), *binds]), console)
    for each in ceilings:
        if each.level is Level.SPOILS:
            show(f"forced     {each.sentence}", console, "yellow")
        elif each.level is Level.DOUBTFUL:
            lifted = "".join(f"  ({cure})" for cure in cures([each], capacity))
            show(f"warning    {each.sentence}{lifted}", console, "yellow")


def show_refusal(called: Sequence[Called], ceilings: Sequence[Ceiling], capacity: Capacity, console: Console) -> None:
    """All ceilings, the lowest first, where one is too low; what refuses the storm, and what lifts it."""
    show("preflight  " + "; ".join(_times(called)), console)
    spoilers = [each for each in ceilings if each.level is Level.SPOILS]
    if any(each.asked for each in spoilers):
        console.print(_table(ceilings))
    for each in spoilers:
        show(f"refused    {each.sentence}", console)
    for cure in cures(spoilers, capacity):
        show(f"cure       {cure}", console)
    rate = rate_that_fits(spoilers)
    if rate is not None:
        show(f"or         --rps {rate:g} at most", console)


def refusal(spoilers: Sequence[Ceiling], capacity: Capacity) -> str:
    """The one line that a refused storm ends with."""
    first = spoilers[0]
    others = f", and {len(spoilers) - 1} more" if len(spoilers) > 1 else ""
    lifted = cures(spoilers if first.cure.knob else [first], capacity)[:1]
    return f"not played: {first.sentence}{others}.  ({'; '.join([*lifted, FORCED])})"


def show_prewarmed(done: Sequence[Prewarmed], console: Console) -> None:
    for each in done:
        show(f"{'prewarm' if each.is_enough else 'warning':<10} {each.sentence}", console, "" if each.is_enough else "yellow")


def _times(called: Sequence[Called]) -> Iterator[str]:
    """What calls took from here, for each action."""
    for each in called:
        fine = [probe for probe in each.probes if probe.is_fine]
        parts = []
        cold = [probe.elapsed_ms for probe in fine if probe.is_cold]
        warm = [probe.elapsed_ms for probe in fine if not probe.is_cold]
        if cold:
            parts.append(f"cold {_ms(cold[0])}")
        if warm:
            parts.append(f"warm {_ms(median(warm))}")
        nothing = "no call went well" if each.probes else "not called"
        yield f"{each.entry.action}: {', '.join(parts) or nothing}"


def _table(ceilings: Sequence[Ceiling]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("ceiling")
    for heading in ("calls a second", "asked for", "there"):
        table.add_column(heading, justify="right")
    lowest = binds_first(ceilings)
    marks = {Level.SPOILS: "too low", Level.DOUBTFUL: "warning", Level.FITS: ""}
    for each in ceilings:
        if each.asked:
            table.add_row("binds first" if each is lowest else marks[each.level], visible(each.what), each.reached_at, each.asked, each.has)
    return table


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
