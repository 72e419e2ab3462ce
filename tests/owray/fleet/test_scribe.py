"""The scribe stands back: what it does must not take the core from what is measured."""

import subprocess
import sys
from pathlib import Path

import pytest

STAND_BACK = """
import asyncio, os, sys
from pathlib import Path
from owray.fleet.scribe import Scribe

class Nothing(Scribe):
    def __init__(self): pass
    async def _work(self): pass

asyncio.run(Nothing().start())
autogroup = Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), os.getsid(0) == os.getpid(), autogroup.read_text().split()[-1] if autogroup.exists() else "19")
"""


@pytest.mark.parametrize(
    "leads",
    [{}, {"start_new_session": True}, {"process_group": 0}],
    ids=["leads nothing", "leads a session", "leads a group, as Ray's workers do"],
)
def test_a_scribe_has_the_least_weight_among_processes_and_among_sessions(leads):
    mine = _autogroup()
    said = subprocess.run([sys.executable, "-c", STAND_BACK], capture_output=True, text=True, check=True, **leads).stdout.split()
    assert said == ["19", "True", "19"]
    assert _autogroup() == mine  # and nobody else's


def _autogroup():
    path = Path("/proc/self/autogroup")
    return path.read_text() if path.exists() else ""
