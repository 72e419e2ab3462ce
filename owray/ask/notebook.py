"""Runs in a notebook, or in any Python: what `owray.load` and `owray.runs` give.

    import owray

    storm = owray.load("latest")
    storm.sql("select outcome, count(*) as calls from calls group by 1").df()
    storm.query("timeline", bucket_s=5)

An answer is there as a whole, as an Arrow table; a notebook shows the first of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from owray.ask.queries import find_query
from owray.ask.session import Session
from owray.record.run import find_runs, list_runs, runs_folder

SHOWN_ROWS = 20


class Result:
    """The answer to a question."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def arrow(self) -> pa.Table:
        return self._table

    def rows(self) -> list[dict[str, Any]]:
        """Row by row, by column name."""
        rows: list[dict[str, Any]] = self._table.to_pylist()
        return rows

    def df(self) -> Any:
        """As a pandas data frame. Raises ImportError where pandas is not installed."""
        if find_spec("pandas") is None:
            raise ImportError(
                "a data frame needs pandas, which is not installed here: pip install pandas (rows() and arrow() need nothing)"
            )
        return self._table.to_pandas()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __repr__(self) -> str:
        """Columns in line, numbers to the right, as in a terminal."""
        texts = [self._table.column_names, *self._shown()]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        to_right = [_is_number(field.type) for field in self._table.schema]
        lines = [
            "  ".join(
                text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, to_right, strict=True)
            ).rstrip()
            for line in texts
        ]
        return "\n".join([*lines, *self._rest()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self._table.column_names)
        aligned = ["right" if _is_number(field.type) else "left" for field in self._table.schema]
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align: {side}">{escape(text)}</td>' for side, text in zip(aligned, line, strict=True))
            + "</tr>"
            for line in self._shown()
        )
        rest = "".join(f"<p>{escape(line)}</p>" for line in self._rest())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _shown(self) -> list[list[str]]:
        return [[_text(value) for value in row.values()] for row in self._table.slice(0, SHOWN_ROWS).to_pylist()]

    def _rest(self) -> list[str]:
        left = self._table.num_rows - SHOWN_ROWS
        return [f"... and {left:,} more {'row' if left == 1 else 'rows'}"] if left > 0 else []


class Runs:
    """One or more runs, open to be asked. It can be closed, or used in a `with`; left alone, it ends with the program."""

    def __init__(self, run: str, runs_dir: str | Path | None) -> None:
        _check_text("a run", run, "'latest', 'all', an id, a tag, or several with commas between")
        found = find_runs(runs_folder(None if runs_dir is None else Path(runs_dir)), run)
        self._names = [folder.run for folder in found]
        self._session = Session(found)

    def sql(self, query: str, **parameters: Any) -> Result:
        """Ask in SQL over calls, runs, hosts, seconds and plan; a parameter is $name in the query. Raises QueryError, and TypeError for a
        query that is no text."""
        _check_text("a query", query, "such as 'select count(*) from calls'")
        return Result(self._session.table(query, parameters))

    def query(self, name: str, **parameters: Any) -> Result:
        """Ask one of the questions that have a name (`owray query` lists them). Raises UnknownQuery, WrongValue and QueryError, and
        TypeError for a name that is no text."""
        _check_text("a question", name, "such as 'summary'")
        asked = find_query(name)
        return Result(self._session.table(asked.sql, asked.values({each: str(value) for each, value in parameters.items()})))

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<owray: {'run' if len(self._names) == 1 else 'runs'} {', '.join(self._names)}>"


def list_all(runs_dir: str | Path | None) -> Result:
    """All runs, oldest first, as the table `runs` has them. Raises ManifestError."""
    with Session(list_runs(runs_folder(None if runs_dir is None else Path(runs_dir)))) as session:
        return Result(session.table("from runs order by run"))


def _check_text(what: str, given: object, example: str) -> None:
    if not isinstance(given, str):
        raise TypeError(f"{what} is given as a text, {example}: not {given!r}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value.hex() if isinstance(value, bytes) else str(value)
