"""Where a statement ends, as it is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owray.ask.statements import split


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
        ("select 'not closed; ", [], "select 'not closed; "),
        ("select /* not closed;", [], "select /* not closed;"),
        (" ;; ; -- nothing\n;", [], ""),
        ("-- only a remark", [], ""),
    ],
)
def test_a_semicolon_ends_a_statement_where_it_is_one(text, whole, rest):
    assert split(text) == (whole, rest)


@given(st.text(alphabet="a1 ;'\"$-/*\n", max_size=40))
def test_typed_line_by_line_or_at_once_it_is_the_same(text):
    lines, waiting, found = text.split("\n"), "", []
    for number, line in enumerate(lines):
        whole, waiting = split(f"{waiting}\n{line}" if number else line)
        found += whole
    at_once, rest = split(text)
    assert found == at_once
    assert waiting == rest
