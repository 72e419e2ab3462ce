"""What does a new container cost: a spare of the zygote, forked by it when asked, or started as an interpreter of its own?

All run the same runtime on the same kind of listening socket, and all are counted until they have answered a request: nanoseconds on
a CPU as the scheduler counts them (/proc/PID/schedstat), the zygote's share included. Of a spare only that counts which comes after the
order: the rest was done before, when nothing else was to be done. Bare interpreters, which cannot answer anything, are there to compare
(CPU time of the ended process by wait4).

    python -m benchmarks.containers [--rounds 5] [--containers 10]
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from cluster.openwhisk.embedded.runtimes import zygote
from cluster.openwhisk.embedded.spawner import PYTHON_ACTION, ZYGOTE

PYTHON = [sys.executable, "-I", "-S", "-B"]
FRESH = f"""
import importlib.util, socket, sys
spec = importlib.util.spec_from_file_location("container_runtime", {str(PYTHON_ACTION)!r})
runtime = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runtime)
runtime.serve(socket.socket(fileno=int(sys.argv[1])))
"""
REQUEST = b"POST /run HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n" + b'{"value":{}}'
"""Without an action the answer is an error; but it is an answer."""

PATIENCE_S = 20.0


class Forks:
    """A zygote, and containers forked from it one at a time."""

    def __init__(self, control: socket.socket, process_id: int, folder: Path) -> None:
        self._control = control
        self._events = control.makefile("r")
        self._process_id = process_id
        self._folder = folder
        self._number = 0

    def fork_ms(self) -> float:
        """Milliseconds of CPU, the container's and the zygote's, until a container that was forked for the purpose has answered."""
        return self._answered_ms(0)

    def spare_ms(self) -> float:
        """The same of a container that was waiting for its order, from the order on."""
        self._control.sendall(b'{"spares": 1}\n')
        return self._answered_ms(self._rested_ns())

    def _rested_ns(self) -> int:
        """What the spare has used when it waits: it is the zygote's only child, and asleep for good when that no longer grows."""
        children = Path(f"/proc/{self._process_id}/task/{self._process_id}/children")
        used_ns, before_ns = 0, -1
        while used_ns != before_ns:
            time.sleep(0.02)
            before_ns = used_ns
            used_ns = _on_cpu_ns(int(children.read_text())) if children.read_text() else -2
        return used_ns

    def _answered_ms(self, spent_ns: int) -> float:
        self._number += 1
        folder = self._folder / str(self._number)
        (folder / "work").mkdir(parents=True)
        before_ns = _on_cpu_ns(self._process_id)
        started = self._tell({"start": self._number, "folder": str(folder), "program": None, "environment": {}, "logs": False, "nice": 0})
        cost_ns = _on_cpu_ns(self._process_id) - before_ns
        _ask(folder / zygote.SOCKET_NAME)
        cost_ns += _on_cpu_ns(started["pid"]) - spent_ns
        self._tell({"kill": self._number})
        return cost_ns / 1e6

    def _tell(self, order: dict[str, object]) -> dict[str, int]:
        self._control.sendall(json.dumps(order).encode() + b"\n")
        event: dict[str, int] = json.loads(self._events.readline())
        if "failed" in event:
            raise SystemExit(f"the zygote could not start a container: {event}")
        return event


@contextmanager
def forking(folder: Path, core: int) -> Iterator[Forks]:
    """A zygote for as long as the block lasts; it ends, and its containers with it, when its socket does."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    with ours:
        command = [*PYTHON, str(ZYGOTE), str(os.getpid()), str(core), str(PYTHON_ACTION)]
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno())
        try:
            yield Forks(ours, process.pid, folder)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()


def _fresh_ms(folder: Path) -> float:
    """Milliseconds of CPU until a new interpreter with the runtime has answered."""
    path = folder / "fresh"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(16)
        command = [*PYTHON, "-c", FRESH, str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _ask(path)
        return _on_cpu_ns(process.pid) / 1e6
    finally:
        process.kill()
        process.wait()
        path.unlink()


def _bare_ms(command: Sequence[str]) -> float:
    """Milliseconds of CPU of a program that does nothing, from start to end."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def _ask(path: Path) -> None:
    """Have one request answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_S)
        client.connect(str(path))
        client.sendall(REQUEST)
        if not client.recv(65536).startswith(b"HTTP/1.1 "):
            raise SystemExit("a container did not answer")


def _on_cpu_ns(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/schedstat").read_text().split()[0])


def _mean(one: Callable[[], float], times: int) -> float:
    return sum(one() for _ in range(times)) / times


def main() -> None:
    asked = arguments("CPU of a new container.", rounds=5, containers=10)
    machine, cores = Machine(), Cores.available()
    pin(cores.client)
    with tempfile.TemporaryDirectory() as name, forking(Path(name), cores.client) as forks:
        ways: dict[str, Callable[[], float]] = {
            "a spare of the zygote": forks.spare_ms,
            "forked by the zygote": forks.fork_ms,
            "python -I -S with the runtime's imports": partial(_fresh_ms, Path(name)),
            "python -I -S, empty": partial(_bare_ms, [*PYTHON, "-c", ""]),
        }
        if node := shutil.which("node"):
            ways["node, empty"] = partial(_bare_ms, [node, "-e", ""])
        found = interleave({way: partial(_mean, one, asked.containers) for way, one in ways.items()}, asked.rounds)
    first = found["a spare of the zygote"]
    rows = [(way, Spread.of(costs), ratio(costs, first)) for way, costs in found.items()]
    title = f"{asked.rounds} rounds of {asked.containers} each; median (quartiles)"
    show(title, [("container", "ms of CPU", "times the first"), *rows])
    print(machine.line())


if __name__ == "__main__":
    main()
