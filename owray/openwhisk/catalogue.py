"""The actions that owray brings, and the workloads they make up.

An action is a folder: a `manifest.toml` and the source it names. The folder's name is the action's. A workload is all actions that name it,
each with its weight. `expected` holds the checksum that a right answer carries, by size and seed: a call whose seed is among them is
checked, so those are the calls that a storm makes.
"""

from __future__ import annotations

import difflib
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Annotated, Any

import msgspec

from owray.problems import Problem

Parameters = Mapping[str, Any]


_LISTED = "owray workloads lists them"


class ManifestError(Problem):
    """A manifest that cannot be used; the text says which and why."""


class UnknownNameError(Problem):
    """A name that nothing has; the text suggests what may have been meant."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = _LISTED, most: int = 1) -> None:
        near = [repr(one) for one in difflib.get_close_matches(name, list(known), n=most)]
        suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"no {what} named {name!r}.{suggestion}  ({hint})")


@dataclass(frozen=True, slots=True)
class Manifest:
    """An action: what to deploy, and how it may be called. `sizes` holds what a size's name stands for, for people to read."""

    name: str
    workload: str
    description: str
    kind: str
    code: str
    main: str
    weight: float
    memory_mb: int
    timeout_ms: int
    logs_mb: int
    default_size: str
    sizes: Mapping[str, Parameters]
    expected: Mapping[str, Mapping[int, str]]

    def size(self, wished: str | None = None) -> str:
        """The size to play when this one is wished for: an action of a single size has that one for all. Raises UnknownNameError."""
        if wished is None or len(self.sizes) == 1:
            return self.default_size
        if wished not in self.sizes:
            raise UnknownNameError(f"size of {self.name}", wished, self.sizes, hint=f"it has {', '.join(self.sizes)}")
        return wished

    def variants(self, size: str | None = None) -> list[tuple[dict[str, Any], str | None]]:
        """Parameters of the calls at a size, each with the checksum to expect; one without, where none is known."""
        name = self.size(size)
        known = self.expected.get(name, {})
        if not known:
            return [({"size": name}, None)]
        return [({"size": name, "seed": seed}, checksum) for seed, checksum in known.items()]


@dataclass(frozen=True, slots=True)
class Workload:
    """A named set of actions."""

    name: str
    actions: tuple[Manifest, ...]


_Above = Annotated[float, msgspec.Meta(gt=0, lt=1e9)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    memory_mb: _Count
    timeout_ms: _Count
    logs_mb: _Count


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """What stands in a manifest.toml."""

    workload: _Text
    description: str
    kind: _Text
    source: _Text
    weight: _Above
    default_size: str
    limits: _Limits
    sizes: dict[str, dict[str, Any]]
    expected: dict[str, dict[str, str]] = {}
    main: _Text = "main"


def load(folder: Traversable) -> Manifest:
    """The action in a folder. Raises ManifestError."""
    try:
        file = msgspec.convert(tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8")), _File)
        code = (folder / file.source).read_text(encoding="utf-8")
        return _manifest(folder.name, file, code)
    except ManifestError as error:
        raise ManifestError(f"{folder}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:  # tomllib's and msgspec's are ValueErrors
        raise ManifestError(f"{folder / 'manifest.toml'}: {plain(str(error))}") from error


def plain(text: str) -> str:
    """What tomllib or msgspec says, on one line and in this project's words."""
    text = (
        " ".join(text.split())
        .replace("Object missing required field", "it lacks")
        .replace("Object contains unknown field", "there is no field")
    )
    return re.sub(r" - at `\$\.?([^`]+)`", r"  (at \1)", text).removesuffix(" - at `$`").replace("`", "'")


def _manifest(name: str, file: _File, code: str) -> Manifest:
    for size in (file.default_size, *file.expected):
        if size not in file.sizes:
            raise ManifestError(f"{size!r} is not among the sizes {', '.join(file.sizes)}")
    for seed in (seed for seeds in file.expected.values() for seed in seeds):
        if not seed.isdecimal():
            raise ManifestError(f"a result is expected by its seed, a whole number, not by {seed!r}")
    return Manifest(
        name=name,
        workload=file.workload,
        description=file.description,
        kind=file.kind,
        code=code,
        main=file.main,
        weight=file.weight,
        memory_mb=file.limits.memory_mb,
        timeout_ms=file.limits.timeout_ms,
        logs_mb=file.limits.logs_mb,
        default_size=file.default_size,
        sizes=file.sizes,
        expected={size: {int(seed): checksum for seed, checksum in seeds.items()} for size, seeds in file.expected.items()},
    )


def catalogue(actions_dir: Traversable | None = None) -> dict[str, Manifest]:
    """All actions of a folder by name; those that come with owray when none is given. Raises ManifestError, also where there are none."""
    root = actions_dir or importlib.resources.files("actions")
    try:
        folders = sorted((entry for entry in root.iterdir() if (entry / "manifest.toml").is_file()), key=lambda entry: entry.name)
    except OSError as error:
        raise ManifestError(f"no actions in {root}: {error.strerror}") from error
    if not folders:
        raise ManifestError(f"no actions in {root}: an action is a folder in it, with a manifest.toml")
    return {folder.name: load(folder) for folder in folders}


def find(name: str, actions_dir: Traversable | None = None) -> Manifest:
    """The action of this name. Raises UnknownNameError."""
    known = catalogue(actions_dir)
    if name not in known:
        raise UnknownNameError("action", name, known, hint=f"{_listed(actions_dir)}; one that is there already is written /_/{name}")
    return known[name]


def workloads(actions_dir: Traversable | None = None) -> dict[str, Workload]:
    """All workloads by name."""
    members: dict[str, list[Manifest]] = {}
    for manifest in catalogue(actions_dir).values():
        members.setdefault(manifest.workload, []).append(manifest)
    return {name: Workload(name, tuple(actions)) for name, actions in sorted(members.items())}


def workload(name: str, actions_dir: Traversable | None = None) -> Workload:
    """The workload of this name. Raises UnknownNameError."""
    known = workloads(actions_dir)
    if name not in known:
        raise UnknownNameError("workload", name, known, hint=_listed(actions_dir))
    return known[name]


def _listed(actions_dir: Traversable | None) -> str:
    return _LISTED if actions_dir is None else f"owray workloads --actions-dir {actions_dir} lists them"
