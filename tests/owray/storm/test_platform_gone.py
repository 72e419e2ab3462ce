"""A platform that is killed in the midst of a storm: the storm is played to its end, and every row says what became of its call."""

import os
import signal

import pytest
from support.labs import quiet
from support.storms import Command, calls_of, lab_of

from cluster.lab import LocalOptions, up_local

RPS = 50
SECONDS = 6
GONE = {"connect_error", "connection_lost"}


@pytest.fixture(scope="module")
def gone(lab_home, runs):
    """(result, rows by seq, manifest) of a storm whose platform is killed after two seconds."""
    with Command("storm", "--rps", RPS, "--duration", f"{SECONDS}s", "--action", "noop", home=lab_home, runs=runs) as storm:
        folder = storm.wait_until(2.0)
        for pid in lab_of(lab_home).platform_pids:
            os.kill(pid, signal.SIGKILL)
        try:
            result = storm.end()
        finally:
            up_local(lab_home, "local", LocalOptions(), quiet)
    return result, calls_of(folder), folder.load()


def test_every_call_has_its_row_and_those_after_the_kill_say_that_nobody_was_there(gone):
    _, rows, _ = gone
    assert sorted(rows) == list(range(RPS * SECONDS))
    assert {row["outcome"] for row in rows.values()} <= {"ok", *GONE}
    assert {rows[seq]["outcome"] for seq in range(RPS)} == {"ok"}
    assert {rows[seq]["outcome"] for seq in range(RPS * 4, RPS * SECONDS)} == {"connect_error"}


def test_the_run_is_judged_as_a_ruler_and_its_exit_code_follows_the_verdict(gone):
    result, _, manifest = gone
    assert manifest.status == "ended"
    assert manifest.verdict is not None
    assert result.returncode == (3 if manifest.verdict["level"] == "INVALID" else 0)
    assert "connect_error" in result.stdout
    assert "Traceback" not in result.stderr
