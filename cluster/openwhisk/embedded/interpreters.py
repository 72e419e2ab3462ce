"""The CPythons of this machine, other than the one that runs the platform.

Looked for by name on PATH, where distributions put theirs, and where pyenv and uv keep those that they install. Each is asked once, all
at the same time, since an interpreter may be there and broken. Scripts are passed over: pyenv puts one on PATH for every version, and most
refuse to run.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 9)
"""What the runtime, python_action.py, needs."""

ANSWER_WAIT_S = 10.0

_QUESTION = "import sys; print(sys.implementation.name, '%d.%d.%d' % sys.version_info[:3])"
_NAME = re.compile(r"python3\.\d+", re.ASCII)
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One CPython."""

    program: Path
    version: str

    @property
    def minor(self) -> str:
        """As kinds name it: 3.12."""
        return self.version.rpartition(".")[0]


def interpreters(folders: Iterable[Path]) -> list[Interpreter]:
    """One of each minor version, the first found in the order of the folders; oldest version first."""
    candidates = list(dict.fromkeys(_candidates(folders)))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        answers = list(threads.map(_asked, candidates))
    found: dict[str, Interpreter] = {}
    for one in answers:
        if one is not None:
            found.setdefault(one.minor, one)
    return sorted(found.values(), key=lambda one: _numbers(one.version))


def usual_folders() -> list[Path]:
    """Where interpreters are."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    return [
        *(Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder),
        Path("/usr/local/bin"),
        Path("/usr/bin"),
        *sorted(pyenv.glob("versions/3.*/bin")),
        *sorted(home.glob(".local/share/uv/python/cpython-3.*/bin")),
    ]


def _candidates(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        try:
            paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError:
            continue
        yield from (path.resolve() for path in paths if _is_program(path))


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False


def _asked(program: Path) -> Interpreter | None:
    command = [str(program), "-I", "-S", "-c", _QUESTION]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_WAIT_S, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    name, _, version = answer.stdout.strip().partition(" ")
    return Interpreter(program, version) if name == "cpython" and _numbers(version) >= OLDEST else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
