"""Labs as tests use them: real ones, and a search for what they might have left."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cluster import processes, ray
from cluster.lab import Lab, LocalOptions, down, up_local
from cluster.openwhisk.embedded.memory import RECORD
from cluster.state import LabFolder

_GONE = 0
"""The session of a process that has ended meanwhile; the kernel's own threads are in it."""


def quiet(line: str) -> None:
    """Progress that nobody reads."""


@dataclass(frozen=True)
class Traces:
    """What a lab holds while it is up: to be looked for, by other means than the lab's own, when it should be gone."""

    lab_id: str
    pids: frozenset[int]
    sessions: frozenset[int]
    ports: frozenset[int]
    files: tuple[Path, ...]

    def left(self) -> list[str]:
        """What is still there, for people to read; empty when the lab is gone without a trace."""
        living = [process for process in psutil.process_iter() if _session(process.pid) in self.sessions and not _is_zombie(process)]
        return [
            *(f"process {process}" for process in (*living, *processes.of_lab(self.lab_id))),
            *(f"port {port}" for port in self.ports if _is_open(port) and self._is_held(port)),
            *(str(path) for path in self.files if path.exists()),
            *(str(path) for path in ray.temp_dirs(self.lab_id)),
        ]

    def _is_held(self, port: int) -> bool:
        """Whether it is held by a process that was there then, or by nobody knows whom: one that was let go of is soon somebody else's."""
        heard = [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN and each.laddr.port == port]
        return any(each.pid is None or each.pid in self.pids for each in heard)


def traces(home: Path, name: str) -> Traces:
    folder = LabFolder(home, name)
    pids = [mark.pid for mark in processes.of_lab(folder.lab_id)]
    ports = {connection.laddr.port for pid in pids for connection in listening(pid)}
    return Traces(
        lab_id=folder.lab_id,
        pids=frozenset(pids),
        sessions=frozenset(_session(pid) for pid in pids) - {_GONE},
        ports=frozenset(ports),
        files=(folder.path, folder.lock, *ray.temp_dirs(folder.lab_id), *memory_groups(folder)),
    )


def memory_groups(folder: LabFolder) -> list[Path]:
    """The control group of the platform's containers, where it has one."""
    record = folder.platform / RECORD
    return [Path(record.read_text())] if record.exists() else []


def listening(pid: int) -> list[Any]:
    """Sockets on which a process accepts connections from a network."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [connection for connection in psutil.Process(pid).net_connections("inet") if connection.status == psutil.CONN_LISTEN]
    return []


@contextlib.contextmanager
def running_lab(home: Path, name: str, options: LocalOptions | None = None) -> Iterator[Lab]:
    """Brings a lab up, and removes it whatever happened to it meanwhile."""
    try:
        yield up_local(home, name, options or LocalOptions(), quiet)
    finally:
        assert not down(home, name, quiet)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return _GONE


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
