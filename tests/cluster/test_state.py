"""The folder, the record and the lock of a lab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.cores import divide
from cluster.processes import Mark
from cluster.state import (
    Journal,
    LabError,
    LabFolder,
    LabState,
    Service,
    boot_id,
    default_home,
    lab_names,
    locked,
    read_state,
    write_private,
)


@pytest.fixture
def folder(tmp_path):
    made = LabFolder(tmp_path / "home", "local")
    made.make()
    return made


def a_state(folder, **changes):
    fixed = {"made_at": "2026-01-01T00:00:00+00:00", "boot_id": boot_id(), "profile": "bench"}
    return LabState(lab_id=folder.lab_id, name=folder.name, cores=divide([0, 1]), temp_dir="", **{**fixed, **changes})


@pytest.mark.parametrize("name", ["", "Local", "a b", "../escape", "a/b", "a.b", "lab\n", "x" * 41, "ä"])
def test_a_name_that_could_be_a_path_or_be_misread_is_refused(tmp_path, name):
    with pytest.raises(LabError, match="1 to 40 lower-case letters"):
        LabFolder(tmp_path, name)


@given(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True))
def test_a_good_name_makes_a_folder_directly_below_labs(name):
    folder = LabFolder(default_home(), name)
    assert folder.path.parent == folder.home / "labs"
    assert folder.lock.parent == folder.path.parent


def test_the_same_lab_always_has_the_same_id_and_no_other_lab_has_it(tmp_path):
    here = LabFolder(tmp_path / "a", "local")
    assert here.lab_id == LabFolder(tmp_path / "a", "local").lab_id
    assert len({here.lab_id, LabFolder(tmp_path / "b", "local").lab_id, LabFolder(tmp_path / "a", "other").lab_id}) == 3


def test_a_home_that_is_reached_by_a_link_is_the_same_home(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert LabFolder(tmp_path / "real", "local").lab_id == LabFolder(tmp_path / "link", "local").lab_id


def test_all_folders_are_closed_to_other_users(folder):
    for path in (folder.home, folder.path.parent, folder.path, folder.logs, folder.platform):
        assert path.stat().st_mode & 0o777 == 0o700


def test_what_was_recorded_is_read_back_whole(folder):
    journal = Journal(folder.state, a_state(folder))
    service = Service("ready", (Mark(4711, 99, "raylet"),), "127.0.0.1:6379")
    journal.record(ray=service, borrower=Mark(1, 2, "borrower"))
    journal.record(platform=Service("intended"))
    assert read_state(folder) == journal.state
    assert journal.state.ray == service
    assert folder.state.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b'{"lab_id": "loc', b"[]", b'{"lab_id": 5}'])
def test_a_state_file_that_cannot_be_read_counts_as_none(folder, content):
    folder.state.write_bytes(content)
    assert read_state(folder) is None


def test_a_state_of_another_schema_counts_as_none(folder):
    Journal(folder.state, a_state(folder, schema=1)).record()
    assert read_state(folder) is None


def test_a_private_file_is_replaced_at_once_and_was_never_open_to_others(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_and_its_name_are_on_disk_before_it_counts_as_written(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    write_private(tmp_path / "secret", b"new")
    assert synced == [tmp_path / "secret.tmp", tmp_path]


def test_labs_are_listed_by_their_folders(folder):
    LabFolder(folder.home, "another").make()
    (folder.home / "labs" / "local.lock").touch()
    (folder.home / "labs" / "Not a lab").mkdir()
    assert lab_names(folder.home) == ["another", "local"]
    assert lab_names(folder.home / "nowhere") == []


HOLD = """
import sys, time
from pathlib import Path
from cluster.state import LabFolder, locked
with locked(LabFolder(Path(sys.argv[1]), "local")):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_held_lock_refuses_a_second_command_and_ends_with_its_holder(folder):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder.home)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LabError, match="another owray command"), locked(folder):
            pass
        with locked(LabFolder(folder.home, "other")):
            pass
        holder.kill()
    with locked(folder):
        pass


def test_the_lock_file_goes_when_the_lab_is_gone_and_stays_while_it_is_there(folder):
    with locked(folder):
        pass
    assert folder.lock.exists()
    for path in (folder.logs, folder.platform, folder.path):
        path.rmdir()
    with locked(folder):
        pass
    assert not folder.lock.exists()


def test_the_home_is_taken_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("OWRAY_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_home() == tmp_path / ".owray"
