"""Tables on a terminal: nothing that people compare is cut in two."""

import io

import pyarrow as pa
import pytest
from rich.console import Console
from support.busy_run import busy_run
from support.golden import is_golden

from owray.ask.queries import queries
from owray.ask.session import Session
from owray.commands.tables import draw, plain


def drawn(answer, width=80):
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, emoji=False)
    draw(answer, console)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def answer_of(folder, name):
    with Session([folder]) as session:
        asked = queries()[name]
        return session.table(asked.sql, asked.values({})).drop_columns(["run"])


@pytest.mark.parametrize("name", queries())
def test_every_query_can_be_read_on_a_terminal_of_80_columns(tmp_path, name):
    text = drawn(answer_of(busy_run(tmp_path), name))
    assert max(map(len, text.splitlines())) <= 80
    assert is_golden(f"queries_80/{name}.txt", text)


def test_what_fits_is_the_table_that_a_file_gets():
    answer = pa.table({"outcome": ["ok"], "worst_ms": [1.5]})
    assert [line for line in drawn(answer).splitlines() if line] == plain(answer).splitlines()


@pytest.mark.parametrize("rows", [0, 1, 3, 60])
@pytest.mark.parametrize("width", [34, 60, 200])
def test_every_heading_and_every_figure_is_there_whole_at_any_width(rows, width):
    names = [f"a_rather_long_{word}_ms" for word in ("one", "two", "three")]
    answer = pa.table(
        {name: [1234.5 + row for row in range(rows)] for name in names}, schema=pa.schema([(name, pa.float64()) for name in names])
    )
    words = drawn(answer, width).replace("\n", " ").replace("_", " ").split()
    assert {"one", "two", "three"} <= set(words)
    assert words.count("1234.5") == (3 if rows else 0)


def test_an_answer_that_is_turned_ends_and_says_how_much_is_left():
    answer = pa.table({f"column_{number}": list(range(60)) for number in range(40)})
    assert drawn(answer, 60).splitlines()[-1] == "... and 10 more rows (--format csv has them all)"
    assert "more rows" not in drawn(answer.slice(0, 50), 60)


def test_a_text_that_is_too_long_for_a_line_is_folded():
    text = drawn(pa.table({"n": [1], "error": ["no such file: " + "x" * 100]}), 40)
    assert text.count("x") == 100
    assert max(map(len, text.splitlines())) <= 40
