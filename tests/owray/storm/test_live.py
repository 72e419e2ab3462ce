"""The line that shows how a storm goes, and where it is shown."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console
from support.golden import is_golden
from support.storms import ROOT

from owray.fleet.spec import Progress
from owray.record.layout import Outcome
from owray.storm.live import LiveView, line
from owray.wire.counters import Counters, bucket_of


def counters(ok=1_200, **others):
    outcomes = [0] * len(Outcome)
    outcomes[Outcome.OK] = ok
    outcomes[Outcome.TIMEOUT], outcomes[Outcome.UNAVAILABLE] = others.pop("timeouts", 0), others.pop("unavailable", 0)
    told = Counters(attempted=1_500, finished=sum(outcomes), in_flight=40, lag_max_us=830, cold=8, outcomes=outcomes, **others)
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


def test_where_there_is_no_terminal_a_line_comes_now_and_then():
    text = io.StringIO()
    with LiveView(Console(file=text, width=200), 30.0) as view:
        for quarter in range(4 * 12):
            view.show(Progress("playing", quarter * 250_000, 3_000, counters()))
    assert text.getvalue().count("\n") == 2


def test_on_a_terminal_nothing_is_left_of_it():
    text = io.StringIO()
    with LiveView(Console(file=text, width=200, force_terminal=True), 30.0) as view:
        view.show(LOOKS["calm"])
    assert "1,500 of 3,000 sent" in text.getvalue()
    assert text.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("end", ["pipe", "terminal"])
def test_a_storm_minds_no_error_stream_that_has_gone_away(end):
    reader, writer = os.pipe() if end == "pipe" else os.openpty()
    program = "from owray.storm.live import error_stream; stream = error_stream(); input(); print('gone', file=stream); print('on')"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writer, text=True
    ) as process:
        os.close(writer)
        os.close(reader)
        output, _ = process.communicate("go\n")
    assert (process.returncode, output) == (0, "on\n")
