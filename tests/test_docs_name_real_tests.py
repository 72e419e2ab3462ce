"""The docs say which test shows what they claim: each test that they name is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMED = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")
TABLES = ("bad-input.md", "endings.md")
"""Pages of tables in which every line names its test."""


def named_tests(text: str) -> Iterator[tuple[str, str]]:
    for match in NAMED.finditer(text):
        yield match[1], match[2]


def defined_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_test_that_the_docs_name_is_there(checkout):
    missing = [
        f"{page.relative_to(checkout)}: {path}::{name}"
        for page in sorted(checkout.joinpath("docs").rglob("*.md"))
        for path, name in named_tests(page.read_text())
        if name not in defined_in(checkout / path)
    ]
    assert missing == []


@pytest.mark.parametrize("page", TABLES)
def test_every_line_of_a_table_names_its_test(checkout, page):
    lines = checkout.joinpath("docs", page).read_text().splitlines()
    headings = {index - 1 for index, line in enumerate(lines) if line.startswith("|---")}
    body = [line for index, line in enumerate(lines) if line.startswith("|") and index not in headings and index - 1 not in headings]
    assert body
    assert [line for line in body if not list(named_tests(line))] == []
