"""A borrowed lab that came no further than its lock."""

import subprocess
import sys

from support.labs import quiet

from cluster.lab import abandoned_labs, down
from cluster.state import LabFolder

LOCKED = """
import sys, time
from pathlib import Path
from cluster.state import LabFolder, locked
with locked(LabFolder(Path(sys.argv[1]), sys.argv[2])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_lock_whose_holder_was_killed_before_it_made_its_lab_is_seen_and_removed(tmp_path):
    folder = LabFolder(tmp_path, "borrowed-0001")
    with subprocess.Popen([sys.executable, "-c", LOCKED, tmp_path, folder.name], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        assert abandoned_labs(tmp_path) == []
        holder.kill()
    assert folder.lock.exists()
    assert abandoned_labs(tmp_path) == [folder.name]
    assert not down(tmp_path, folder.name, quiet)
    assert not folder.lock.exists()
    assert abandoned_labs(tmp_path) == []


def test_the_lock_of_a_lab_that_was_not_borrowed_is_nobody_s_to_remove(tmp_path):
    folder = LabFolder(tmp_path, "mine")
    folder.lock.parent.mkdir()
    folder.lock.touch()
    assert abandoned_labs(tmp_path) == []
    assert folder.lock.exists()
