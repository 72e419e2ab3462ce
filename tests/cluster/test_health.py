"""What a lab needs of this machine, and what earlier ones have left."""

import os
import subprocess
import time

import pytest
from support.labs import quiet
from support.machines import tree

from cluster import health, lab, processes
from cluster.state import LabFolder


def only(findings):
    (found,) = findings
    return found


@pytest.mark.parametrize(("available_kb", "level"), [(500_000, "wrong"), (1_500_000, "could be better"), (8_000_000, "fine")])
def test_too_little_memory_for_ray_and_a_platform_is_wrong(tmp_path, available_kb, level):
    root = tree(tmp_path, {"proc/meminfo": f"MemTotal: 16000000 kB\nMemAvailable: {available_kb} kB\n"})
    found = only(health.memory(root))
    assert (found.level, found.figures) == (level, {"available_mb": available_kb // 1024})


def test_memory_that_cannot_be_told_is_said_to_be_so(tmp_path):
    assert only(health.memory(tmp_path)).found == "cannot be told"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_too_little_shared_memory_for_rays_store_could_be_better(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "owray-test", tmp_path], check=True)
    try:
        found = only(health.shared_memory(tmp_path))
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    assert (found.level, found.figures["free_bytes"]) == ("could be better", 16 << 20)
    assert "mount -o remount,size=1g" in found.cure


def test_memory_groups_are_tried_as_the_platform_makes_them_and_nothing_is_left():
    found = only(health.memory_groups())
    assert found.level == ("fine" if found.figures["way"].startswith("cgroup") else "could be better")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk that cannot be written")
def test_where_ray_cannot_make_its_sockets_is_wrong(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "owray-test", tmp_path], check=True)
    try:
        found = only(health.ray_sockets(tmp_path))
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    assert found.level == "wrong"
    assert "Read-only file system" in found.found


def test_rays_programs_are_there():
    assert only(health.ray_programs()).level == "fine"


def test_a_process_of_a_lab_is_told_from_one_that_is_nobodys(tmp_path):
    program = tmp_path / "gcs_server"
    program.symlink_to("/bin/sleep")
    environment = {**os.environ, processes.LAB_VARIABLE: "some-lab"}
    children = [subprocess.Popen([program, "60"], env=each) for each in (environment, {**os.environ})]
    try:
        while len(found := processes.named(("gcs_server",))) < 2:
            time.sleep(0.01)
        assert {processes.lab_of(pid) for pid in found if pid in {child.pid for child in children}} == {"some-lab", ""}
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_every_damaged_lab_is_a_finding_of_its_own(tmp_path):
    for name in ("local", "two"):
        LabFolder(tmp_path, name).make()
    found = list(health.labs(tmp_path))
    assert [each.level for each in found] == ["wrong", "wrong"]
    assert "owray up local --lab two mends it" in found[1].cure
    for name in ("local", "two"):
        assert not lab.down(tmp_path, name, quiet)
    assert only(health.labs(tmp_path)).found == "none"
