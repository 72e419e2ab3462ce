"""An action that takes more memory than its limit: in every way that this machine can limit it."""

import os
from pathlib import Path

import pytest
from support.api import WHO, eventually, serving

from cluster.openwhisk.embedded.config import MIB, ConfigError
from cluster.openwhisk.embedded.containers import SPARES
from cluster.openwhisk.embedded.groups import Hierarchy, remove_tree
from cluster.openwhisk.embedded.kinds import Kind
from cluster.openwhisk.embedded.memory import RECORD, MemoryLimits, hierarchies, memory_limits, remove_left
from cluster.openwhisk.embedded.runtimes.python_action import OUT_OF_MEMORY_STATUS

EXHAUSTED = {"error": "The action exhausted its memory and was aborted."}
FILLS = """
import os
def main(args):
    if args.get("mb"):
        kept = bytearray(args["mb"] * 2**20)
        kept[::4096] = b"1" * len(kept[::4096])
    return {"pid": os.getpid()}
"""
FILLS_IN_A_CHILD = """
import os, sys
def main(args):
    child = os.fork()
    if not child:
        kept = b"1" * (60 * 2**20)
        open(args["ready"], "w").close()
        while True:
            pass
    while not os.path.exists(args["ready"]):
        pass
    kept = b"1" * (90 * 2**20)
    return {}
"""
FILLS_WHEN_LOADED = "kept = b'1' * (400 * 2**20)\ndef main(args):\n    return {}\n"
LEAVES = """
import os
def main(args):
    with open(args["path"], "wb") as file:
        file.write(b"1" * (50 * 2**20))
    os._exit(1)
"""
SMALL = {"memory": 128}


def offered():
    """The ways to limit memory that can be tried here."""
    own, mounts = Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
    here = [hierarchy for hierarchy in hierarchies(own, mounts) if os.access(hierarchy.parent, os.W_OK)]
    return ["cgroup", "rlimit"] if here else ["rlimit"]


@pytest.fixture(scope="module", params=offered())
def limited(request, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("platform"), memory_limit=request.param) as api:
        yield api


def test_an_action_that_exhausts_its_memory_is_aborted_and_the_next_call_is_cold(limited, name):
    limited.action(name, FILLS, limits=SMALL)
    assert limited.invoke(name, {"mb": 60}).status == 200
    reply = limited.invoke(name, {"mb": 200})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == EXHAUSTED
    assert not reply.cold
    assert limited.record(reply.json["activationId"])["response"]["result"] == EXHAUSTED
    assert limited.invoke(name).cold
    assert not limited.invoke(name, {"mb": 60}).cold


def test_memory_that_runs_out_while_the_action_loads_is_told_alike(limited, name):
    limited.action(name, FILLS_WHEN_LOADED)
    reply = limited.invoke(name)
    assert (reply.status, reply.result) == (502, EXHAUSTED)
    assert reply.cold


def test_a_larger_limit_is_more_room(limited, name):
    limited.action(name, FILLS, limits={"memory": 512})
    assert limited.invoke(name, {"mb": 300}).status == 200


def test_a_node_action_that_fills_its_heap_is_aborted_too(limited, name):
    limited.action(
        name, "function main (a) { const kept = []; while (a.x) kept.push([a.x, [a.x]]); return {} }", kind="nodejs:default", limits=SMALL
    )
    assert limited.invoke(name).status == 200
    reply = limited.invoke(name, {"x": 1})
    assert (reply.status, reply.result) == (502, EXHAUSTED)


def test_the_platform_says_how_it_limits_memory(limited):
    said = limited.request("GET", "/").json["embedded"]
    wanted = said["knobs"]["memory_limit"]
    assert said["memory_limit"].split()[0] == wanted
    assert "memory is limited" in said["isolation"]


def test_an_exit_is_not_taken_for_exhausted_memory(limited, name):
    limited.action(name, "import os\ndef main(args):\n    os._exit(1)\n")
    assert limited.invoke(name).result == {"error": "The action did not produce a valid response and exited unexpectedly."}


def test_a_memory_error_for_more_than_there_could_be_ends_the_container_under_a_limit_of_its_own_only(limited, name):
    limited.action(name, "def main(args):\n    return {'n': len(bytearray(2**50))}\n")
    reply = limited.invoke(name)
    alone = limited.request("GET", "/").json["embedded"]["memory_limit"] == "rlimit"
    assert reply.json["response"]["status"] == ("action developer error" if alone else "application error")


needs_groups = pytest.mark.skipif("cgroup" not in offered(), reason="no control group for memory can be made here")


@needs_groups
def test_what_an_action_starts_counts_as_well_and_crash_after_crash_leaves_nothing_behind(tmp_path, name):
    folder = tmp_path / "state"
    with serving(folder, memory_limit="cgroup", user_memory_mb=512) as api:
        groups = Path((folder / RECORD).read_text())
        api.action("children", FILLS_IN_A_CHILD, limits=SMALL)
        assert api.invoke("children", {"ready": str(tmp_path / "ready")}).result == EXHAUSTED
        api.action(name, FILLS, limits=SMALL)
        for _ in range(15):
            assert api.invoke(name, {"mb": 200}).result == EXHAUSTED
        assert len(list(groups.glob("*/"))) <= SPARES + 6
    assert not groups.exists()


@needs_groups
def test_spares_wait_in_groups_of_their_own_and_a_container_takes_over_both_the_spare_and_its_group(tmp_path, name):
    folder = tmp_path / "state"
    with serving(folder, memory_limit="cgroup") as api:
        groups = Path((folder / RECORD).read_text())
        eventually(lambda: len(_rooms(groups)) == SPARES)
        spares = _rooms(groups)
        api.action(name, FILLS, limits=SMALL)
        pid = api.invoke(name).result["pid"]
        assert _rooms(groups)[pid] == spares[pid]
        (limit,) = [path for name in ("memory.limit_in_bytes", "memory.max") if (path := spares[pid] / name).exists()]
        assert limit.read_text().strip() == str(SMALL["memory"] * MIB)
        assert api.invoke(name, {"mb": 200}).result == EXHAUSTED


@needs_groups
def test_node_which_cannot_use_a_spare_leaves_it_with_its_group_to_others(tmp_path, name):
    folder = tmp_path / "state"
    with serving(folder, memory_limit="cgroup") as api:
        groups = Path((folder / RECORD).read_text())
        eventually(lambda: len(_rooms(groups)) == SPARES)
        spares = _rooms(groups)
        api.action(name, "function main () { return {pid: process.pid} }", kind="nodejs:default")
        pid = api.invoke(name).result["pid"]
        rooms = _rooms(groups)
        assert rooms.pop(pid) not in spares.values()
        assert rooms == spares


@needs_groups
def test_groups_that_were_removed_from_outside_cost_no_call(tmp_path, name):
    folder = tmp_path / "state"
    with serving(folder, memory_limit="cgroup") as api:
        groups = Path((folder / RECORD).read_text())
        eventually(lambda: len(_rooms(groups)) == SPARES)
        remove_tree(groups)
        assert not groups.exists()
        api.action(name, FILLS, limits=SMALL)
        pid = api.invoke(name).result["pid"]
        assert pid in _rooms(groups)
        assert api.invoke(name, {"mb": 200}).result == EXHAUSTED


@needs_groups
def test_what_a_container_leaves_in_a_tmpfs_is_not_missing_to_the_next(tmp_path, name):
    folder, left = tmp_path / "state", Path("/dev/shm") / name  # noqa: S108 - a file there is what this is about
    with serving(folder, memory_limit="cgroup", user_memory_mb=512) as api:
        api.action(name, LEAVES, limits=SMALL)
        api.action(f"{name}b", FILLS, limits=SMALL)
        try:
            for number in range(SPARES + 1):
                assert api.invoke(name, {"path": f"{left}.{number}"}).status == 502
            for _ in range(3):
                assert api.invoke(f"{name}b", {"mb": 90}).status == 200
                api.action(f"{name}b", FILLS, limits=SMALL)
        finally:
            for path in left.parent.glob(f"{name}.*"):
                path.unlink()


def _rooms(groups):
    """The group of each process."""
    return {int(pid): path.parent for path in groups.glob("*/cgroup.procs") for pid in path.read_text().split()}


@needs_groups
def test_what_a_killed_platform_leaves_is_removed_by_the_next(tmp_path):
    folder = tmp_path / "state"
    with serving(folder, memory_limit="cgroup") as api:
        api.action("who", WHO)
        pid = api.invoke("who").result["pid"]
        groups = Path((folder / RECORD).read_text())
        assert [path for path in groups.glob("*/cgroup.procs") if str(pid) in path.read_text().split()]
        os.kill(api.platform.pid, 9)
    remove_left(folder)
    assert not groups.exists()
    assert not (folder / RECORD).exists()


def test_without_a_limit_an_action_takes_what_it_likes(new_platform, name):
    with new_platform(memory_limit="none") as api:
        api.action(name, FILLS, limits=SMALL)
        assert api.invoke(name, {"mb": 200}).status == 200
        assert "nothing enforces" in api.request("GET", "/").json["embedded"]["isolation"]


# --- without a platform

V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V2 = "41 31 0:38 {root} {point} rw,relatime shared:4 - cgroup2 cgroup2 rw"


def test_a_group_of_the_first_version_is_made_below_the_platforms_own():
    assert list(hierarchies("4:cpu,memory:/a/b\n0::/\n", V1)) == [Hierarchy("cgroup v1", Path("/sys/fs/cgroup/memory/a/b"))]
    assert list(hierarchies("4:cpu:/a\n", V1)) == []


@pytest.fixture
def unified(tmp_path):
    """A tree of the second version: the session has processes, the slice hands memory on, as systemd leaves it."""
    session = tmp_path / "user.slice" / "session.scope"
    session.mkdir(parents=True)
    for folder, controllers in ((tmp_path, "cpu memory"), (tmp_path / "user.slice", "memory pids"), (session, "")):
        (folder / "cgroup.subtree_control").write_text(controllers + "\n")
    return tmp_path


def test_a_group_of_the_second_version_is_made_where_memory_is_handed_on(unified):
    mount = V2.format(root="/", point=unified)
    assert list(hierarchies("0::/user.slice/session.scope\n", mount)) == [Hierarchy("cgroup v2", unified / "user.slice")]
    (unified / "user.slice" / "cgroup.subtree_control").write_text("pids\n")
    assert list(hierarchies("0::/user.slice/session.scope\n", mount)) == [Hierarchy("cgroup v2", unified)]
    (unified / "cgroup.subtree_control").write_text("pids\n")
    assert list(hierarchies("0::/user.slice/session.scope\n", mount)) == []


def test_a_part_of_the_tree_that_is_mounted_alone_is_looked_at_from_its_root(unified):
    mount = V2.format(root="/docker/1", point=unified)
    assert list(hierarchies("0::/docker/1/user.slice\n", mount)) == [Hierarchy("cgroup v2", unified / "user.slice")]
    assert list(hierarchies("0::/docker/2\n", mount)) == []


@pytest.mark.parametrize(
    ("family", "status", "exhausted"),
    [("python", OUT_OF_MEMORY_STATUS, True), ("python", -6, False), ("nodejs", -6, True), ("nodejs", 1, False), ("python", None, False)],
)
def test_under_a_limit_of_its_own_the_end_of_the_process_tells(family, status, exhausted):
    bound = MemoryLimits("rlimit").take(128, Kind("some", family, Path("program"), "1"))
    assert bound.order() == {"cgroup": None, "data_bytes": bound.data_bytes}
    assert bound.exhausted(status) is exhausted


def test_a_way_that_was_asked_for_and_cannot_be_had_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("cluster.openwhisk.embedded.memory.hierarchies", lambda own, mounts: iter(()))
    with pytest.raises(ConfigError, match="'cgroup', but no control group"):
        memory_limits("cgroup", tmp_path)
    assert memory_limits("auto", tmp_path).way == "rlimit"
