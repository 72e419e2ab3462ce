"""The run folder: ids, the manifest, and finding a run again."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import START, T0, finished_run, new_run, recipe

from owray.plan.mix import Check, Entry, Variant
from owray.record.run import ManifestError, RunFolder, RunNotFound, find_run, list_runs, new_run_id, request_id, runs_folder

moments = st.integers(1_577_836_800_000_000, 4_070_908_800_000_000).map(lambda us: datetime.fromtimestamp(us / 1e6, UTC))


@given(moments, moments)
def test_ids_sort_as_their_times_do(one, other):
    if one < other:
        assert new_run_id(one) <= new_run_id(other)


def test_an_id_is_the_time_in_utc_whatever_the_zone():
    eastward = START.astimezone(timezone(timedelta(hours=3)))
    assert new_run_id(eastward) == new_run_id(START) == "20261123-111203-a7ae"


def test_runs_that_start_at_the_same_moment_have_ids_of_their_own(tmp_path):
    ids = [new_run(tmp_path).run for _ in range(5)]
    assert sorted(set(ids)) == ids


def test_a_run_whose_manifest_cannot_be_written_leaves_no_folder(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        new_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_request_id_names_run_and_call():
    assert request_id("20261123-111203-a7ae", 42) == "20261123-111203-a7ae-42"


def test_the_manifest_comes_back_as_it_was_saved(tmp_path):
    folder = new_run(tmp_path, recipe(arrivals="poisson", seed=9), command=("owray", "storm"), options={"timeout_ms": 90_000})
    saved = folder.update(status="ended", verdict={"level": "VALID", "reasons": []}, fleet=({"invoker": 0},))
    assert folder.load() == saved
    assert saved.recipe.seed == 9
    assert saved.t0_us == round(T0.timestamp() * 1e6)


def test_a_plan_of_what_was_there_already_comes_back_with_its_parameters_and_its_check(tmp_path):
    web = Entry("own", "/guest/x", "", "/api/v1/web/guest/default/x", kind="web", method="GET", check=Check(expect="null"))
    variants = (Variant({"n": [1, None, {"a": 1.5}]}), Variant({"n": "\u00e4"}))
    action = Entry("own", "/their/x", "", "x", namespace="their", variants=variants, check=Check(schema='{"type": "object"}'))
    folder = new_run(tmp_path, recipe(entries=(web, action)))
    assert folder.load().recipe.entries == (web, action)


def test_a_run_from_before_there_were_own_actions_can_be_read(tmp_path):
    folder = new_run(tmp_path)
    path = folder.path / "run.json"
    data = json.loads(path.read_text())
    for entry in data["recipe"]["entries"]:
        for name in ("kind", "namespace", "method", "check"):
            del entry[name]
    path.write_text(json.dumps(data))
    assert folder.load().recipe == recipe()


def test_the_manifest_on_disk_is_plain_json_with_its_version(tmp_path):
    data = json.loads((new_run(tmp_path).path / "run.json").read_text())
    assert data["schema"] == 1
    assert data["recipe"]["streams"][0]["shape"] == {"type": "ramp", "start_rps": 100.0, "end_rps": 100.0, "duration_s": 1.0}
    assert data["status"] == "running"


def test_what_looks_like_a_credential_is_left_out(tmp_path):
    key = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP"
    folder = new_run(tmp_path, command=("owray", "storm", f"--auth={key}"), target={"api_host": "https://me:secret@host:443"})
    text = (folder.path / "run.json").read_text()
    assert "123zO3" not in text
    assert "secret" not in text
    assert folder.load().target["api_host"] == "https://(left out)@host:443"


@pytest.mark.parametrize(
    ("schema", "reason"), [("2", r"a newer owray \(schema 2.*\(upgrade owray"), ("0", "another version"), ("null", "another version")]
)
def test_a_manifest_of_another_version_is_refused_by_name(tmp_path, schema, reason):
    folder = new_run(tmp_path)
    path = folder.path / "run.json"
    path.write_text(path.read_text().replace('"schema": 1', f'"schema": {schema}'))
    with pytest.raises(ManifestError, match=r"run\.json: it was written by " + reason):
        folder.load()


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema": 1}'])
def test_a_manifest_that_cannot_be_read_says_so(tmp_path, text):
    folder = new_run(tmp_path)
    (folder.path / "run.json").write_text(text)
    with pytest.raises(ManifestError, match="cannot read"):
        folder.load()


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path):
    folder = new_run(tmp_path)
    with pytest.raises(TypeError):
        folder.update(options={"clock": object()})
    assert folder.load().options == {}
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]


def test_runs_are_found_by_latest_by_id_and_by_the_beginning_of_an_id(tmp_path):
    runs = [RunFolder.create(tmp_path, START + timedelta(hours=hour), recipe()) for hour in range(3)]
    assert list_runs(tmp_path) == runs
    assert find_run(tmp_path) == runs[-1]
    assert find_run(tmp_path, runs[0].run) == runs[0]
    assert find_run(tmp_path, "20261123-12") == runs[1]
    assert find_run(tmp_path, f"run={runs[0].run}") == runs[0]


def test_a_run_that_is_not_there_is_told_with_one_that_is(tmp_path):
    folder = new_run(tmp_path)
    with pytest.raises(RunNotFound, match=f"no run named 'nope'. The latest is '{folder.run}'"):
        find_run(tmp_path, "nope")


def test_the_beginning_of_several_ids_is_not_enough(tmp_path):
    for _ in range(5):
        new_run(tmp_path)
    with pytest.raises(RunNotFound, match="begins 5 runs"):
        find_run(tmp_path, "2026")


def test_where_there_are_no_runs_the_way_to_make_one_is_told(tmp_path):
    with pytest.raises(RunNotFound, match="owray storm makes one"):
        find_run(tmp_path)


def test_runs_in_what_is_no_folder_cannot_be_looked_for(tmp_path):
    (tmp_path / "file").touch()
    for runs in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(RunNotFound, match=r"cannot look for runs in .*: Not a directory"):
            list_runs(runs)


def test_runs_live_where_told_or_in_owrays_home(tmp_path, monkeypatch):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    assert runs_folder() == tmp_path / "runs"
    assert runs_folder(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("OWRAY_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs_folder() == tmp_path / ".owray" / "runs"


def test_removing_journals_never_removes_rows(tmp_path):
    folder = finished_run(tmp_path)
    assert not (folder.path / "journal").exists()
    journal = folder.journals("0") / "invoker-0-1.journal"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"rows")
    with pytest.raises(OSError, match="not empty"):
        folder.remove_journals()
    assert journal.exists()


def test_a_tag_is_found_whichever_version_wrote_the_run_and_none_where_it_cannot_be_read(tmp_path):
    newer, broken = new_run(tmp_path, tags=("base",)), new_run(tmp_path, tags=("base",))
    manifest = newer.path / "run.json"
    manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 9'))
    (broken.path / "run.json").write_text('{"tags": ["base"')
    assert (newer.tags(), broken.tags()) == (("base",), ())
    assert find_run(tmp_path, "base") == newer
