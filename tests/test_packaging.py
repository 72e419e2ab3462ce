"""What users get: a wheel that works away from the checkout, a checkout that works without installation, a lock that holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOMS = {"cli.py", "owray", "cluster", "actions", "queries"}
TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Installation:
    """A virtual environment that holds nothing but owray's wheel, and sees the dependencies of ours."""

    folder: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> str:
        """Standard output of a program of the environment."""
        command = [self.folder / "bin" / program, *arguments]
        environment = {**os.environ, "OWRAY_HOME": str(cwd / "home")}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, checkout):
    """Built by the locked hatchling, with no network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=checkout, capture_output=True, text=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installation(tmp_path_factory, wheel):
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    install = [TOOLS / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, capture_output=True, text=True, check=True)
    # A path in a .pth file is searched last, and .pth files in it are not read: so the checkout's own editable install stays out.
    (site_packages,) = folder.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "dependencies.pth").write_text("\n".join(sorted(paths)) + "\n")
    return Installation(folder)


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == ROOMS
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_brings_every_action_and_query(wheel, checkout):
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [path for pattern in ("actions/*/*", "queries/*.sql") for path in checkout.glob(pattern) if path.is_file()]
    assert data
    assert {str(path.relative_to(checkout)) for path in data} <= names


def test_an_installed_owray_runs_away_from_the_checkout(installation, tmp_path):
    where = installation.run(
        "python", "-c", "import cli, owray, actions; print(cli.__file__, owray.__file__, actions.__file__)", cwd=tmp_path
    )
    assert all(Path(path).is_relative_to(installation.folder) for path in where.split())
    assert "storm" in installation.run("owray", "--help", cwd=tmp_path)


def test_an_installed_owray_brings_its_workloads(installation, tmp_path):
    listed = installation.run("owray", "workloads", cwd=tmp_path)
    assert "genomics" in listed
    assert "align" in listed


def test_an_installed_owray_brings_its_queries(installation, tmp_path):
    listed = installation.run("owray", "query", cwd=tmp_path)
    assert "summary" in listed
    assert "reconcile" in listed


def test_a_checkout_runs_without_installation(checkout):
    done = subprocess.run([sys.executable, "cli.py", "--help"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "storm" in done.stdout


def locked(checkout: Path) -> dict[str, list[str]]:
    """Names of requirements.lock, each with its hashes."""
    entries: dict[str, list[str]] = {}
    for line in (checkout / "requirements.lock").read_text().splitlines():
        if match := re.match(r"([a-z0-9-]+)(?:\[.*\])?==", line):
            name = match[1]
            entries.setdefault(name, [])
        elif match := re.match(r"\s+--hash=(sha256:[0-9a-f]{64})", line):
            entries[name].append(match[1])
    return entries


def test_the_lock_has_a_hash_for_everything_and_tells_no_address(checkout):
    assert [name for name, hashes in locked(checkout).items() if not hashes] == []
    text = (checkout / "requirements.lock").read_text()
    assert not re.search(r"://|--index|--find-links|--extra-index|@ |(?<!\w)/\w+/", text)


def test_the_lock_covers_what_the_project_asks_for(checkout):
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]
    names = {re.match(r"[A-Za-z0-9-]+", each)[0].lower() for each in asked}
    assert names <= set(locked(checkout))


def test_what_runs_here_is_what_the_lock_says(checkout):
    """Versions differ by Python's, so a name may be locked more than once: one of them must be ours."""
    listing = [TOOLS / "uv", "pip", "list", "--format", "json", "--python", sys.executable]
    installed = json.loads(subprocess.run(listing, capture_output=True, check=True).stdout)
    pins = set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==([^\s;]+)", (checkout / "requirements.lock").read_text(), re.MULTILINE))
    names = {name for name, _ in pins}
    assert [each for each in installed if each["name"] in names and (each["name"], each["version"]) not in pins] == []
