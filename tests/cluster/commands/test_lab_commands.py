"""owray up, status and down, as they are typed."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest
from support import commands, schemas
from support.labs import quiet, traces

import cli
from cluster import lab as labs
from cluster.commands import status
from cluster.cores import divide
from cluster.openwhisk.embedded.config import PUBLIC_GUEST
from cluster.processes import LAB_VARIABLE, Mark
from cluster.state import Journal, LabFolder, LabState, boot_id
from owray.openwhisk.target import read_wskprops

NOBODY = 65534


@pytest.fixture
def owray(monkeypatch, tmp_path):
    """Runs a command line with an empty home; returns click's result."""
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path / "home"))
    yield commands.owray
    for name in ("local", "two"):
        assert not labs.down(tmp_path / "home", name, quiet)


@contextlib.contextmanager
def as_nobody():
    """Without root's right to remove everything; root's tests only."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed_home():
    """A home with a lab in whose folder a file cannot be removed."""
    home = Path(tempfile.mkdtemp(prefix="owray-test-home-"))
    folder = LabFolder(home, "local")
    folder.make()
    (folder.logs / "kept.log").touch()
    folder.logs.chmod(0o500)
    if os.getuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield home
    folder.logs.chmod(0o700)
    shutil.rmtree(home)


def test_a_lab_is_brought_up_shown_and_removed(owray, tmp_path):
    made = owray("up", "local", "--lab", "two", "--user-memory", "1g", "--clock-skew", "3s", "--public-keys")
    assert made.exit_code == 0, made.output
    assert [line.split()[0] for line in made.stderr.splitlines()] == ["platform", "Ray"]
    assert made.stdout.startswith("lab 'two' is up: http://127.0.0.1:")
    held = traces(tmp_path / "home", "two")

    again = owray("up", "local", "--lab", "two", "--json")
    assert (again.exit_code, again.stderr) == (0, "")
    described = json.loads(again.stdout)["lab"]
    assert described["name"] == "two"
    assert described["wskprops"].endswith("/labs/two/wskprops")
    assert owray("up", "local", "--lab", "two").stdout.startswith("lab 'two' was up already: ")
    other = owray("up", "local", "--lab", "two", "--user-memory", "2g")
    assert other.exit_code == 1
    assert "not the bench profile (user_memory_mb 2048, clock_skew_ms 3000, the public keys)" in other.stderr

    shown = owray("status")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("lab 'two' is up\n")
    assert f"{described['api_host']} answers" in shown.stdout
    assert "bench profile, the public keys\n" in shown.stdout
    assert "  knobs     --user-memory 1g --clock-skew 3s\n" in shown.stdout
    with urllib.request.urlopen(described["api_host"]) as reply:  # noqa: S310 - http, on loopback
        knobs = json.load(reply)["embedded"]["knobs"]
    assert (knobs["user_memory_mb"], knobs["clock_skew_ms"]) == (1024, 3000)
    assert read_wskprops(Path(described["wskprops"])).auth == f"{PUBLIC_GUEST.uuid}:{PUBLIC_GUEST.key}"
    (one,) = json.loads(owray("status", "--json").stdout)["labs"]
    assert (one["name"], one["condition"], one["ray"]["address"]) == ("two", "up", described["ray_address"])

    nothing = owray("down")
    assert nothing.exit_code == 0
    assert "no lab 'local' is up, nothing to remove  (there is two: owray down --lab NAME)" in nothing.stdout
    removed = owray("down", "--lab", "two", "--json")
    assert removed.exit_code == 0
    assert json.loads(removed.stdout) == {"version": 1, "labs": {"two": {"was_there": True, "processes": [], "files": []}}}
    assert held.left() == []


def test_down_of_nothing_says_so_and_is_no_error(owray):
    answer = owray("down")
    assert (answer.exit_code, answer.stdout) == (0, "no lab 'local' is up, nothing to remove\n")


def test_status_of_nothing_says_how_to_make_a_lab(owray):
    answer = owray("status")
    assert (answer.exit_code, answer.stdout) == (0, "no lab is up  (owray up local makes one)\n")
    assert json.loads(owray("status", "--json").stdout) == {"version": 1, "labs": []}


def test_what_the_platform_has_outlived_is_shown():
    part = labs.PartStatus("127.0.0.1:1", alive=True, answering=True, trouble="", pids=(1,), processes=1, memory_mb=1.0)
    outlived = labs.LabStatus("local", "up", incidents=("2 idle containers ended without being told to",), profile="bench", platform=part)
    assert "\n  incident  2 idle containers ended without being told to\n" in f"{status._text(outlived)}\n"


def test_a_damaged_lab_is_shown_with_its_remedy_and_an_exit_code(owray, tmp_path):
    LabFolder(tmp_path / "home", "two").make()
    answer = owray("status", "--lab", "two")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("lab 'two' is damaged: its state file is gone")
    assert "owray down --lab two removes it" in answer.stdout


def test_of_a_lab_of_which_nothing_is_known_nothing_is_claimed(owray, tmp_path):
    LabFolder(tmp_path / "home", "two").make()
    (lab,) = schemas.check("status", owray("status", "--json").stdout)["labs"]
    known = {"name": "two", "condition": "damaged", "problems": ["its state file is gone; 0 of its processes run"]}
    assert {key: value for key, value in lab.items() if value not in (None, "", [], {}, 0)} == known
    assert (lab["openwhisk"], lab["public_keys"], lab["overrides"]) == (None, None, None)


@pytest.mark.parametrize("words", [("up", "local"), ("down",), ("status",)])
def test_a_bad_name_is_refused_in_one_line(owray, words):
    answer = owray(*words, "--lab", "../x")
    assert answer.exit_code == 1
    assert answer.stderr == "owray: '../x' cannot be a lab's name: use 1 to 40 lower-case letters, digits and hyphens\n"


def test_down_names_what_it_could_not_remove(owray, closed_home, monkeypatch):
    monkeypatch.setenv("OWRAY_HOME", str(closed_home))
    with as_nobody():
        answer = owray("down")
    assert answer.exit_code == 6
    assert str(closed_home / "labs" / "local") in answer.stderr
    monkeypatch.setenv("OWRAY_HOME", str(closed_home / "unused"))


def test_a_lab_that_a_killed_storm_had_borrowed_is_left_as_long_as_it_is_played_on(tmp_path, monkeypatch):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    folder = LabFolder(tmp_path, "borrowed-0001")
    folder.make()
    gone = Mark(os.getpid(), 0, "borrower")
    Journal(folder.state, LabState(folder.lab_id, folder.name, "", boot_id(), "bench", divide([0, 1]), "", borrower=gone)).record()
    monkeypatch.setattr(cli, "_played", lambda pids: ["the-run"] if pids else [])
    with subprocess.Popen(["sleep", "600"], env={LAB_VARIABLE: folder.lab_id}):
        assert commands.owray("down").exit_code == 0
        assert folder.path.exists()
        refused = commands.owray("down", "--lab", folder.name)
        assert (refused.exit_code, refused.stderr.startswith("owray: run the-run is being played on lab 'borrowed-0001'.  (")) == (1, True)
        forced = commands.owray("down", "--force")
    assert (forced.exit_code, "lab 'borrowed-0001' is removed\n" in forced.stdout) == (0, True)
    assert not folder.path.exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--user-memory", "100m"), "owray: user_memory_mb is 100, but an action may ask for 512 MB"),
        (("--parallel-starts", "0"), "owray: parallel_starts is 0; set it to at least 1"),
    ],
)
def test_what_a_knob_cannot_be_is_refused_before_anything_is_made(owray, tmp_path, words, text):
    answer = owray("up", "local", *words)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(text)
    assert not LabFolder(tmp_path / "home", "local").path.exists()
