"""A machine that was broken on purpose: `owray doctor` in a process of its own, under limits or in a network of its own.

examined(home)                                       the findings by check, and the exit code
examined(home, "prlimit", "--nofile=64:64")          the same under a command that narrows things first
examined(home, network="...")                        in a network namespace of its own, after this shell text (root only)
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cli

CLI = Path(__file__).resolve().parents[2] / "cli.py"


# Somebody who owns nothing and is in no group, but may read what the interpreter needs wherever it is installed: root's own home included.
NOBODY = (
    ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    if os.geteuid() == 0
    else ()
)


@dataclass(frozen=True)
class Examined:
    """What the doctor said."""

    exit_code: int
    findings: tuple[Mapping[str, Any], ...]
    document: Mapping[str, Any]

    def of(self, check: str) -> Mapping[str, Any]:
        """The one finding of a check."""
        (found,) = [finding for finding in self.findings if finding["check"] == check]
        return found

    def level(self, check: str) -> str:
        return str(self.of(check)["level"])


def examined(
    home: Path, *before: str, options: tuple[str, ...] = (), network: str | None = None, variables: Mapping[str, str] | None = None
) -> Examined:
    """Run the doctor behind the command `before`; where there is none and nothing else to change, in this process."""
    if not before and network is None and variables is None:
        return _examined_here(home, options)
    command = [*before, sys.executable, str(CLI), "doctor", "--json", *options]
    if network is not None:
        command = ["unshare", "--net", "sh", "-c", f'{network}\nexec "$@"', "sh", *command]
    environment = {**os.environ, "OWRAY_HOME": str(home), **(variables or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    document = json.loads(done.stdout)
    return Examined(done.returncode, tuple(document["findings"]), document)


def _examined_here(home: Path, options: tuple[str, ...]) -> Examined:
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told):
        patch.setenv("OWRAY_HOME", str(home))
        exit_code = cli.main(["doctor", "--json", *options])
    document = json.loads(told.getvalue())
    return Examined(exit_code, tuple(document["findings"]), document)


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """A root folder with these files in it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
