"""Where a statement ends, as it is typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.ask import statements
from owray.ask.statements import Statements


def split(text):
    """The whole statements of a text, and what is left behind the last one."""
    typed = Statements()
    return [statement for line in text.split("\n") for statement in typed.add(line)], typed.rest()


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("select 1", [], "select 1"),
        ("select 1;", ["select 1"], ""),
        ("select 1; select\n2;select 3", ["select 1", "select\n2"], "select 3"),
        ("select ';' as \"a;b\", 'it''s;';", ["select ';' as \"a;b\", 'it''s;'"], ""),
        ("select $$a;b$$;", ["select $$a;b$$"], ""),
        ("select 1 -- one; or two\n + 1;", ["select 1 -- one; or two\n + 1"], ""),
        ("select /* ; */ 1;", ["select /* ; */ 1"], ""),
        ("select 'a;\n\nb';", ["select 'a;\n\nb'"], ""),
        ("/* a remark\n; */ select 1;", ["select 1"], ""),
        ("select 'not closed; ", [], "select 'not closed;"),
        ("select /* not closed;", [], "select /* not closed;"),
        ("/* not closed;", [], "/* not closed;"),
        (" ;; ; -- nothing\n;", [], ""),
        ("-- only a remark", [], ""),
    ],
)
def test_a_semicolon_ends_a_statement_where_it_is_one(text, whole, rest):
    assert split(text) == (whole, rest)


@given(st.text(alphabet="a1 ;'\"$-/*\n", max_size=40))
def test_nothing_but_semicolons_remarks_and_space_is_lost(text):
    whole, rest = split(text)
    kept = re.sub(r"\s", "", "".join([*whole, rest]))
    letters = iter(re.sub(r"\s", "", text))
    assert all(letter in letters for letter in kept)
    if not re.search("--|/[*]", text):
        assert kept.replace(";", "") == re.sub(r"[\s;]", "", text)


def test_a_line_is_looked_at_once_however_long_its_statement(monkeypatch):
    class Counting:
        matches = 0

        def match(self, line, place):
            Counting.matches += 1
            return pattern.match(line, place)

    pattern = statements._PIECE
    monkeypatch.setattr(statements, "_PIECE", Counting())
    typed = Statements()
    for _ in range(1000):
        assert typed.add("select") == []
    assert typed.add("1;") == ["\n".join(["select"] * 1000 + ["1"])]
    assert Counting.matches == 1002
