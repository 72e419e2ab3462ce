"""What shows how a storm goes, and where it is shown."""

import dataclasses
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.golden import is_golden

from owray.fleet.spec import Progress
from owray.record.layout import Outcome
from owray.storm.live import LiveView, line
from owray.storm.panel import Panel, RatesOfLate
from owray.wire.counters import Counters, bucket_of


def counters(ok=1_200, **others):
    outcomes = [0] * len(Outcome)
    outcomes[Outcome.OK] = ok
    outcomes[Outcome.TIMEOUT], outcomes[Outcome.UNAVAILABLE] = others.pop("timeouts", 0), others.pop("unavailable", 0)
    told = Counters(
        attempted=1_500, finished=sum(outcomes), in_flight=40, lag_max_us=830, cold=8, containers=5, outcomes=outcomes, **others
    )
    told.responses[bucket_of(12_000)] = ok
    return told


LOOKS = {
    "before": Progress("waiting", -1_240_000, 3_000, Counters()),
    "first moment": Progress("playing", 40_000, 3_000, Counters()),
    "calm": Progress("playing", 12_300_000, 3_000, counters()),
    "rough": Progress("playing", 12_300_000, 3_000, counters(timeouts=3, unavailable=20, held_now=37), lost=(1,)),
    "draining": Progress("draining", 31_000_000, 3_000, counters()),
}


def test_the_line_tells_how_it_goes():
    assert is_golden("storm_live.txt", "".join(f"{name}\n{line(look, 30.0, 98.7)}\n" for name, look in LOOKS.items()))


def test_a_closed_loop_that_time_ends_shows_the_time_and_no_number_that_nobody_knows():
    before, playing = Progress("waiting", -1_240_000, None, Counters()), Progress("playing", 12_300_000, None, counters())
    assert line(before, 30.0, 0.0) == "  starts in 1.2 s: as many calls as its users find time for"
    assert line(playing, 30.0, 98.7).startswith("  12 of 30 s | 1,500 sent | ")
    assert "12 of 30 s, 18 s left" in drawn(playing, 80)
    assert "planned -" in re.sub(r"\x1b\[[0-9;]*m", "", drawn(playing, 80))


def test_a_closed_loop_of_counted_calls_shows_how_many_are_done_and_no_time_left():
    look = Progress("playing", 12_300_000, 3_000, counters())
    assert line(look, None, 98.7).startswith("  12 s | 1,500 of 3,000 sent | ")
    shown = drawn(look, 80, length_s=None)
    assert "12 s" in shown
    assert "left" not in shown


def test_where_there_is_no_terminal_a_line_comes_now_and_then():
    text = io.StringIO()
    with LiveView(Console(file=text, width=200), 30.0) as view:
        for quarter in range(4 * 12):
            view.show(Progress("playing", quarter * 250_000, 3_000, counters()))
    assert text.getvalue().count("\n") == 2


def drawn(look, width, *, length_s=30.0, **values):
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width, height=24, force_terminal=True, _environ={}, **values)
    with console.capture() as capture:
        console.print(Panel(look, length_s, RatesOfLate(sent=100.2, done=98.7)))
    return capture.get()


@pytest.mark.parametrize("width", [80, 40])
def test_the_panel_tells_how_it_goes(width):
    shown = {name: drawn(look, width, color_system=None) for name, look in LOOKS.items()}
    assert is_golden(f"storm_panel_{width}.txt", "".join(f"{name}\n{panel}" for name, panel in shown.items()))


@given(st.integers(20, 200), st.integers(0, 10**9), st.sampled_from(sorted(LOOKS)))
def test_no_line_of_the_panel_is_longer_than_the_terminal_is_wide_and_it_stays_small(width, many, name):
    look = LOOKS[name]
    huge = dataclasses.replace(look.counters, attempted=many, finished=many, in_flight=many, containers=many, held_now=many)
    lines = drawn(dataclasses.replace(look, planned=many, counters=huge), width, color_system=None).splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= 8


def test_no_color_takes_the_colours_away_and_leaves_the_words():
    coloured, plain = drawn(LOOKS["rough"], 80, color_system="standard"), drawn(LOOKS["rough"], 80, color_system="standard", no_color=True)
    assert "\x1b[33m" in coloured
    assert "\x1b[33m" not in plain
    assert "20 unavailable" in plain


def test_on_a_terminal_nothing_is_left_of_it():
    text = io.StringIO()
    with LiveView(Console(file=text, width=80, height=24, force_terminal=True, _environ={"TERM": "xterm"}), 30.0) as view:
        view.show(LOOKS["calm"])
        view.show(LOOKS["rough"])
    screen = text.getvalue()
    lines_drawn = drawn(LOOKS["rough"], 80).count("\n")
    assert "in flight" in screen
    assert screen.endswith("\x1b[1A\x1b[2K" * (lines_drawn - 1))  # each line of it, from the last to the first
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h")  # the cursor is back


def test_a_terminal_that_cannot_move_its_cursor_gets_lines():
    text = io.StringIO()
    with LiveView(Console(file=text, width=200, force_terminal=True, _environ={"TERM": "dumb"}), 30.0) as view:
        view.show(LOOKS["calm"])
    assert "1,500 of 3,000 sent" in text.getvalue()
    assert "\x1b[1A" not in text.getvalue()
    assert "\x1b[?25l" not in text.getvalue()
