"""The Pythons and the Node that this machine has, for tests that hold actions to run alike on all of them."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = 7, 13


@functools.cache
def pythons() -> dict[str, str]:
    """Path of one interpreter of each minor version from 3.7 to 3.13, by version; this very one is always among them."""
    found = {f"3.{sys.version_info.minor}": sys.executable}
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None:
            found.setdefault(version, candidate)
    wanted = [f"3.{minor}" for minor in range(OLDEST, NEWEST + 1)]
    return {version: found[version] for version in wanted if version in found}


def node() -> str | None:
    return shutil.which("node")


def _candidates() -> list[str]:
    # pyenv puts a shim onto PATH for every version, and most of them refuse to run: so its own folder is looked at first.
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    named = [shutil.which(f"python3.{minor}") for minor in range(OLDEST, NEWEST + 1)]
    return [str(path) for path in sorted(versions.glob("3.*/bin/python3"))] + [path for path in named if path]


def _version(candidate: str) -> str | None:
    asked = subprocess.run(
        [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else None
