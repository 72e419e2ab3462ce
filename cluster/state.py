"""What is known of a lab: its folder, its state file, its lock.

The state file is a cache. What is really there is found by the lab's id, which follows from the folder's path, in the environment of
processes and in an `owner` file inside the temp folder; so a lost or torn state file costs nothing but a little comfort. The file makes
repairing possible: an intent is written before each act, and what came of it after, so that `up` can tell what is missing.

    a service is   when its record is written                                what `up` does when it finds it so
    None           (nothing tried yet)                                       starts it
    intended       before the process is started                             ends what may be left of it, starts it
    started        its process runs, its address is not known                ends it, starts it
    ready          it has answered at its address                            keeps it while its processes live and answer, else as above

No secret is ever in the state file: the key of OpenWhisk is in `wskprops` and the platform's config, Ray's token in `ray-token`, all 0600.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock
import msgspec

from cluster.cores import Cores
from cluster.processes import Mark
from owray.problems import Problem

OpenWhiskKind = Literal["embedded", "none"]
"""Which platform a lab on this machine has."""

_NAME = re.compile(r"[a-z0-9-]{1,40}")
_SCHEMA = 2
_REFUSALS = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST))
_LOCK_PATIENCE_S = 0.3
"""Longer than `status` holds the lock to see whether it is free, shorter than anybody would wait."""


class LabError(Problem):
    """Something that the user can mend; the text names cause and fix."""


@dataclass(frozen=True, slots=True)
class Service:
    """A part of a lab that runs. `address` is host:port once it is ready."""

    stage: Literal["intended", "started", "ready"]
    processes: tuple[Mark, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class LabState:
    """The record of one lab. Times are UTC in ISO 8601. `overrides` are knobs that differ from the profile's; `port` 0 is a free one.

    `openwhisk` says whether it has a platform; one without has only a Ray, and its profile, knobs, port and keys mean nothing.
    """

    lab_id: str
    name: str
    made_at: str
    boot_id: str
    profile: str
    cores: Cores
    temp_dir: str
    openwhisk: OpenWhiskKind = "embedded"
    overrides: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    public_keys: bool = False
    borrower: Mark | None = None
    platform: Service | None = None
    ray: Service | None = None
    schema: int = _SCHEMA


@dataclass(frozen=True, slots=True)
class LabFolder:
    """Where things of a lab lie: `<home>/labs/<name>/`, 0700."""

    home: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(f"{self.name!r} cannot be a lab's name: use 1 to 40 lower-case letters, digits and hyphens")

    @property
    def path(self) -> Path:
        return self.home / "labs" / self.name

    @property
    def lab_id(self) -> str:
        """The name and a hash of the folder's path: the same lab always has the same id, another home's lab another one."""
        return f"{self.name}-{hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:12]}"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def wskprops(self) -> Path:
        return self.path / "wskprops"

    @property
    def ray_token(self) -> Path:
        return self.path / "ray-token"

    @property
    def platform(self) -> Path:
        return self.path / "platform"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def lock(self) -> Path:
        return self.path.with_suffix(".lock")

    def make(self) -> None:
        """Make the folders, closed to other users. An existing home keeps its mode (runs may be shared); `labs` is always closed."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self.path.parent.chmod(0o700)
        for folder in (self.path, self.platform, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)


class Journal:
    """A lab's state file: read once, written whole and atomically at each record."""

    def __init__(self, path: Path, state: LabState) -> None:
        self._path = path
        self.state = state

    def record(self, **changes: Any) -> None:
        """Change fields of the state and write it before returning."""
        self.state = replace(self.state, **changes)
        write_private(self._path, msgspec.json.format(msgspec.json.encode(self.state), indent=2))


def read_state(folder: LabFolder) -> LabState | None:
    """The recorded state, or None if there is none that can be read (it is written atomically: a torn one is not ours)."""
    try:
        state = msgspec.json.decode(folder.state.read_bytes(), type=LabState)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except OSError as problem:
        raise LabError(_refused(folder.home, problem)) from problem
    return state if state.schema == _SCHEMA else None


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, all of it or nothing, also when the machine stops."""
    temporary = path.with_name(path.name + ".tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put renames in a folder on disk: until then a machine that stops may forget them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: LabFolder) -> Iterator[None]:
    """Hold a lab's lock, so that two commands do not make and remove the same lab at once. Raises LabError when it is held.

    The lock is the kernel's (flock): it ends with its holder, also by kill -9. Its file lies beside the folder and goes with it.
    """
    lock = filelock.FileLock(folder.lock, timeout=_LOCK_PATIENCE_S, mode=0o600)
    try:
        with kept_in(folder.home):
            folder.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.lock.parent.mkdir(mode=0o700, exist_ok=True)
            lock.acquire()
    except filelock.Timeout:
        raise LabError(
            f"another owray command is bringing lab '{folder.name}' up or down at this moment; wait for it, or end it, and try again"
        ) from None
    try:
        yield
    finally:
        if not folder.path.exists():
            folder.lock.unlink(missing_ok=True)  # while it is held: who opened this file meanwhile sees that it is gone and opens anew
        lock.release()


@contextmanager
def kept_in(home: Path) -> Iterator[None]:
    """Raises LabError where the home's disk or its rights refuse to keep what is written."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _REFUSALS:
            raise
        raise LabError(_refused(home, problem)) from problem


def _refused(home: Path, problem: OSError) -> str:
    return f"cannot keep a lab in {home}: {problem.strerror}.  (OWRAY_HOME names another place)"


def default_home() -> Path:
    """`$OWRAY_HOME`, or `~/.owray`."""
    return Path(os.environ.get("OWRAY_HOME") or "~/.owray").expanduser().absolute()


def boot_id() -> str:
    """The kernel's name for the time since it started: marks of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def lock_names(home: Path) -> list[str]:
    """Names of all labs that have a lock file, sorted: also of those that never came so far as to have a folder."""
    return sorted(path.stem for path in (home / "labs").glob("*.lock") if _NAME.fullmatch(path.stem))


def lab_names(home: Path) -> list[str]:
    """Names of all labs that have a folder, sorted."""
    try:
        return sorted(entry.name for entry in (home / "labs").iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name))
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise LabError(_refused(home, problem)) from problem


def meant(home: Path, name: str) -> str:
    """ " Did you mean 'two'?" where a lab has a name like this one, else nothing."""
    near = difflib.get_close_matches(name, lab_names(home), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
