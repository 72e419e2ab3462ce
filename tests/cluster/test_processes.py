"""Finding and ending what belongs to a lab, with real processes."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import processes
from cluster.processes import LAB_VARIABLE, PART_VARIABLE, Mark

SLEEP = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(600)"]


@pytest.fixture
def lab_id():
    """An id that no other process bears; whatever bears it is gone afterwards."""
    name = f"test-{secrets.token_hex(6)}"
    yield name
    assert processes.end_all_of(name) == []


@pytest.fixture
def bearer(lab_id):
    """Starts processes that bear the lab's id, and waits until they run their own code."""
    running = []

    def begin(command, **environment):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, LAB_VARIABLE: lab_id, **environment})
        running.append(child)
        child.stdout.readline()
        return child

    yield begin
    processes.end_all_of(lab_id)  # before their parents are reaped: a descendant may be known by its parent only
    for child in running:
        child.communicate()


def pids(marks):
    return [mark.pid for mark in marks]


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_a_process_is_found_by_the_lab_in_its_environment(lab_id, bearer):
    child = bearer(SLEEP)
    assert pids(processes.of_lab(lab_id)) == [child.pid]
    assert processes.of_lab(f"{lab_id}-other") == []


def test_a_part_of_a_lab_can_be_looked_for(lab_id, bearer):
    bearer(SLEEP, **{PART_VARIABLE: "platform"})
    other = bearer(SLEEP, **{PART_VARIABLE: "ray"})
    assert pids(processes.of_lab(lab_id, "ray")) == [other.pid]


def test_a_child_that_dropped_its_environment_is_found_by_its_parent(lab_id, bearer):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], env={})\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = bearer([sys.executable, "-c", code])
    wait_until(lambda: len(processes.of_lab(lab_id)) == 2)
    assert parent.pid in pids(processes.of_lab(lab_id))


def test_who_asks_is_never_among_the_found(lab_id):
    code = f"from cluster import processes; print(processes.of_lab({lab_id!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, LAB_VARIABLE: lab_id}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_a_pid_that_belongs_to_another_process_now_gets_no_signal(bearer):
    child = bearer(SLEEP)
    now = processes.mark(child.pid, "sleep")
    earlier = Mark(child.pid, now.started_ticks - 1, "platform")
    assert not processes.alive(earlier)
    processes.send(earlier, signal.SIGKILL)
    processes.send(now, signal.SIGCONT)
    assert child.poll() is None
    assert processes.alive(now)


def test_a_signal_to_a_process_that_is_gone_is_no_error(bearer):
    child = bearer(SLEEP)
    gone = processes.mark(child.pid, "sleep")
    child.kill()
    child.wait()
    processes.send(gone, signal.SIGTERM)
    assert not processes.alive(gone)


def test_a_zombie_is_not_alive(bearer):
    child = bearer(SLEEP)
    mark = processes.mark(child.pid, "sleep")
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(mark))
    assert child.returncode is None, "nobody has counted it yet"


def test_a_name_with_parentheses_and_spaces_does_not_hide_a_process(bearer):
    code = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'x) R (1 2'); print('named', flush=True); time.sleep(600)"
    child = bearer([sys.executable, "-c", code])
    mark = processes.mark(child.pid, "odd")
    assert mark is not None
    assert processes.alive(mark)


def test_a_started_service_is_away_from_the_terminal_and_writes_to_a_closed_log(lab_id, tmp_path):
    log = tmp_path / "service.log"
    code = (
        "import os, signal, sys, time\n"
        "print(os.getcwd(), os.getsid(0) == os.getpid(), os.read(0, 1), signal.getsignal(signal.SIGINT), flush=True)\n"
        "print('said on stderr', file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    log.write_text("earlier line\n")
    log.chmod(0o600)
    pid = processes.start([sys.executable, "-c", code], {LAB_VARIABLE: lab_id}, log)
    assert pids(processes.of_lab(lab_id)) == [pid]
    wait_until(lambda: "stderr" in log.read_text())
    assert log.read_text().startswith("earlier line\n/ True b'' <built-in function default_int_handler>")
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_exit_code_of_a_child_is_told_once(lab_id, tmp_path):
    pid = processes.start([sys.executable, "-c", "raise SystemExit(3)"], {LAB_VARIABLE: lab_id}, tmp_path / "log")
    codes = []
    wait_until(lambda: codes.append(processes.exit_code(pid)) or codes[-1] is not None)
    assert codes[-1] == 3
    assert processes.exit_code(pid) == -1


def test_a_command_that_does_not_exist_ends_at_once_with_a_line_in_the_log(lab_id, tmp_path):
    pid = processes.start(["/no/such/command"], {LAB_VARIABLE: lab_id}, tmp_path / "log")
    wait_until(lambda: processes.exit_code(pid) is not None)
    assert "/no/such/command" in (tmp_path / "log").read_text()


def test_a_family_that_ignores_every_request_is_ended_whole(lab_id, bearer):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if len(sys.argv) < 4: subprocess.Popen([sys.executable, '-c', sys.argv[1], *sys.argv[1:], 'deeper'], start_new_session=True)\n"
        "print('here', flush=True)\n"
        "time.sleep(600)\n"
    )
    bearer([sys.executable, "-c", code, code])
    wait_until(lambda: len(processes.of_lab(lab_id)) == 3)
    assert processes.end_all_of(lab_id) == []
    assert processes.of_lab(lab_id) == []


def test_a_confined_process_takes_all_of_its_threads_along(bearer):
    code = (
        "import threading, time\n"
        "for _ in range(5): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "print('threads', flush=True)\n"
        "time.sleep(600)\n"
    )
    child = bearer([sys.executable, "-c", code])
    core = max(os.sched_getaffinity(0))
    processes.confine(processes.mark(child.pid, "threads"), [core], nice=5)
    threads = [int(entry.name) for entry in Path(f"/proc/{child.pid}/task").iterdir()]
    assert len(threads) == 6
    assert all(os.sched_getaffinity(thread) == {core} for thread in threads)
    assert all(os.getpriority(os.PRIO_PROCESS, thread) == 5 for thread in threads)


def test_memory_of_living_processes_is_counted_and_of_dead_ones_is_not(bearer):
    child = bearer(SLEEP)
    mark = processes.mark(child.pid, "sleep")
    assert 1 < processes.memory_mb([mark]) < 200
    child.kill()
    child.wait()
    assert processes.memory_mb([mark]) == 0


def test_a_process_whose_first_thread_alone_has_ended_still_lives(lab_id, bearer):
    others = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); print('awake', flush=True)"
    child = bearer([sys.executable, "-c", f"{others}; ctypes.CDLL(None).pthread_exit(None)"])
    process = processes.mark(child.pid, "threads")
    wait_until(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert processes.alive(process)
    processes.send(process, signal.SIGKILL)
    assert processes.wait_for_end([process], 30) == []
