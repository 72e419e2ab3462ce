"""Groups without a platform: those of this machine's kernel where it lets some be made, else folders that look alike."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from support.api import eventually

from cluster.openwhisk.embedded.config import MIB
from cluster.openwhisk.embedded.groups import MOST_LEFT_BYTES, SPARE_MB, Group, Groups, Hierarchy, make_folder
from cluster.openwhisk.embedded.memory import Bound, hierarchies

V1, V2 = "cgroup v1", "cgroup v2"
FILES = {
    V1: {"memory.limit_in_bytes": str(2**62), "memory.usage_in_bytes": "0", "memory.oom_control": "oom_kill_disable 0\noom_kill 0\n"},
    V2: {"memory.max": "max\n", "memory.current": "0", "memory.events": "low 0\noom_kill 0\n"},
}


def folder_like_a_group(folder, way, **more):
    """As far as the kernel's files are looked at."""
    folder.mkdir()
    for name, text in ({"cgroup.procs": "", "memory.stat": ""} | FILES[way] | more).items():
        (folder / name).write_text(text)
    return Group(Hierarchy(way, folder.parent), folder)


def test_a_group_of_the_second_version_ends_as_a_whole_and_swaps_nothing(tmp_path):
    path = tmp_path / "0"
    group = folder_like_a_group(path, V2, **{"memory.swap.max": "max", "memory.oom.group": "0", "memory.events": "oom 0\noom_kill 3\n"})
    group.begin(128)
    assert (path / "memory.max").read_text() == "134217728"
    assert (path / "memory.swap.max").read_text() == "0"
    assert (path / "memory.oom.group").read_text() == "1"
    assert not group.exhausted()
    (path / "memory.events").write_text("oom 1\noom_kill 4\noom_group_kill 2\n")
    assert Bound(group).exhausted(None)
    assert Bound(group).order() == {"cgroup": str(path / "cgroup.procs"), "data_bytes": None}
    assert group.empty
    group.begin(256)
    assert (path / "memory.max").read_text() == "268435456"
    assert not group.exhausted()


@pytest.mark.parametrize(("way", "name"), [(V1, "total_shmem"), (V1, "total_swap"), (V2, "shmem")])
def test_what_lasts_in_a_tmpfs_is_counted_in_both_versions(tmp_path, way, name):
    assert folder_like_a_group(tmp_path / "0", way, **{"memory.stat": f"cache 9000\n{name} 4096\nmapped_file 5\n"}).left_bytes == 4096


def test_a_limit_that_was_set_by_half_is_set_anew(tmp_path):
    path = tmp_path / "0"
    group = folder_like_a_group(path, V1, **{"memory.memsw.limit_in_bytes": str(2**62)})
    group.begin(512)
    both = path / "memory.memsw.limit_in_bytes"
    both.unlink()
    both.mkdir()  # it cannot be written to now
    with pytest.raises(OSError, match="Is a directory"):
        group.begin(SPARE_MB)
    assert (path / "memory.limit_in_bytes").read_text() == str(SPARE_MB * MIB)
    assert group.memory_mb == 0
    both.rmdir()
    both.touch()
    group.begin(512)
    assert (path / "memory.limit_in_bytes").read_text() == both.read_text() == str(512 * MIB)
    assert group.memory_mb == 512


def test_a_kernel_that_does_not_count_swap_has_no_limit_of_it(tmp_path):
    folder_like_a_group(tmp_path / "0", V1).begin(128)
    assert not (tmp_path / "0" / "memory.memsw.limit_in_bytes").exists()


def test_where_no_group_can_be_made_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setattr("cluster.openwhisk.embedded.groups.REMOVAL_WAIT_S", 0)  # an ordinary folder with files does not go
    with pytest.raises(OSError, match="no memory group can be made"):
        Groups(Hierarchy(V2, tmp_path), tmp_path / "owray-x")


def test_a_folder_of_the_second_version_hands_memory_on_also_when_it_is_made_again(tmp_path):
    make_folder(Hierarchy(V2, tmp_path), tmp_path / "owray-x")
    make_folder(Hierarchy(V2, tmp_path), tmp_path / "owray-x")
    assert (tmp_path / "owray-x" / "cgroup.subtree_control").read_text() == "+memory"


# --- with the kernel's own

OFFERED = hierarchies(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
HERE = [one for one in OFFERED if os.access(one.parent, os.W_OK)]
needs_groups = pytest.mark.skipif(not HERE, reason="no control group for memory can be made here")


@pytest.fixture
def groups(tmp_path):
    """All of a platform, in a folder of the test's own."""
    made = Groups(HERE[0], HERE[0].parent / f"owray-{tmp_path.name}-{os.getpid()}")
    yield made
    made.close()


def limit_mb(group):
    (path,) = [path for name in ("memory.limit_in_bytes", "memory.max") if (path := group.path / name).exists()]
    return int(path.read_text()) // MIB


def run_in(group, command, *arguments):
    subprocess.run(["/bin/sh", "-c", f'echo 0 > "$0" && {command}', group.door, *arguments], check=True, capture_output=True)


@needs_groups
def test_only_who_wants_a_spare_takes_a_group_with_one(groups):
    doors = asyncio.run(groups.spare(2))
    assert str(groups.take(128, spared=False).door) not in doors
    taken = [groups.take(128, spared=True) for _ in range(3)]
    assert [str(group.door) in doors for group in taken] == [True, True, False]
    assert {limit_mb(group) for group in taken} == {128}


@needs_groups
def test_a_limit_that_a_spare_might_not_survive_is_set_on_an_empty_group(groups):
    doors = asyncio.run(groups.spare(1))
    assert str(groups.take(SPARE_MB - 1, spared=True).door) not in doors
    assert str(groups.take(SPARE_MB, spared=True).door) in doors


@needs_groups
def test_groups_that_somebody_removed_are_forgotten_and_others_made(groups):
    taken = [groups.take(128, spared=False) for _ in range(3)]
    asyncio.run(groups.spare(3))
    for group in taken:
        groups.give_back(group)
    folder = taken[0].path.parent
    groups.close()
    assert not folder.exists()
    assert groups.take(128, spared=True).empty
    assert all(Path(door).exists() for door in asyncio.run(groups.spare(2)))


@needs_groups
def test_what_can_be_used_again_is_before_a_new_one_is_made(groups):
    small, large = groups.take(128, spared=False), groups.take(512, spared=False)
    made = len(list(small.path.parent.glob("*/")))
    groups.give_back(small)
    groups.give_back(large)
    for wanted_mb, expected in ((512, large), (128, small), (256, small), (128, small), (1024, small)):
        taken = groups.take(wanted_mb, spared=False)
        assert (taken, limit_mb(taken)) == (expected, wanted_mb)
        groups.give_back(taken)
    both = groups.take(64, spared=False), groups.take(64, spared=False)
    assert {*both} == {small, large}
    assert len(list(small.path.parent.glob("*/"))) == made


@needs_groups
def test_a_limit_is_not_lowered_below_what_a_group_holds_but_for_a_spare(groups, tmp_path):
    group = groups.take(512, spared=False)
    run_in(group, 'dd if=/dev/zero of="$1" bs=1M count=80', str(tmp_path / "file"))
    assert group.holds(SPARE_MB)
    groups.give_back(group)
    assert groups.take(SPARE_MB, spared=False) != group
    assert limit_mb(group) == 512
    assert asyncio.run(groups.spare(1)) == [str(group.door)]
    assert limit_mb(group) == SPARE_MB


@needs_groups
def test_a_group_in_which_a_file_of_a_tmpfs_is_left_is_not_used_again(groups, tmp_path):
    group = groups.take(128, spared=False)
    left = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"  # noqa: S108 - a file there is what this is about
    try:
        run_in(group, 'head -c "$2" /dev/zero > "$1"', str(left), str(2 * MOST_LEFT_BYTES))
        assert group.left_bytes >= 2 * MOST_LEFT_BYTES
        groups.give_back(group)
        assert groups.take(128, spared=False) != group
        assert not group.path.exists()
    finally:
        left.unlink()


@needs_groups
def test_a_group_with_a_process_in_it_waits_until_that_has_gone(groups):
    group = groups.take(128, spared=False)
    run_in(group, "sleep 1000 > /dev/null 2>&1 & :")
    assert not group.empty
    groups.give_back(group)
    eventually(lambda: group.empty)
    assert group in [groups.take(128, spared=False) for _ in range(2)]


@needs_groups
def test_while_the_kernel_takes_its_time_to_lower_a_limit_the_loop_goes_on(groups, tmp_path):
    async def scene():
        slow = folder_like_a_group(tmp_path / "slow", V1)
        slow.memory_mb = 128
        limit = slow.path / "memory.limit_in_bytes"
        limit.unlink()
        os.mkfifo(limit)  # to write to it takes until somebody reads
        groups.take(128, spared=False)  # the one that was tried at the start
        groups.give_back(slow)
        sparing = asyncio.create_task(groups.spare(1))
        for _ in range(10):
            await asyncio.sleep(0)
            groups.give_back(groups.take(128, spared=False))
        assert not sparing.done()
        assert groups.take(512, spared=True).path != slow.path
        groups.stop_sparing()
        assert limit.read_text() == str(SPARE_MB * MIB)
        assert await sparing == [str(slow.door)]

    asyncio.run(scene())
