"""`owray export`: one file of calls, whole or not at all."""

import csv
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support.busy_run import busy_run
from support.commands import owray
from support.machines import CLI
from support.runs import finished_run, new_run, recipe
from support.terminals import Terminal

from owray.ask.session import Session


@pytest.fixture
def ask(tmp_path):
    return lambda *arguments: owray("export", *arguments, "--runs-dir", tmp_path / "runs")


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def test_parquet_has_all_rows_and_columns_of_the_view(tmp_path, runs, ask):
    folder, file = busy_run(runs), tmp_path / "calls.parquet"
    assert ask("latest", "--output", file).stdout.startswith(f"1,436 calls in {file} (")
    with Session([folder]) as session:
        calls = session.table("from calls order by seq")
    assert pq.read_table(file).sort_by("seq").cast(calls.schema).equals(calls)


def test_csv_has_a_line_for_each_call_and_a_header(tmp_path, runs, ask):
    busy_run(runs)
    ask("--output", tmp_path / "calls.csv")
    with (tmp_path / "calls.csv").open() as lines:
        rows = {int(row["seq"]): row for row in csv.DictReader(lines)}
    assert len(rows) == 1436
    assert (rows[1]["outcome"], rows[1]["activation_id"], rows[1]["cold"]) == ("ok", f"{1:032x}", "true")
    assert (rows[1400]["outcome"], rows[1400]["response_us"]) == ("unsent", "")


@pytest.mark.parametrize("way", [("all",), ("--run", "all")])
def test_several_runs_go_into_one_file(tmp_path, runs, ask, way):
    one, other = finished_run(runs, recipe(rps=7)), finished_run(runs, recipe(rps=9))
    ask(*way, "--output", tmp_path / "calls.parquet")
    counts = pq.read_table(tmp_path / "calls.parquet").group_by("run").aggregate([("seq", "count")]).to_pylist()
    assert {line["run"]: line["seq_count"] for line in counts} == {one.run: 7, other.run: 9}


def test_a_run_without_rows_makes_a_file_without_rows(tmp_path, runs, ask):
    new_run(runs)
    ask("--output", tmp_path / "calls.csv")
    assert (tmp_path / "calls.csv").read_text().startswith("run,node,seq,invoker,")
    assert len((tmp_path / "calls.csv").read_text().splitlines()) == 1


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path, runs, ask):
    finished_run(runs)
    file = tmp_path / "calls.csv"
    file.write_text("mine")
    refused = ask("--output", file)
    assert (refused.exit_code, refused.stderr) == (1, f"owray: {file} is there already.  (--force replaces it)\n")
    assert file.read_text() == "mine"
    assert ask("--output", file, "--force").exit_code == 0
    assert file.read_text().startswith("run,")


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: whole[:4] + bytes(200) + whole[204:]])
def test_an_export_that_fails_leaves_nothing_and_touches_nothing(tmp_path, runs, ask, damage):
    (part,) = finished_run(runs).parts()
    part.write_bytes(damage(part.read_bytes()))
    file = tmp_path / "calls.csv"
    file.write_text("mine")
    failed = ask("--output", file, "--force")
    assert (failed.exit_code, len(failed.stderr.splitlines())) == (1, 1)
    assert failed.stderr.startswith(f"owray: cannot read {part}: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.csv", "runs"]
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "reason"), [("calls.txt", "in .parquet or .csv: not 'calls.txt'"), ("calls", "in .parquet or .csv: not 'calls'")]
)
def test_what_is_no_parquet_or_csv_is_a_usage_error(tmp_path, runs, ask, file, reason):
    finished_run(runs)
    result = ask("--output", tmp_path / file)
    assert result.exit_code == 1
    assert reason.split("not ")[1] in result.stderr


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path, runs, ask):
    finished_run(runs)
    result = ask("--output", tmp_path / "no" / "calls.csv")
    why = "No such file or directory.  (--output names another place)"
    assert (result.exit_code, result.stderr) == (1, f"owray: cannot write {tmp_path / 'no' / 'calls.csv'}: {why}\n")


@pytest.mark.parametrize("words", ["export --output {place}", "sql 'from calls' --format csv --output {place}"])
def test_an_answer_that_cannot_be_written_to_its_end_leaves_nothing_and_says_why(tmp_path, runs, words):
    busy_run(runs)
    before = sorted(path.name for path in tmp_path.iterdir())
    command = words.format(place=tmp_path / "calls.csv")
    limited = f'ulimit -f 1; trap "" XFSZ; exec {sys.executable} {CLI} {command} --runs-dir {runs}'
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
    why = f"owray: cannot write {tmp_path / 'calls.csv'}: File too large.  (--output names another place)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", why)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_on_a_terminal_a_long_export_tells_how_far_it_is(tmp_path, runs):
    # All exports are long to a command that is quiet for no time at all; this one takes longer than a moment.
    finished_run(runs, recipe(rps=100_000))
    script = "import sys, cli, owray.commands.export as export; export.QUIET_S = 0.0; sys.exit(cli.main(sys.argv[1:]))"
    with Terminal(script, "export", "--output", str(tmp_path / "calls.csv"), "--runs-dir", str(runs)) as terminal:
        terminal.wait_for("calls.csv: ")
        terminal.wait_for("%")
        terminal.wait_for("100,000 calls in")
        assert terminal.end() == 0
