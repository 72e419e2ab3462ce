"""The embedded OpenWhisk as tests use it: a process of its own, on a free port, gone at the end."""

import contextlib
import json
import secrets
import string
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.openwhisk.embedded.config import KEY_LENGTH, PlatformConfig, User
from owray.openwhisk.target import Target

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


@dataclass(frozen=True)
class RunningPlatform:
    """A platform that accepts requests."""

    target: Target
    pid: int
    state_dir: Path
    users: tuple[User, ...]


def new_user(namespace: str = "guest") -> User:
    letters = string.ascii_letters + string.digits
    return User(namespace, str(uuid.uuid4()), "".join(secrets.choice(letters) for _ in range(KEY_LENGTH)))


@contextlib.contextmanager
def running_platform(
    state_dir: Path, *, profile: str = "bench", namespaces: Sequence[str] = ("guest",), **overrides: Any
) -> Iterator[RunningPlatform]:
    """Starts a platform in `state_dir`, hands it over when it listens, stops it and waits for its end."""
    users = tuple(map(new_user, namespaces))
    user = users[0]
    state_dir.mkdir(parents=True, exist_ok=True)
    config = state_dir / "platform.json"
    PlatformConfig(state_dir=state_dir, users=users, profile=profile, overrides=overrides).save(config)
    log = state_dir / "platform.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "cluster.openwhisk.embedded", str(config)], stderr=stderr)
        try:
            listening = _wait_until_listening(state_dir / "listening.json", process, log)
            target = Target(f"http://{listening['host']}:{listening['port']}", f"{user.uuid}:{user.key}", source="a test's platform")
            yield RunningPlatform(target, process.pid, state_dir, users)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _wait_until_listening(path: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"the platform does not listen (exit code {process.returncode}):\n{log.read_text()}")
        time.sleep(0.02)
    listening: dict[str, Any] = json.loads(path.read_text())
    return listening
