"""A lab that has a Ray and no OpenWhisk: brought up, shown, left as it is, lent, removed."""

import os

import pytest
from support import schemas
from support.commands import owray
from support.labs import quiet, running_lab, traces
from support.platform import running_platform

from cluster import grounds
from cluster import lab as labs
from cluster.cores import divide
from cluster.lab import LocalOptions, find, up_local
from cluster.state import LabError, LabFolder, lab_names
from owray.openwhisk.choice import VARIABLES, Asked
from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.target import Target, TargetError, write_wskprops

ALONE = LocalOptions(openwhisk="none")


@pytest.fixture(autouse=True)
def nobodys_openwhisk(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WSK_CONFIG_FILE", "")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("ray") / "home"


@pytest.fixture(scope="module")
def lab(home):
    with running_lab(home, "local", ALONE) as made:
        yield made


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with running_platform(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running


@pytest.fixture
def elsewhere(platform, tmp_path, monkeypatch):
    """The target of a platform that belongs to no lab, named by WSK_CONFIG_FILE."""
    write_wskprops(tmp_path / "wskprops", platform.target)
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    return platform.target


def test_it_is_up_without_a_platform_and_has_its_own_division_of_cores(lab):
    now = labs.status(lab.home, "local")
    assert (now.condition, now.problems, now.openwhisk, now.platform, now.profile, now.wskprops) == ("up", (), "none", None, "", "")
    assert (lab.api_host, lab.platform_pids, lab.openwhisk) == ("", (), "none")
    assert lab.cores == divide(os.sched_getaffinity(0), platform=False)
    assert not lab.wskprops.exists()
    assert find(lab.home, "local") == lab


def test_up_again_changes_nothing(lab):
    said = []
    assert up_local(lab.home, "local", LocalOptions(), said.append) == lab
    assert up_local(lab.home, "local", ALONE, said.append) == lab
    assert said == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LocalOptions(openwhisk="embedded"), r"is up with no OpenWhisk, not the bench profile; remove it first \(owray down --lab local\)"),
        (LocalOptions(profile="helm"), "is without an OpenWhisk: it has no profile, knobs, port or keys to set"),
        (LocalOptions(openwhisk="none", overrides={"log_delay_ms": 5}), "is without an OpenWhisk"),
    ],
)
def test_it_is_not_made_into_something_else_behind_anybodys_back(lab, options, words):
    with pytest.raises(LabError, match=words):
        up_local(lab.home, "local", options, quiet)
    assert find(lab.home, "local") == lab


def test_knobs_of_a_platform_that_is_not_wanted_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(LabError, match=r"no profile, knobs, port or keys to set.  \(leave them out\)"):
        up_local(tmp_path, "local", LocalOptions(openwhisk="none", port=3233), quiet)
    assert labs.status(tmp_path, "local").condition == "absent"


def test_it_is_lent_for_a_target_elsewhere_and_left_up(lab, elsewhere):
    said = []
    with grounds.lend(lab.home, Asked(), said.append) as lent:
        assert lent.lab == lab
        assert lent.target == grounds.target(lab.home, Asked()).target
        assert (lent.target.api_host, lent.target.auth) == (elsewhere.api_host, elsewhere.auth)
    (line,) = said
    assert line.startswith(f"target     {elsewhere.api_host}, from ")
    assert find(lab.home, "local") == lab


def test_it_is_no_target_itself(lab):
    with pytest.raises(TargetError, match="no lab that has one is up"), grounds.lend(lab.home, Asked(), quiet):
        pass
    with pytest.raises(LabError, match=r"lab 'local' has no OpenWhisk, only a Ray.  \(leave out --lab"):
        grounds.target(lab.home, Asked(lab="local"))


def test_where_no_lab_is_up_a_ray_alone_is_borrowed_for_a_target_elsewhere(tmp_path, elsewhere):
    with grounds.lend(tmp_path / "home", Asked(), quiet) as lent:
        assert (lent.target.auth, lent.lab.openwhisk, lent.lab.platform_pids) == (elsewhere.auth, "none", ())
        held = traces(lent.lab.home, lent.lab.name)
    assert held.left() == []
    assert lab_names(tmp_path / "home") == []


def test_nothing_is_borrowed_for_a_target_that_cannot_be_used(tmp_path, platform, monkeypatch):
    write_wskprops(tmp_path / "wskprops", Target(platform.target.api_host, "somebody:else"))
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    with pytest.raises(OpenWhiskError, match="the key is not accepted"), grounds.lend(tmp_path / "home", Asked(), quiet):
        pass
    assert lab_names(tmp_path / "home") == []


def test_as_it_is_typed(tmp_path, monkeypatch):
    monkeypatch.setenv("OWRAY_HOME", str(tmp_path))
    try:
        made = owray("up", "local", "--openwhisk", "none")
        assert made.exit_code == 0, made.output
        assert [line.split()[0] for line in made.stderr.splitlines()] == ["Ray"]
        assert made.stdout.startswith("lab 'local' is up: Ray alone, at 127.0.0.1:")
        shown = owray("status")
        assert (shown.exit_code, "\n  platform  none: for an OpenWhisk elsewhere\n" in shown.stdout) == (0, True)
        assert "key" not in [line.split()[0] for line in shown.stdout.splitlines()]
        again = schemas.check("up", owray("up", "local", "--json").stdout)["lab"]
        assert (again["openwhisk"], again["api_host"], again["profile"], again["platform_pids"]) == ("none", "", "", [])
        (described,) = schemas.check("status", owray("status", "--json").stdout)["labs"]
        found = [described[key] for key in ("openwhisk", "condition", "platform", "profile", "wskprops")]
        assert found == ["none", "up", None, "", ""]
        held = traces(tmp_path, "local")
    finally:
        removed = owray("down")
    assert removed.exit_code == 0
    assert held.left() == []
    assert not LabFolder(tmp_path, "local").path.exists()
