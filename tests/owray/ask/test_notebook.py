"""`owray.load` and `owray.runs`, as a notebook uses them."""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe

import owray
from owray.ask.queries import UnknownQuery, WrongValue
from owray.ask.session import QueryError
from owray.record.run import RunNotFound

COUNTS = "select action, count(*) as calls, avg(service_us) / 1e3 as mean_ms from calls group by 1 order by 1"


@pytest.fixture
def storm(tmp_path):
    finished_run(tmp_path)
    with owray.load(runs_dir=tmp_path) as opened:
        yield opened


def test_an_answer_comes_as_rows_and_as_an_arrow_table(storm):
    answer = storm.sql(COUNTS)
    assert answer.rows() == [{"action": "align", "calls": 20, "mean_ms": 12.0}, {"action": "noop", "calls": 80, "mean_ms": 12.0}]
    assert list(answer) == answer.rows()
    assert (len(answer), answer.arrow().column_names) == (2, ["action", "calls", "mean_ms"])
    assert isinstance(answer.arrow(), pa.Table)


def test_parameters_are_given_by_name(storm):
    assert storm.sql("select count(*) as n from calls where seq < $most", most=5).rows() == [{"n": 5}]
    assert [line["due"] for line in storm.query("timeline", bucket_s=0.5)] == [50, 50]


def test_several_runs_are_loaded_by_name_as_the_command_does(tmp_path, storm):
    other = finished_run(tmp_path, recipe(rps=7))
    with owray.load("all", runs_dir=str(tmp_path)) as both:
        assert both.sql("select count(*) as n from calls").rows() == [{"n": 107}]
        assert repr(both).startswith("<owray: runs 2026")
    with owray.load(other.run, tmp_path) as one:
        assert repr(one) == f"<owray: run {other.run}>"


def test_runs_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    assert len(owray.runs()) == 0
    one, other = finished_run(tmp_path / "runs"), new_run(tmp_path / "runs")
    assert [(line["run"], line["status"]) for line in owray.runs()] == [(one.run, "ended"), (other.run, "running")]


def test_a_notebook_shows_the_first_rows_and_says_how_many_are_left(storm):
    short, long = storm.sql(COUNTS), storm.sql("select range as n, range % 2 = 0 as even from range(22)")
    assert is_golden("notebook.txt", f"{short!r}\n\n{long!r}\n")
    html = storm.sql("select '<b>' as text, 1.50 as number from range(21)")._repr_html_()
    assert html.startswith("<table><thead><tr><th>text</th><th>number</th></tr></thead>")
    assert html.count('<tr><td style="text-align: left">&lt;b&gt;</td><td style="text-align: right">1.50</td></tr>') == 20
    assert html.endswith("<p>... and 1 more row</p>")


def test_a_data_frame_needs_pandas_and_says_so(storm, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="a data frame needs pandas, which is not installed here: pip install pandas"):
        storm.sql(COUNTS).df()


def test_what_is_wrong_is_raised_with_the_command_s_words(tmp_path, storm):
    with pytest.raises(RunNotFound, match="no run named 'nope'"):
        owray.load("nope", runs_dir=tmp_path)
    with pytest.raises(QueryError, match="servce_us"):
        storm.sql("select servce_us from calls")
    with pytest.raises(UnknownQuery, match="Did you mean 'summary'"):
        storm.query("sumary")
    with pytest.raises(WrongValue, match="bucket_s is a number"):
        storm.query("timeline", bucket_s=0)


@pytest.mark.parametrize("run", [None, [], ["latest"], Path("runs"), 20261123])
def test_a_run_that_is_no_text_is_refused_with_what_would_be(tmp_path, run):
    with pytest.raises(
        TypeError, match=re.escape(f"a run is given as a text, 'latest', 'all', an id, a tag, or several with commas between: not {run!r}")
    ):
        owray.load(run, runs_dir=tmp_path)


@pytest.mark.parametrize("asked", [None, b"from calls", ["summary"]])
def test_a_question_that_is_no_text_is_refused(storm, asked):
    with pytest.raises(TypeError, match="a query is given as a text"):
        storm.sql(asked)
    with pytest.raises(TypeError, match="a question is given as a text"):
        storm.query(asked)


def test_runs_that_are_closed_and_values_that_no_query_can_have_say_so(tmp_path, storm):
    with pytest.raises(WrongValue, match="not 'None'"):
        storm.query("timeline", bucket_s=None)
    with pytest.raises(QueryError):
        storm.sql("select $what", what=object())
    with pytest.raises(RunNotFound, match="no run is named ''"):
        owray.load("", runs_dir=tmp_path)
    storm.close()
    with pytest.raises(QueryError, match="closed"):
        storm.sql("from calls")


def test_importing_owray_loads_nothing_heavy(checkout: Path):
    script = "import sys, owray; print(sorted({'ray', 'duckdb', 'pyarrow', 'numpy', 'pandas', 'aiohttp', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
