"""What is told, and that nothing in it is done by a terminal."""

import pytest

from owray.problems import Problem, tell, visible


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("no run named 'nope'.  (owray runs lists them)"), "owray: no run named 'nope'.  (owray runs lists them)\n"),
        (FileNotFoundError(2, "No such file or directory", "/x"), "owray: cannot use /x: No such file or directory\n"),
        (OSError("cannot write x.csv: Is a directory"), "owray: cannot write x.csv: Is a directory\n"),
        (TimeoutError(), "owray: TimeoutError\n"),
        ("stopped", "owray: stopped\n"),
    ],
)
def test_a_problem_is_one_line_on_the_error_stream(capsys, problem, line):
    tell(problem)
    assert capsys.readouterr() == ("", line)


def test_what_would_move_the_cursor_is_shown_as_it_is_written(capsys):
    tell(Problem("the action says \x1b[2J\x07\x9b1A and no more"))
    assert capsys.readouterr().err == "owray: the action says \\x1b[2J\\x07\\x9b1A and no more\n"


def test_lines_letters_of_all_scripts_and_names_that_are_no_utf_8_stay_readable():
    assert visible("größe 大\tone\ntwo") == "größe 大\tone\ntwo"
    assert visible("file\udcff\r") == "file\\udcff\\r"
