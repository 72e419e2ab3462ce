"""Whole labs: the real platform and a real Ray, brought up, used, damaged, mended and removed."""

import asyncio
import contextlib
import dataclasses
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.api import WHO, Api, eventually
from support.labs import listening, quiet, running_lab, traces
from support.platform import RunningPlatform

from cluster import processes
from cluster.cores import divide
from cluster.lab import LocalOptions, abandoned_labs, down, find, lend, status, up_local
from cluster.openwhisk.embedded.config import User
from cluster.state import Journal, LabError, LabFolder, LabState, Service, boot_id, lab_names, read_state
from owray.openwhisk import catalogue
from owray.openwhisk.client import OpenWhisk
from owray.openwhisk.deploy import deploy
from owray.openwhisk.target import Target, read_wskprops, write_wskprops


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab") / "home"


@pytest.fixture(scope="module")
def lab(home):
    with running_lab(home, "local") as made:
        yield made


def call_noop(lab):
    """Deploy and call an action, so that the platform has a container."""

    async def call():
        async with OpenWhisk(read_wskprops(lab.wskprops)) as client:
            await deploy(client, catalogue.find("noop"))
            return await client.invoke("noop", {})

    return asyncio.run(call())


def marks_of(lab):
    return processes.of_lab(LabFolder(lab.home, lab.name).lab_id)


def kill(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # some end with the ones before them
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(processes.mark(pid, "killed") for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_line(child, start):
    lines = []
    for line in child.stdout:
        lines.append(line)
        if line.startswith(start):
            return line
    raise AssertionError(f"no line starts with {start!r}: {lines}")


def test_an_action_can_be_called_with_the_key_of_the_wskprops_file(lab):
    assert call_noop(lab)
    assert read_wskprops(lab.wskprops).api_host == lab.api_host


DRIVER = """
import json, os, sys
given = json.loads(sys.argv[1])
os.environ.update(given["environment"])
import ray
ray.init(address=given["address"], namespace="owray", log_to_driver=False, logging_level="error")
@ray.remote(num_cpus=0, max_restarts=0)
class Actor:
    def look(self):
        return {"pid": os.getpid(), "nice": os.nice(0), "cores": sorted(os.sched_getaffinity(0)), "lab": os.environ["OWRAY_LAB"]}
    def pin(self, cores):
        os.sched_setaffinity(0, cores)
        return sorted(os.sched_getaffinity(0))
actor = Actor.remote()
look = ray.get(actor.look.remote())
look["pinned"] = ray.get(actor.pin.remote(given["cores"]))
look["driver"] = os.getpid()
print("seen", json.dumps(look), flush=True)
sys.stdin.read()
ray.shutdown()
"""


@contextlib.contextmanager
def driver(lab):
    """A process that uses the lab's Ray with nothing but what the Lab says, and what its actor sees."""
    given = {"environment": lab.ray_environment, "address": lab.ray_address, "cores": lab.invoker_cores}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    child = subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(given)], env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield json.loads(wait_for_line(child, "seen").removeprefix("seen"))
    finally:
        child.communicate(timeout=60)


def test_another_process_starts_an_actor_that_is_off_the_invokers_cores_until_it_pins_itself_there_and_not_niced(lab):
    with driver(lab) as seen:
        assert seen["nice"] == os.nice(0)
        assert tuple(seen["cores"]) == lab.cores.ray
        assert tuple(seen["pinned"]) == lab.invoker_cores
        assert seen["lab"] == LabFolder(lab.home, lab.name).lab_id
        assert seen["pid"] in [mark.pid for mark in marks_of(lab)], "a worker bears the lab's id where it can be found"


def test_everything_listens_on_loopback_only_also_workers_and_driver(lab):
    call_noop(lab)
    with driver(lab) as seen:
        sockets = [each for pid in (*(mark.pid for mark in marks_of(lab)), seen["driver"]) for each in listening(pid)]
    addresses = {ipaddress.ip_address(each.laddr.ip) for each in sockets}
    assert len(sockets) >= 5
    assert all((getattr(address, "ipv4_mapped", None) or address).is_loopback for address in addresses), addresses


def test_no_secret_is_in_a_command_line_a_log_or_the_state_and_secrets_are_in_closed_files(lab):
    secrets = {read_wskprops(lab.wskprops).auth.partition(":")[2], lab.ray_token_file.read_text()}
    assert all(len(secret) == 64 for secret in secrets)
    assert lab.ray_temp_dir.stat().st_mode & 0o777 == 0o700
    files = [path for folder in (lab.wskprops.parent, lab.ray_temp_dir) for path in folder.rglob("*") if path.is_file()]
    holding = {path for path in files if any(secret in path.read_text(errors="replace") for secret in secrets)}
    assert holding == {lab.wskprops, lab.ray_token_file, lab.wskprops.parent / "platform" / "config.json"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in holding)
    spoken = " ".join(" ".join(psutil.Process(mark.pid).cmdline()) for mark in marks_of(lab))
    assert not any(secret in spoken for secret in secrets)


def test_up_again_changes_nothing_and_says_nothing(lab):
    said = []
    assert up_local(lab.home, lab.name, LocalOptions(), said.append) == lab
    assert said == []


def test_a_lab_that_is_up_with_another_profile_is_not_changed_behind_anybodys_back(lab):
    with pytest.raises(LabError, match=r"up with the bench profile, not the standalone profile.*owray down --lab local"):
        up_local(lab.home, lab.name, LocalOptions(profile="standalone"), quiet)


def test_status_of_a_lab_that_is_up(lab):
    now = status(lab.home, lab.name)
    assert (now.condition, now.problems, now.profile, now.cores) == ("up", (), "bench", lab.cores)
    assert now.platform.answering
    assert now.ray.answering
    assert (now.platform.pids, now.ray.pids) == (lab.platform_pids, lab.ray_pids)
    assert now.platform.memory_mb > 10
    assert all(Path(logs).is_dir() for logs in now.logs)
    assert find(lab.home, lab.name) == lab


def test_a_container_and_a_fork_server_that_were_killed_are_told_of_and_the_lab_stays_up(lab):
    target = read_wskprops(lab.wskprops)
    platform = RunningPlatform(target, lab.platform_pids[0], lab.logs, (User("guest", *target.auth.split(":")),))
    with contextlib.closing(Api(platform)) as api:
        api.action("who", WHO)
        assert status(lab.home, lab.name).incidents == ()
        container = api.invoke("who").result["pid"]
        fork_server = psutil.Process(container).ppid()
        kill(container)
        eventually(lambda: status(lab.home, lab.name).incidents == ("1 idle container ended without being told to",))
        assert api.invoke("who").cold
        kill(fork_server)
        told = "the server that forks containers ended once and was started again"
        eventually(lambda: told in status(lab.home, lab.name).incidents)
        assert eventually(lambda: reply if (reply := api.invoke("who")).status == 200 else None).cold
    now = status(lab.home, lab.name)
    assert (now.condition, now.problems) == ("up", ())


def test_a_lab_that_is_up_is_lent_and_left_up(lab):
    with lend(lab.home, lab.name, LocalOptions(), quiet) as lent:
        assert lent == lab
    assert find(lab.home, lab.name) == lab


def test_a_second_lab_does_not_meet_the_first_and_its_end_does_not_touch_it(lab):
    with running_lab(lab.home, "second", LocalOptions(profile="standalone")) as second:
        held = traces(second.home, "second")
        assert {second.api_host, second.ray_address, second.ray_temp_dir}.isdisjoint({lab.api_host, lab.ray_address, lab.ray_temp_dir})
        assert read_wskprops(second.wskprops).auth != read_wskprops(lab.wskprops).auth
        assert not held.sessions & traces(lab.home, lab.name).sessions
    assert held.left() == []
    assert find(lab.home, lab.name) == lab


def test_what_died_is_said_and_mended_without_touching_what_lives(home):
    with running_lab(home, "mended") as made:
        kill(*made.platform_pids)
        now = status(home, "mended")
        assert (now.condition, now.problems) == ("damaged", ("the platform has died",))
        with pytest.raises(LabError, match=r"damaged: the platform has died.*owray down --lab mended removes it"):
            find(home, "mended")
        mended = up_local(home, "mended", LocalOptions(profile="standalone"), quiet)
        assert mended.ray_pids == made.ray_pids
        assert mended.profile == "standalone", "the platform had to be started anyway"

        write_wskprops(mended.wskprops, Target(mended.api_host, "somebody:else"))
        now = status(home, "mended")
        assert (now.condition, now.platform.alive) == ("damaged", True)
        assert now.problems == ("the platform runs but answers pings only: GET /api/v1/namespaces/_/limits with its own key gives 401",)
        mended = up_local(home, "mended", LocalOptions(), quiet)
        assert status(home, "mended").condition == "up"

        kill(made.ray_pids[1])
        assert status(home, "mended").problems == ("Ray has died",)
        again = up_local(home, "mended", LocalOptions(), quiet)
        assert again.platform_pids == mended.platform_pids
        assert not set(again.ray_pids) & set(made.ray_pids)
        assert not made.ray_temp_dir.exists()
        assert call_noop(again)
        held = traces(home, "mended")
    assert held.left() == []


@pytest.mark.parametrize("victims", ["platform", "gcs_server", "raylet", "everything"])
def test_down_leaves_nothing_after_a_part_was_killed(home, victims):
    with running_lab(home, "killed") as made:
        call_noop(made)
        held = traces(home, "killed")
        assert held.ports
        assert held.sessions
        found = marks_of(made)
        by_name = {"platform": made.platform_pids, "everything": [mark.pid for mark in found]}
        kill(*by_name.get(victims) or [mark.pid for mark in found if mark.role == victims])
        assert not down(home, "killed", quiet)
        assert held.left() == []
        assert status(home, "killed").condition == "absent"


def test_a_lab_of_which_everything_was_killed_is_said_to_be_dead_and_comes_up_again_as_it_was(home):
    asked = LocalOptions(profile="standalone", overrides={"log_delay_ms": 5})
    with running_lab(home, "fallen", asked) as made:
        call_noop(made)
        kill(*(mark.pid for mark in marks_of(made)))
        now = status(home, "fallen")
        assert (now.condition, now.problems) == ("damaged", ("the platform has died", "Ray has died"))
        again = up_local(home, "fallen", LocalOptions(), quiet)
        assert call_noop(again)
        now = status(home, "fallen")
        assert (now.condition, now.profile, now.overrides) == ("up", "standalone", {"log_delay_ms": 5})
        held = traces(home, "fallen")
    assert held.left() == []


def test_down_finds_everything_when_the_folder_was_deleted(home):
    with running_lab(home, "forgotten") as made:
        call_noop(made)
        folder = LabFolder(home, "forgotten")
        held = traces(home, "forgotten")
        folder.state.unlink()
        assert "state file is gone" in status(home, "forgotten").problems[0]
        shutil.rmtree(folder.path)
        assert status(home, "forgotten").condition == "damaged"
        assert not down(home, "forgotten", quiet)
        assert held.left() == []


def test_a_stranger_that_has_a_recorded_pid_now_is_spared(tmp_path):
    folder = LabFolder(tmp_path, "local")
    folder.make()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        now = processes.mark(stranger.pid, "platform")
        earlier = dataclasses.replace(now, started_ticks=now.started_ticks - 1)
        state = LabState(folder.lab_id, "local", "2026-01-01T00:00:00+00:00", boot_id(), "bench", divide([0, 1]), "")
        Journal(folder.state, state).record(platform=Service("ready", (earlier,), "127.0.0.1:1"))
        assert status(tmp_path, "local").condition == "damaged"
        assert not down(tmp_path, "local", quiet)
        assert stranger.poll() is None
        stranger.kill()
    assert not folder.path.exists()


UP = """
import sys
from pathlib import Path
from cluster.lab import LocalOptions, up_local
up_local(Path(sys.argv[1]), sys.argv[2], LocalOptions(), lambda line: print(line, flush=True))
print("done", flush=True)
"""

BORROW = """
import sys, time
from pathlib import Path
from cluster.lab import LocalOptions, lend
with lend(Path(sys.argv[1]), "local", LocalOptions(), lambda line: None) as lab:
    print("lent", lab.name, flush=True)
    time.sleep(600)
"""

HALF_MADE = """
import sys, time
from pathlib import Path
from cluster.state import LabFolder, locked
folder = LabFolder(Path(sys.argv[1]), sys.argv[2])
with locked(folder):
    folder.make()
    print("made", flush=True)
    time.sleep(600)
"""


def script(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_two_ups_at_once_are_refused_and_a_killed_one_is_taken_up_again(home):
    with script(UP, home, "twice") as first:
        wait_for_line(first, "platform up")
        assert status(home, "twice").condition == "changing"
        with pytest.raises(LabError, match="another owray command is bringing lab 'twice' up or down"):
            up_local(home, "twice", LocalOptions(), quiet)
        with pytest.raises(LabError, match="another owray command"):
            down(home, "twice", quiet)
        first.kill()
    platform = read_state(LabFolder(home, "twice")).platform
    assert status(home, "twice").condition == "damaged"
    with running_lab(home, "twice") as made:
        assert made.platform_pids == tuple(mark.pid for mark in platform.processes), "what was up already was kept"
        held = traces(home, "twice")
    assert held.left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_borrowed_lab_is_removed_when_its_borrower_is_told_to_end(tmp_path, number):
    with script(BORROW, tmp_path) as borrower:
        name = wait_for_line(borrower, "lent").split()[1]
        assert re.fullmatch("borrowed-[0-9a-f]{4}", name)
        held = traces(tmp_path, name)
        borrower.send_signal(number)
        borrower.wait(60)
    assert borrower.returncode == (143 if number == signal.SIGTERM else -signal.SIGINT)
    assert held.left() == []
    assert lab_names(tmp_path) == []


def test_a_lab_whose_borrower_was_killed_is_known_as_abandoned(tmp_path):
    with script(BORROW, tmp_path) as borrower:
        name = wait_for_line(borrower, "lent").split()[1]
        assert abandoned_labs(tmp_path) == []
        borrower.kill()
    assert abandoned_labs(tmp_path) == [name]
    held = traces(tmp_path, name)
    assert not down(tmp_path, name, quiet)
    assert held.left() == []


def test_a_borrowed_lab_that_never_got_a_record_is_abandoned_unless_it_is_being_made(tmp_path):
    folder = LabFolder(tmp_path, "borrowed-0001")
    with script(HALF_MADE, tmp_path, folder.name) as borrower:
        wait_for_line(borrower, "made")
        assert abandoned_labs(tmp_path) == []
        borrower.kill()
    LabFolder(tmp_path, "not-borrowed").make()
    of_another_version = LabFolder(tmp_path, "borrowed-0002")
    of_another_version.make()
    of_another_version.state.write_text('{"schema": 99}')
    assert abandoned_labs(tmp_path) == [folder.name]
    assert down(tmp_path, folder.name, quiet).was_there
    assert abandoned_labs(tmp_path) == []
    assert not folder.path.exists()
    assert not folder.lock.exists()


def test_what_the_platform_cannot_have_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(LabError, match="user_memory_mb is 100"):
        up_local(tmp_path, "local", LocalOptions(overrides={"user_memory_mb": 100}), quiet)
    with pytest.raises(LabError, match="no profile named 'benhc'"):
        up_local(tmp_path, "local", LocalOptions(profile="benhc"), quiet)
    assert status(tmp_path, "local").condition == "absent"
    assert list((tmp_path / "labs").iterdir()) == []


def test_down_of_nothing_finds_nothing_and_makes_nothing(tmp_path):
    gone = down(tmp_path / "home", "local", quiet)
    assert not gone.was_there
    assert not gone
    assert not (tmp_path / "home").exists()
