"""A disk that is full in the midst of a storm ends it: load without evidence is of no use. What was written until then is kept."""

import os
import subprocess
from contextlib import suppress

import pytest
from support.storms import Command, calls_of, owray

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")

PLANNED = 60_000


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "owray-test", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(path):
    """Write until there is no room left; what is deleted later makes room again."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_ends_the_storm_with_one_clear_line_and_recover_accounts_for_every_call(lab_home, small_disk):
    ballast = small_disk / "ballast"
    with Command("storm", "--rps", 500, "--duration", "120s", "--action", "noop", home=lab_home, runs=small_disk) as storm:
        folder = storm.wait_until(1.5)
        fill(ballast)
        result = storm.end()
    assert result.returncode == 4, result.stderr
    assert "Traceback" not in result.stderr
    said = result.stderr + result.stdout
    assert "could not be written" in said
    assert "No space left on device" in said
    assert "make room" in said
    ballast.unlink()
    if folder.load().status == "running":
        assert f"owray recover {folder.run}" in result.stderr
        recovered = owray("recover", folder.run, home=lab_home, runs=small_disk)
        assert recovered.returncode == 0, recovered.stderr
    assert folder.load().early_end.kind in ("not_written", "recovered")  # a disk so full may not even take the reason
    rows = calls_of(folder)
    assert sorted(rows) == list(range(PLANNED))
    assert {row["outcome"] for row in rows.values()} >= {"ok", "unsent"}
    assert sum(row["outcome"] == "ok" for row in rows.values()) > 500 / 2  # of a second and a half before it was full


def test_a_disk_that_is_full_at_the_start_is_refused_in_one_line_and_nothing_is_made(lab_home, small_disk):
    fill(small_disk / "ballast")
    result = owray("storm", "--action", "noop", home=lab_home, runs=small_disk)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"owray: cannot keep a run in {small_disk}: No space left on device.  (--runs-dir names another place)\n" == result.stderr
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
