"""Colours and moving lines: on a terminal, without one, and as NO_COLOR, FORCE_COLOR and TERM=dumb have it.

NO_COLOR takes the colours away and leaves bold and dim, as no-color.org says; TERM=dumb takes everything away.
"""

import pytest
from support.runs import finished_run
from support.screens import CLI, UNPLAYED, colours, escapes, into_pipes, movements, on_terminal

COMMANDS = {
    "storm": ("storm", "--rps", 10, "--calls", 5, "--action", "noop"),
    "doctor": ("doctor",),
    "query": ("query", "summary"),
    "runs": ("runs",),
    "workloads": ("workloads",),
    "status": ("status",),
    "bad": ("query", "sumary"),
    "help": ("--help",),
}
OF_COLOURS = ("storm", "doctor")


@pytest.fixture(params=COMMANDS)
def command(request, lab_home, tmp_path):
    """(name, function that starts it): each on the same lab, with runs of its own where it has runs. No fleet plays these storms."""
    name = request.param
    arguments = COMMANDS[name]
    if name in ("storm", "query", "runs", "bad"):
        finished_run(tmp_path)
        arguments = (*arguments, "--runs-dir", tmp_path)
    program = UNPLAYED if name == "storm" else CLI

    def started(start, **variables):
        return start(*arguments, variables={"OWRAY_HOME": str(lab_home), **variables}, program=program)

    return name, started


def test_without_a_terminal_nothing_but_text_is_written(command):
    _, started = command
    done = started(into_pipes)
    assert escapes(done.stdout + done.stderr) == []


def test_a_dumb_terminal_gets_nothing_but_text(command):
    _, started = command
    assert escapes(started(on_terminal, TERM="dumb")) == []


def test_no_color_takes_the_colours_away(command):
    _, started = command
    assert colours(started(on_terminal, NO_COLOR="1")) == []
    assert colours(started(on_terminal, NO_COLOR="1", FORCE_COLOR="1")) == []


def test_a_terminal_gets_colours_where_there_are_any(command):
    name, started = command
    assert bool(colours(started(on_terminal))) is (name in OF_COLOURS)
    assert bool(colours(started(on_terminal, NO_COLOR=""))) is (name in OF_COLOURS)


def test_force_color_brings_colours_into_a_file_but_nothing_that_moves(command):
    name, started = command
    done = started(into_pipes, FORCE_COLOR="1")
    assert bool(colours(done.stdout)) is (name in OF_COLOURS)
    assert movements(done.stdout + done.stderr) == []


def test_a_storm_that_is_played_moves_on_a_terminal_and_has_colours(lab_home, tmp_path):
    shown = on_terminal(*COMMANDS["storm"], "--runs-dir", tmp_path, variables={"OWRAY_HOME": str(lab_home)})
    assert colours(shown)
    assert movements(shown)


def test_json_is_never_coloured(lab_home):
    variables = {"OWRAY_HOME": str(lab_home), "FORCE_COLOR": "1"}
    for arguments in (("doctor", "--json"), ("workloads", "--json"), ("status", "--json")):
        assert escapes(on_terminal(*arguments, variables=variables)) == []
