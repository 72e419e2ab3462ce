"""`owray runs`: one line a run, whatever state it is in."""

import json
import re

import pytest
from support.busy_run import busy_run
from support.commands import owray
from support.golden import is_golden
from support.runs import finished_run, new_run, recipe, record

from owray.ask.session import Session
from owray.record.early_end import EarlyEnd, Kind
from owray.record.players import this_process
from owray.texts import size


@pytest.fixture
def listed(tmp_path):
    return lambda *arguments: owray("runs", *arguments, "--runs-dir", tmp_path)


def test_runs_are_listed_oldest_first_with_what_became_of_them(tmp_path, listed):
    finished_run(tmp_path, verdict={"level": "VALID", "reasons": []})
    finished_run(tmp_path, recipe(calls=50), verdict={"level": "INVALID", "reasons": ["late"]}, target={"api_host": "https://ow.example"})
    new_run(tmp_path, owner=this_process())
    new_run(tmp_path, owner=this_process() | {"created": 1.0})
    new_run(tmp_path, owner=this_process() | {"host": "another"})
    assert is_golden("runs.txt", listed().stdout)


def test_a_run_s_target_is_called_the_same_as_in_the_table_to_ask(tmp_path, listed):
    folder = finished_run(tmp_path, target={"api_host": "https://ow.example", "source": "~/.wskprops", "namespace": "guest"})
    (line,) = json.loads(listed("--json").stdout)["runs"]
    with Session([folder]) as session:
        assert session.one("select target from runs")["target"] == line["target"] == "https://ow.example"


def test_a_run_whose_manifest_is_broken_does_not_hide_the_others(tmp_path, listed):
    broken, good = new_run(tmp_path), new_run(tmp_path, owner=this_process())
    (broken.path / "run.json").write_text("{")
    found = json.loads(listed("--json").stdout)["runs"]
    assert [(line["run"], line["status"]) for line in found] == [(broken.run, "unreadable"), (good.run, "running")]


def test_a_run_whose_invoker_lives_is_running_and_broken_when_it_is_gone(tmp_path, listed):
    folder = new_run(tmp_path)
    recorder = record(folder, [])
    assert "running" in listed().stdout
    recorder.close()
    assert "broken: nobody plays it any more  (owray recover accounts for every call)\n" in listed().stdout
    shown = listed("show").stdout
    assert "status     broken, started" in shown
    assert f"nobody plays it any more  (owray recover {folder.run} accounts for every call)\n" in shown
    assert json.loads(listed("show", "--json").stdout)["status"] == "broken"


def test_an_odd_owner_is_nobody(tmp_path, listed):
    new_run(tmp_path, owner=this_process() | {"pid": "x"})
    new_run(tmp_path, owner={"host": this_process()["host"]})
    assert [line["status"] for line in json.loads(listed("--json").stdout)["runs"]] == ["broken", "broken"]


def test_where_there_are_no_runs_it_says_how_to_make_one(listed):
    result = listed()
    assert result.exit_code == 0
    assert "owray storm makes one" in result.stdout
    assert listed("--json").stdout == '{\n  "version": 1,\n  "runs": []\n}\n'


def test_alone_and_with_list_it_says_the_same(tmp_path, listed):
    finished_run(tmp_path)
    assert listed().stdout == listed("list").stdout
    assert listed("--json", "list").stdout == listed("list", "--json").stdout == listed("--json").stdout


def test_a_run_is_shown_with_what_was_asked_and_what_came_of_it(tmp_path, listed):
    folder = busy_run(
        tmp_path,
        command=("owray", "storm", "--rps", "500"),
        options={"lab": "local", "late": None},
        versions={"owray": "0.1.0"},
        verdict={"level": "DEGRADED", "reasons": ["the generator was late"]},
        tags=("base",),
        early_end=EarlyEnd(Kind.INTERRUPTED, "Ctrl-C"),
    )
    manifest = json.loads((folder.path / "run.json").read_text())
    objective = {"objective": "p99<500ms", "state": "met", "sentence": "p99 is 280 ms, and less than 500 ms was asked"}
    (folder.path / "run.json").write_text(json.dumps(manifest | {"objectives": [objective], "of a later version": 1}))
    shown = re.sub(r"[\d.]+ (bytes|kB)", "N kB", listed("show", "base").stdout.replace(str(tmp_path), "RUNS"))
    assert is_golden("runs_show.txt", shown)
    told = json.loads(listed("show", "--json").stdout)
    assert (told["version"], told["manifest"]["objectives"], told["sizes"]["rows"]) == (1, [objective], 1436)


def test_sizes_are_bytes_and_rows_by_run(tmp_path, listed):
    full, empty = finished_run(tmp_path), new_run(tmp_path)
    told = json.loads(listed("sizes", "--json").stdout)
    on_disk = {run.run: sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file()) for run in (full, empty)}
    assert {line["run"]: (line["rows"], line["total_bytes"]) for line in told["runs"]} == {
        full.run: (100, on_disk[full.run]),
        empty.run: (0, on_disk[empty.run]),
    }
    assert told["total_bytes"] == sum(on_disk.values())
    assert f"{size(told['total_bytes'])} in 2 runs" in listed("sizes").stdout


def test_a_run_whose_part_is_broken_has_a_size_but_no_count_of_rows(tmp_path, listed):
    (part,) = finished_run(tmp_path).parts()
    part.write_bytes(b"no parquet")
    (line,) = json.loads(listed("sizes", "--json").stdout)["runs"]
    assert (line["rows"], line["calls_bytes"]) == (None, 10)
