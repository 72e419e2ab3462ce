"""docs/screens.md, and the screen that its pictures are read off from."""

import re
import sys

import pytest

from benchmarks.screens import COLUMNS, HOPELESS, QUESTION, STANDALONE_LAB, STORM, Screen, on_screen

HEADINGS = ["The live view", "The summary", "A preflight that refuses", "A query"]


def written(*pieces, columns=10):
    screen = Screen(columns)
    for piece in pieces:
        screen.write(piece)
    return screen.text()


def test_what_is_drawn_over_is_gone():
    assert written("one\r\ntwo\r\n", "\x1b[1A\x1b[2K", "\x1b[1A\x1b[2K", "three\r\n") == "three"
    assert written("abcdef\rxy") == "xycdef"


def test_a_long_line_goes_on_in_the_next():
    assert written("0123456789ab\r\nc") == "0123456789\nab\nc"
    assert written("0123456789\r\nc") == "0123456789\nc"


def test_styles_leave_no_trace_and_may_come_in_pieces():
    assert written("\x1b[?25l\x1b[1;3", "6mok\x1b", "[0m") == "ok"


def test_what_it_does_not_know_is_not_shown_wrongly():
    with pytest.raises(ValueError, match="does not know"):
        written("\x1b[3;4H")


def test_a_program_is_seen_at_its_end_and_in_its_midst(tmp_path):
    script = (
        "import sys, shutil; print(shutil.get_terminal_size().columns, end=''); sys.stdout.flush(); print('\\r\\x1b[2Kend'); sys.exit(3)"
    )
    seen = on_screen([sys.executable, "-c", script], {}, lambda text: text in ("80", "end"))
    assert (seen.end, seen.exit_code) == ("end", 3)
    assert seen.kept in ("80", "end")


def test_the_page_has_four_screens_of_text_no_wider_than_the_terminal(checkout):
    page = (checkout / "docs" / "screens.md").read_text()
    assert re.findall("^## (.*)", page, re.MULTILINE) == HEADINGS
    screens = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(screens) == len(HEADINGS)
    assert max(len(line) for screen in screens for line in screen.splitlines()) <= COLUMNS
    assert "\x1b" not in page
    assert all(f"`{command}`" in page for command in (STORM, HOPELESS, STANDALONE_LAB, QUESTION))


def test_every_screen_that_the_first_hour_points_at_is_there(checkout):
    pointed_at = re.findall(r"\(screens\.md#([\w-]+)\)", (checkout / "docs" / "first-hour.md").read_text())
    assert {heading.lower().replace(" ", "-") for heading in HEADINGS} == set(pointed_at)
