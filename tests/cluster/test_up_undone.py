"""`up` that does not come to its end: whatever ended it, what it brought up is taken down again, and what was there before stays."""

import errno
import os
import re
import signal
import socket
import sys
import time

import pytest
from support.labs import Traces, quiet, running_lab, traces
from support.storms import PATIENCE_S, Command

from cluster import local, processes
from cluster.lab import LocalOptions, down, status, up_local
from cluster.ray import RayStart
from cluster.starting import FAILED_START
from cluster.state import LabError, LabFolder

UNDONE = "what had come up is taken down again"
STOPPED = 4


@pytest.fixture
def folder(tmp_path):
    """Of a lab that is not there, and that is not there afterwards."""
    lab = LabFolder(tmp_path / "home", "local")
    yield lab
    assert not down(lab.home, lab.name, quiet).was_there
    assert list(lab.path.parent.iterdir()) == []


def soon(look):
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)


def has_no_platform_yet(folder):
    return (folder.platform / "config.json").exists()


def has_platform(folder):
    return folder.wskprops.exists()


def has_half_a_ray(folder):
    return "gcs_server" in [process.role for process in processes.of_lab(folder.lab_id)]


@pytest.mark.parametrize(
    ("moment", "signals", "code"),
    [
        (has_no_platform_yet, (signal.SIGTERM,), 128 + signal.SIGTERM),
        (has_platform, (signal.SIGINT,), STOPPED),
        (has_half_a_ray, (signal.SIGINT, signal.SIGTERM, signal.SIGINT), STOPPED),
        (has_platform, (signal.SIGQUIT, signal.SIGQUIT), 128 + signal.SIGQUIT),
    ],
)
def test_an_up_that_is_told_to_end_leaves_nothing(folder, moment, signals, code):
    with Command("up", "local", home=folder.home) as up:
        soon(lambda: moment(folder))
        held = traces(folder.home, folder.name)
        for number in signals:
            up.signal(number)
        ended = up.end()
    assert (ended.returncode, ended.stdout) == (code, "")
    steps = [line for line in ended.stderr.splitlines() if " up at " not in line]
    assert steps == ([UNDONE, "owray: stopped"] if code == STOPPED else [UNDONE])
    assert held.left() == []


def test_an_up_whose_terminal_is_closed_leaves_nothing(folder):
    controller, terminal = os.openpty()
    with Command("up", "local", home=folder.home, errors=terminal) as up:
        os.close(terminal)
        os.close(controller)
        soon(lambda: has_platform(folder) and has_half_a_ray(folder))
        held = traces(folder.home, folder.name)
        up.signal(signal.SIGHUP)
        assert up.end().returncode == 128 + signal.SIGHUP
    assert held.left() == []


def ray_fails_after_the_platform(monkeypatch):
    """Instead of `ray start`: wait for the platform's key, and give up."""

    def command(start, dashboard_port):
        return ["sh", "-c", f"until test -e {start._folder.wskprops}; do sleep 0.05; done; echo there is no room for Ray; exit 7"]

    monkeypatch.setattr(RayStart, "_command", command)


def test_an_up_whose_ray_fails_takes_the_platform_down_and_keeps_the_logs(folder, monkeypatch):
    ray_fails_after_the_platform(monkeypatch)
    held: list[Traces] = []
    kept = folder.home / FAILED_START
    cause = f"Ray did not start (`ray start` ended with 7): there is no room for Ray; {UNDONE}.  (the logs are kept in {kept})"
    with pytest.raises(LabError, match=f"^{re.escape(cause)}$"):
        up_local(folder.home, folder.name, LocalOptions(), lambda line: held.append(traces(folder.home, folder.name)))
    assert len(held) == 1, "the platform was up"
    assert held[0].ports
    assert held[0].left() == []
    assert {log.name for log in kept.iterdir()} == {"platform.log", "ray-start.log"}
    assert (kept / "ray-start.log").read_text() == "there is no room for Ray\n"
    assert kept.stat().st_mode & 0o777 == 0o700


def test_a_port_that_is_taken_in_between_is_said_and_nothing_is_left(folder, monkeypatch):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        port = stranger.getsockname()[1]
        monkeypatch.setattr(local, "_try_port", lambda config: stranger.listen())
        cause = rf"the platform ended while it started: .*{port}.*address already in use; {UNDONE}\.  \(the logs"
        with pytest.raises(LabError, match=cause):
            up_local(folder.home, folder.name, LocalOptions(port=port), quiet)


def test_a_program_that_is_missing_is_named_and_nothing_is_left(folder, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LabError, match=rf"the platform ended while it started: .*/nowhere/python: not found; {UNDONE}\.  \(the logs"):
        up_local(folder.home, folder.name, LocalOptions(), quiet)


def test_a_machine_that_refuses_another_process_is_said_so_and_nothing_is_left(folder, monkeypatch):
    launched = []
    spawn = os.posix_spawn

    def only_once(*words, **how):
        if launched:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        launched.append(spawn(*words, **how))
        return launched[0]

    monkeypatch.setattr(os, "posix_spawn", only_once)
    cause = rf"^Ray cannot be started: Resource temporarily unavailable; {UNDONE}\.  \(the logs are kept in "
    with pytest.raises(LabError, match=cause):
        up_local(folder.home, folder.name, LocalOptions(), quiet)
    assert processes.mark(launched[0], "platform") is None


def test_a_lab_that_cannot_be_mended_keeps_what_lives(tmp_path, monkeypatch):
    with running_lab(tmp_path, "half") as made:
        for process in processes.of_lab(LabFolder(tmp_path, "half").lab_id, "ray"):
            processes.send(process, signal.SIGKILL)
        with monkeypatch.context() as patched:
            ray_fails_after_the_platform(patched)
            with pytest.raises(LabError, match="there is no room for Ray"):
                up_local(tmp_path, "half", LocalOptions(), quiet)
        now = status(tmp_path, "half")
        assert (now.platform.pids, now.platform.answering) == (made.platform_pids, True)
        assert (now.problems, now.ray.processes) == (("Ray has died",), 0)
        assert up_local(tmp_path, "half", LocalOptions(), quiet).platform_pids == made.platform_pids
        held = traces(tmp_path, "half")
    assert held.left() == []
