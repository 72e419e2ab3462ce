"""Versions: Python's, and those of what owray stands on, against what the installed package itself asks for."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from owray.health.finding import REINSTALL, Finding, Level

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "owray"


def versions(distribution: str = DISTRIBUTION, python: str = platform.python_version()) -> Iterator[Finding]:
    """Python, and every dependency that the metadata of `distribution` names."""
    from packaging.requirements import Requirement

    try:
        described = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        meaning = "Which versions it needs cannot be told."
        yield Finding("versions", Level.BETTER, f"{distribution} is not installed, it runs from a folder", meaning, "make venv")
        return
    yield _python(python, described.metadata["Requires-Python"])
    needed = [Requirement(text) for text in described.requires or ()]
    yield from dependencies([each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})])


def dependencies(needed: list[Requirement]) -> Iterator[Finding]:
    """Each requirement against what is installed: those that fail one by one, the others in one line."""
    good: dict[str, str] = {}
    for requirement in needed:
        found = _installed(requirement.name)
        if found is not None and requirement.specifier.contains(found, prereleases=True):
            good[requirement.name] = found
            continue
        has = f"{requirement.name} {found}, not {requirement.specifier}" if found else f"{requirement.name} is missing"
        figures = {"installed": found, "required": str(requirement.specifier)}
        yield Finding(requirement.name, Level.WRONG, has, "owray was never tried with it, and may fail anywhere.", REINSTALL, figures)
    if good:
        shown = ", ".join(f"{name} {version}" for name, version in sorted(good.items()))
        yield Finding("packages", Level.FINE, shown, "All versions are among those that owray asks for.", figures=good)


def _python(version: str, required: str) -> Finding:
    from packaging.specifiers import SpecifierSet

    fits = SpecifierSet(required).contains(version, prereleases=True)
    figures = {"installed": version, "required": required}
    if fits:
        return Finding("Python", Level.FINE, version, "It is among the versions that owray asks for.", figures=figures)
    return Finding(
        "Python", Level.WRONG, f"{version}, not {required}", "owray was never tried with it, and may fail anywhere.", REINSTALL, figures
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
