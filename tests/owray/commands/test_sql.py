"""`owray sql`: answers in four forms, and errors in one line."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import owray
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe

OUTCOMES = "select outcome, count(*) as calls, max(response_us) / 1e3 as worst_ms from calls group by 1"


def ask(runs, *arguments):
    return owray(*arguments, "--runs-dir", runs)


@pytest.fixture
def runs(tmp_path):
    finished_run(tmp_path)
    return tmp_path


def test_an_answer_is_a_table_without_colours_or_padding_where_there_is_no_terminal(runs):
    result = ask(runs, "sql", OUTCOMES)
    assert result.exit_code == 0
    assert is_golden("sql_table.txt", result.stdout)


def test_csv_is_read_back_as_it_was(runs):
    result = ask(runs, "sql", "select 'a,\"b' as text, [1, 2] as list, null as nothing, 1.5 as number", "--format", "csv")
    assert list(csv.DictReader(io.StringIO(result.stdout))) == [{"text": 'a,"b', "list": "1, 2", "nothing": "", "number": "1.5"}]


def test_json_is_json_even_for_what_json_does_not_know(runs):
    numbers = "select 1 as one, 2.5 as dec, sum(3) as huge, 'infinity'::double as never, null as nothing"
    others = ", timestamp '2026-11-23 11:12:03' as t, [1] as list, '\\x01'::blob as id, {'a': 1} as pair"
    result = ask(runs, "sql", numbers + others, "--format", "json")
    assert json.loads(result.stdout) == [
        {
            "one": 1,
            "dec": 2.5,
            "huge": 3,
            "never": "inf",
            "nothing": None,
            "t": "2026-11-23T11:12:03",
            "list": [1],
            "id": "01",
            "pair": {"a": 1},
        }
    ]


def test_parquet_goes_to_a_file_or_a_pipe(runs, tmp_path):
    file = tmp_path / "calls.parquet"
    assert ask(runs, "sql", "select * from calls", "--format", "parquet", "--output", str(file)).stdout == ""
    assert pq.read_table(file).num_rows == 100
    piped = ask(runs, "sql", "select * from calls", "--format", "parquet").stdout_bytes
    assert pq.read_table(io.BytesIO(piped)).num_rows == 100


def test_a_long_table_ends_and_says_how_much_is_left(runs):
    lines = ask(runs, "sql", "select * from range(1234)").stdout.splitlines()
    assert lines[-1] == "... and 734 more rows (--format csv has them all)"
    assert len(ask(runs, "sql", "select * from range(1234)", "--format", "csv").stdout.splitlines()) == 1235


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select servce_us from calls", 'Referenced column "servce_us" not found'),
        ("selec 1", "syntax error"),
        ("select * from nope", "nope does not exist"),
    ],
)
def test_a_wrong_query_is_told_in_one_line(runs, text, reason):
    result = ask(runs, "sql", text)
    assert result.exit_code == 1
    assert result.stderr.startswith("owray: ")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_run_that_is_not_there_is_told_in_one_line(runs):
    result = ask(runs, "sql", OUTCOMES, "--run", "nope")
    assert result.exit_code == 1
    assert result.stderr.startswith("owray: no run named 'nope'.")


@pytest.mark.parametrize("asked", [("sql", OUTCOMES), ("query", "outcomes")])
def test_a_file_that_is_there_is_replaced_only_by_force(runs, tmp_path, asked):
    file = tmp_path / "answer.csv"
    file.write_text("mine")
    refused = ask(runs, *asked, "--format", "csv", "--output", str(file))
    assert (refused.exit_code, refused.stderr) == (1, f"owray: {file} is there already.  (--force replaces it)\n")
    assert file.read_text() == "mine"
    assert ask(runs, *asked, "--format", "csv", "--output", str(file), "--force").exit_code == 0
    assert "outcome" in file.read_text()
    assert list(tmp_path.glob(".*")) == []


def test_what_is_no_plain_file_is_not_replaced_by_force_either(runs, tmp_path):
    result = ask(runs, "sql", OUTCOMES, "--output", str(tmp_path), "--force")
    assert (result.exit_code, result.stderr) == (1, f"owray: {tmp_path} is there already.  (it is no plain file; name one)\n")


def test_a_file_that_cannot_be_written_is_told_in_one_line(runs, tmp_path):
    result = ask(runs, "sql", OUTCOMES, "--output", str(tmp_path / "no" / "file"))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_the_latest_run_is_asked_unless_another_is_named(runs):
    old = finished_run(runs, recipe(rps=7))
    new_run(runs)
    count = ("sql", "select count(*) as calls from calls", "--format", "csv")
    assert ask(runs, *count).stdout.splitlines()[1] == "0"
    assert ask(runs, *count, "--run", old.run).stdout.splitlines()[1] == "7"


def test_several_runs_are_asked_by_name_or_all_together(runs):
    one, other = finished_run(runs, recipe(rps=7)), finished_run(runs, recipe(rps=9))
    count = ("sql", "select count(*) as calls, count(distinct run) as runs from calls", "--format", "csv", "--run")
    assert ask(runs, *count, f"{one.run},{other.run}").stdout.splitlines()[1] == "16,2"
    assert ask(runs, *count, "all").stdout.splitlines()[1] == "116,3"
    assert ask(runs, *count, "latest,latest").stdout.splitlines()[1] == "9,1"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda whole: whole[: len(whole) // 2], "it is no whole Parquet file."),
        (lambda whole: whole[:4] + bytes(200) + whole[204:], "a page of it is damaged."),
        (lambda whole: b"", "it is no whole Parquet file."),
    ],
)
def test_a_broken_part_is_named_in_one_line(tmp_path, damage, reason):
    (part,) = finished_run(tmp_path).parts()
    part.write_bytes(damage(part.read_bytes()))
    result = ask(tmp_path, "sql", "from calls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"owray: cannot read {part}: {reason}")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", ["calls/node=0/part-other.parquet", "calls/node=0/part-a.parquet", "hosts/other.parquet"])
def test_a_foreign_part_is_named_in_one_line(tmp_path, place):
    path = finished_run(tmp_path).path / place
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"name": ["x"]}), path)
    result = ask(tmp_path, "sql", "from calls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"owray: cannot read {path}: it was not written by owray: it has no column")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("sql", "from calls"), ("query", "summary")])
def test_a_run_of_a_newer_version_is_told_in_one_line(tmp_path, command):
    manifest = finished_run(tmp_path).path / "run.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    result = ask(tmp_path, *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run.json: it was written by a newer owray (schema 9, and this one reads 1).  (upgrade owray to read it)" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("sql", "select distinct run from calls"), ("query", "summary")])
def test_of_all_runs_those_that_cannot_be_read_are_left_out_and_told_in_one_line(tmp_path, command):
    good, newer, damaged = finished_run(tmp_path), finished_run(tmp_path), finished_run(tmp_path)
    manifest = newer.path / "run.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    damaged.parts()[0].write_bytes(b"no parquet")
    result = ask(tmp_path, *command, "--run", "all")
    assert result.exit_code == 0, result.stderr
    assert good.run in result.stdout or command[0] == "query"
    assert result.stderr.startswith(f"owray: 2 of 3 runs left out: cannot read {manifest}: it was written by a newer owray")
    assert len(result.stderr.splitlines()) == 1


def test_where_none_of_all_runs_can_be_read_the_first_is_named(tmp_path):
    for _ in range(2):
        (finished_run(tmp_path).path / "run.json").write_text("{")
    result = ask(tmp_path, "sql", "from calls", "--run", "all")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_a_table_shows_texts_as_they_are_and_does_nothing_that_they_say(runs):
    result = ask(runs, "sql", "select ':x: [bold]b[/bold]' || chr(27) || '[31m' as \"[red]c:x:\"")
    assert [line.strip() for line in result.stdout.splitlines()][::2] == ["[red]c:x:", ":x: [bold]b[/bold]\\x1b[31m"]
