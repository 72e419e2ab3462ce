""".ci/contain.py: what a command starts and does not end is found, named and killed, wherever it has hidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def contain(checkout):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(checkout / ".ci" / "contain.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_cleans_up_keeps_its_exit_code(contain, code):
    done = contain("sh", "-c", f"sleep 0.01 & wait; exit {code}")
    assert (done.returncode, done.stderr) == (code, "")


def test_a_daemon_that_left_session_and_parent_is_named_and_killed(contain):
    done = contain("--grace", "0.2", "sh", "-c", "(setsid env -i sleep 3333 > /dev/null 2>&1 & echo $!)")
    assert done.returncode == 1
    assert "sleep 3333" in done.stderr
    assert not is_running(int(done.stdout))


def test_what_is_on_its_way_out_is_not_left_behind(contain):
    done = contain("--grace", "30", "sh", "-c", "(setsid sleep 0.3 &)")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(contain):
    done = contain("--minutes", "0.01", "sh", "-c", "setsid sleep 3333 & echo $!; wait")
    assert done.returncode == 124
    assert not is_running(int(done.stdout))
