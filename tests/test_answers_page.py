"""docs/answers.md tells of the tables and the questions that there are."""

import re

from owray.ask.queries import queries
from owray.ask.session import Session


def test_every_question_is_on_the_page_with_its_parameters(checkout):
    page = (checkout / "docs" / "answers.md").read_text()
    for query in queries().values():
        parameters = ", ".join(f"`{each.name}`" for each in query.parameters)
        assert f"| `{query.name}` | {query.question} | {parameters} |".replace("|  |", "| |") in page


def test_the_columns_of_each_table_are_on_the_page(checkout):
    page = (checkout / "docs" / "answers.md").read_text()
    rows = (checkout / "docs" / "design.md").read_text()
    with Session([]) as session:
        for table in ("calls", "runs", "hosts", "seconds", "plan"):
            (line,) = [line for line in page.splitlines() if line.startswith(f"| `{table}` | ") and "?" not in line]
            named = set(re.findall(r"\w+", line + (rows if table == "calls" else ""))) | {"run"}
            assert set(session.table(f"from {table}").column_names) <= named
