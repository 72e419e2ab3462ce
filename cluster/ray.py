"""Starting Ray on this machine so that nobody else meets it.

A lab's Ray is a head node of its own: everything listens on 127.0.0.1, on ports the kernel picks, behind a token of its own, in a short
temp folder that is closed to other users. It is started by `ray start`, whose processes stay; it is ended by their ids, never by
`ray stop`, which ends every Ray of the machine, and never found by address="auto", which may find somebody else's.

What is switched, and why (looked up in the source of Ray 2.60 and measured on 2 cores):

    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0   without it --node-ip-address=127.0.0.1 is turned into the machine's outer address
    RAY_AUTH_MODE, RAY_AUTH_TOKEN_PATH    every process reads the token from a 0600 file, so no command line shows it
    RAY_worker_niceness=0                 Ray starts workers with nice 15; an invoker so would lose against what it measures
    RAY_memory_monitor_refresh_ms=0       when memory is short Ray kills workers; containers are what fills it, not invokers
    SPT_NOENV=1                           Ray's Python processes keep /proc/PID/environ readable, by which a lab is found
    a --dashboard-port that is taken      a dashboard process starts even with --include-dashboard=false, only to report usage statistics;
                                          without its port it is left out: 115 MB and 3 s less
    a folder around --temp-dir            Ray makes its temp folder writable for all (0777); the one around it is 0700
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cluster import processes
from cluster.cores import Cores
from cluster.state import LabError, LabFolder, Service, write_private

OBJECT_STORE_BYTES = 80_000_000
"""Little goes through Ray's object store (slices out, blocks back); Ray takes no less than 75 MB."""

MAIN_PROCESSES = ("gcs_server", "raylet")
"""The two that a Ray node cannot be without."""

_HELPERS_NICE = 5
TEMP_ROOT = Path(os.sep, "tmp")
"""Not $TMPDIR: paths of Ray's sockets are about 75 characters longer than its temp folder, and the kernel allows 107."""

_TEMP_NAME = re.compile(re.escape(f"{TEMP_ROOT}/owray-") + "[0-9a-f]{8}")


def driver_environment(token_file: Path) -> dict[str, str]:
    """What must be in the environment before `import ray` in a process that calls ray.init(address=...).

    Set these and remove all other RAY_* variables, above all RAY_AUTH_TOKEN, which would be preferred to the file.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def new_temp_dir() -> Path:
    """A name for a temp folder, to be written down before `make_temp_dir` makes it."""
    return TEMP_ROOT / f"owray-{secrets.token_hex(4)}"


def make_temp_dir(temp_dir: Path, lab_id: str) -> None:
    """Make the folder, closed to other users, with the lab's id in it. Raises FileExistsError if somebody has made it already."""
    temp_dir.mkdir(mode=0o700)
    write_private(temp_dir / "owner", lab_id.encode())


def temp_dirs(lab_id: str, recorded: str = "") -> list[Path]:
    """Temp folders of a lab: the one on record, and all that name the lab as owner, whatever the record says."""
    found = {Path(recorded)} if _TEMP_NAME.fullmatch(recorded) else set()
    for owner in TEMP_ROOT.glob("owray-*/owner"):
        with suppress(OSError):
            if owner.read_bytes() == lab_id.encode():
                found.add(owner.parent)
    return sorted(folder for folder in found if _ours(folder))


def owned_temp_dirs() -> dict[Path, str]:
    """The temp folders of all of this user's labs, of whatever home, each with its lab's id."""
    found = {}
    for owner in sorted(TEMP_ROOT.glob("owray-*/owner")):
        with suppress(OSError):
            if _TEMP_NAME.fullmatch(str(owner.parent)) and _ours(owner.parent):
                found[owner.parent] = owner.read_text(errors="replace")
    return found


def remove_temp_dir(temp_dir: Path) -> None:
    """Remove a temp folder with all of Ray's files; what cannot be removed stays."""
    shutil.rmtree(temp_dir, ignore_errors=True)


def answers(service: Service, temp_dir: Path) -> bool:
    """Whether both main processes accept connections: the head store at its port, the node at its socket."""
    host, _, port = service.address.partition(":")
    node = temp_dir / "ray" / "session_latest" / "sockets" / "raylet"
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(node))
    except (OSError, ValueError):
        return False
    return True


class RayStart:
    """One start of Ray: `begin` launches it, `poll` says when it is up."""

    part = "ray"
    called = "Ray"
    timeout_s = 60.0

    def __init__(self, folder: LabFolder, temp_dir: Path, cores: Cores, environment: Mapping[str, str]) -> None:
        """`environment` is that of all services of the lab, without variables of Ray."""
        self._folder = folder
        self._temp_dir = temp_dir
        self._cores = cores
        self._environment = environment
        self._taken: socket.socket | None = None
        self._pid = 0

    @property
    def logs(self) -> tuple[Path, ...]:
        return self._log, self._temp_dir / "ray" / "session_latest" / "logs"

    @property
    def _log(self) -> Path:
        return self._folder.logs / "ray-start.log"

    def begin(self) -> Service:
        """Launch `ray start`, with a fresh token."""
        make_temp_dir(self._temp_dir, self._folder.lab_id)
        write_private(self._folder.ray_token, secrets.token_hex(32).encode())
        self._taken = socket.create_server(("127.0.0.1", 0))
        command = self._command(dashboard_port=self._taken.getsockname()[1])
        self._pid = processes.start(command, self._service_environment(), self._log)
        starter = processes.mark(self._pid, "ray start")
        return Service("started", (starter,) if starter else ())

    def poll(self) -> Service | None:
        """The running service, or None as long as `ray start` works. Raises LabError when it has failed."""
        code = processes.exit_code(self._pid)
        if code is None:
            return None
        self.close()
        found = {process.role: process for process in processes.of_lab(self._folder.lab_id, self.part)}
        main = tuple(found[name] for name in MAIN_PROCESSES if name in found)
        try:
            address = (self._temp_dir / "ray" / "ray_current_cluster").read_text().strip()
        except FileNotFoundError:
            address = ""
        if code != 0 or len(main) < len(MAIN_PROCESSES) or not address:
            raise LabError(f"Ray did not start (`ray start` ended with {code}): {processes.last_line(self._log)}")
        for role, process in found.items():
            # Only now: starting takes 4 s of CPU, for which no storm is in the way. Workers inherit from the raylet, so its priority stays:
            # only root could raise theirs again.
            processes.confine(process, self._cores.ray, 0 if role == "raylet" else _HELPERS_NICE)
        return Service("ready", main, address)

    def close(self) -> None:
        """Give the held port back."""
        if self._taken is not None:
            self._taken.close()

    def undo(self) -> list[processes.Mark]:
        """Take it down again, however far it has come. Who would not end."""
        stubborn = processes.end_all_of(self._folder.lab_id, self.part)
        remove_temp_dir(self._temp_dir)
        return stubborn

    def described(self, service: Service) -> str:
        return f"Ray up at {service.address}"

    def _command(self, dashboard_port: int) -> list[str]:
        return [
            *(sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head"),
            *("--node-ip-address=127.0.0.1", "--port=0", f"--dashboard-port={dashboard_port}"),
            *("--include-dashboard=false", "--include-log-monitor=false", "--no-monitor", "--disable-usage-stats"),
            f"--num-cpus={len(self._cores.invokers)}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            f"--temp-dir={self._temp_dir / 'ray'}",
        ]

    def _service_environment(self) -> dict[str, str]:
        return {
            **self._environment,
            **driver_environment(self._folder.ray_token),
            processes.PART_VARIABLE: self.part,
            "RAY_worker_niceness": "0",
            "RAY_memory_monitor_refresh_ms": "0",
            "SPT_NOENV": "1",
        }


def _ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.getuid()
