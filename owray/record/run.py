"""A run: the folder of evidence of one storm.

    <runs>/run=<id>/run.json                              what was asked, and what became of it (`Manifest`)
    <runs>/run=<id>/plan.parquet                          the calls of a listed plan (`owray.record.listed`)
    <runs>/run=<id>/calls/node=<node>/part-*.parquet      the rows; only whole files bear such a name
    <runs>/run=<id>/hosts/*.parquet                       samples of the machines
    <runs>/run=<id>/journal/node=<node>/                  journals and marks, while the storm is played
    <runs>/run=<id>/set-aside/node=<node>/                journals that a recovery could not read

Ids are the time of the start in UTC, to 1/65536 s, so that they sort by time: 20261123-111203-a7f2.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from owray.plan.recipe import Plan, Recipe
from owray.problems import Problem
from owray.record.durable import sync_folder, write_atomically
from owray.record.early_end import EarlyEnd
from owray.record.journal import CLOSED_SUFFIX, MARK_SUFFIX, OPEN_SUFFIX

MANIFEST_VERSION = 1
LATEST = "latest"
ALL = "all"

Status = Literal["running", "ended", "aborted", "recovered"]

_PREFIX = "run="
_ID_FORMAT = "%Y%m%d-%H%M%S"

# Credentials have no place in a manifest, but command lines and URLs that carry them might be put there.
_SECRETS = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:[A-Za-z0-9]+|(?<=://)[^/@\s\"]+:[^/@\s\"]+(?=@)")
_LEFT_OUT = "(left out)"


class RunNotFound(Problem):
    """No run of that name, or more than one."""


class ManifestError(Problem):
    """A run.json that cannot be read."""


def new_run_id(now: datetime) -> str:
    """An id for a run that starts now (an aware datetime)."""
    utc = now.astimezone(UTC)
    return f"{utc.strftime(_ID_FORMAT)}-{utc.microsecond * 65536 // 1_000_000:04x}"


def request_id(run: str, seq: int) -> str:
    """The X-Request-ID that call `seq` carries, so that a server's log can be a witness."""
    return f"{run}-{seq}"


def home_folder() -> Path:
    """What owray keeps for its user: $OWRAY_HOME, or ~/.owray."""
    home = os.environ.get("OWRAY_HOME")
    return Path(home) if home else Path.home() / ".owray"


def runs_folder(chosen: Path | None = None) -> Path:
    """Where runs live: as chosen, or $OWRAY_HOME/runs, or ~/.owray/runs."""
    return chosen if chosen is not None else home_folder() / "runs"


@dataclass(frozen=True, slots=True)
class Manifest:
    """run.json: everything about a run that is not a row. Times are ISO 8601 in UTC.

    `t0_utc` is when the plan began, None until that is agreed. `early_end` says why the storm ended before its plan, if it did. `options`
    is what the storm was told, `owner` the process that plays it, `asked_by` the command that asked for it and can be told to end it (see
    `owray.record.players.this_process`), `preflight` and `prewarm` what was found and done before the first call of the plan,
    `fleet` what each invoker did, `verdict` what the judge says (`Verdict.to_json`), `objectives` what became of those that the storm was
    given (`Result.to_json`), `tags` the names that people gave the run (see `owray.record.tags`).
    """

    run: str
    recipe: Recipe
    started_at: str
    status: Status = "running"
    t0_utc: str | None = None
    ended_at: str | None = None
    early_end: EarlyEnd | None = None
    command: tuple[str, ...] = ()
    invokers: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: Mapping[str, Any] | None = None
    asked_by: Mapping[str, Any] | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    platform: Mapping[str, Any] = field(default_factory=dict)
    preflight: Mapping[str, Any] | None = None
    prewarm: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[Mapping[str, Any], ...] = ()
    clock: tuple[Mapping[str, Any], ...] = ()
    fleet: tuple[Mapping[str, Any], ...] = ()
    verdict: Mapping[str, Any] | None = None
    objectives: tuple[Mapping[str, Any], ...] = ()
    recovery: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()

    @property
    def t0_us(self) -> int | None:
        """When the plan began, in microseconds since 1970."""
        if self.t0_utc is None:
            return None
        return (datetime.fromisoformat(self.t0_utc) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    @property
    def target_url(self) -> str | None:
        """What lists and reports call the target of a run; None where the manifest does not tell."""
        return self.target.get("api_host")

    def to_json(self) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        early_end = None if self.early_end is None else asdict(self.early_end)
        return {"schema": MANIFEST_VERSION, **values, "recipe": self.recipe.to_json(), "early_end": early_end}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Raises ManifestError. Keys that this version does not know are left aside."""
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if schema != MANIFEST_VERSION:
            newer = isinstance(schema, int) and schema > MANIFEST_VERSION
            who = "a newer owray" if newer else "another version of owray"
            cure = ".  (upgrade owray to read it)" if newer else ""
            raise ManifestError(f"it was written by {who} (schema {schema}, and this one reads {MANIFEST_VERSION}){cure}")
        try:
            manifest = msgspec.convert(data, cls)
            Plan(manifest.recipe)
            _ = manifest.t0_us
        except (TypeError, ValueError) as problem:  # msgspec's are ValueErrors
            raise ManifestError(f"it cannot be understood ({' '.join(str(problem).split())})") from problem
        return manifest


@dataclass(frozen=True, slots=True)
class _Tagged:
    """What of run.json a name is looked for in: all runs are asked for it."""

    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def create(cls, runs: Path, now: datetime, recipe: Recipe, **values: Any) -> RunFolder:
        """A new run that starts now, with its first manifest; `values` are more of it. Raises OSError, and then leaves nothing."""
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            run = new_run_id(now)
            folder = cls(runs / f"{_PREFIX}{run}")
            try:
                folder.path.mkdir()
                break
            except FileExistsError:
                now += timedelta(microseconds=16)
        try:
            folder.save(Manifest(run=run, recipe=recipe, started_at=now.astimezone(UTC).isoformat(), **values))
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return folder

    @property
    def run(self) -> str:
        return self.path.name.removeprefix(_PREFIX)

    def calls(self, node: str) -> Path:
        """Where parts of a node go."""
        return self.path / "calls" / f"node={node}"

    def journals(self, node: str) -> Path:
        """Where the invokers of a node write, and leave their marks."""
        return self.path / "journal" / f"node={node}"

    @property
    def plan(self) -> Path:
        """Where the calls of a listed plan are; a recipe that is made from numbers has no such file."""
        return self.path / "plan.parquet"

    @property
    def hosts(self) -> Path:
        return self.path / "hosts"

    def parts(self) -> list[Path]:
        """All finished parts, in order of their names."""
        return sorted(self.path.glob("calls/node=*/part-*.parquet"))

    def samples(self) -> list[Path]:
        """The samples of the machines, one file a node."""
        return sorted(self.hosts.glob("*.parquet"))

    def journal_files(self) -> list[Path]:
        """All journals that are not converted yet, closed or open."""
        return sorted(path for path in self.path.glob("journal/node=*/*") if path.name.endswith((CLOSED_SUFFIX, OPEN_SUFFIX)))

    def marks(self) -> list[Path]:
        return sorted(self.path.glob(f"journal/node=*/*{MARK_SUFFIX}"))

    def set_aside(self, journal: Path) -> Path:
        """Put a journal where no conversion looks for it; its new place."""
        place = self.path / "set-aside" / journal.parent.name / journal.name
        place.parent.mkdir(parents=True, exist_ok=True)
        journal.rename(place)
        sync_folder(place.parent)
        return place

    def journals_set_aside(self) -> list[Path]:
        return sorted(self.path.glob("set-aside/node=*/*"))

    def load(self) -> Manifest:
        """Raises ManifestError, which names the file."""
        path = self.path / "run.json"
        try:
            return Manifest.from_json(json.loads(path.read_text()))
        except (ManifestError, OSError, ValueError) as problem:
            raise ManifestError(f"cannot read {path}: {problem}") from problem

    def tags(self) -> tuple[str, ...]:
        """The names that people gave this run, whichever version wrote it; none where run.json cannot be read. Nothing else is read."""
        try:
            return msgspec.json.decode((self.path / "run.json").read_bytes(), type=_Tagged).tags
        except (OSError, ValueError):  # msgspec's are ValueErrors
            return ()

    def save(self, manifest: Manifest) -> None:
        """Replace run.json at once: a reader sees the old or the new one. What looks like a credential is left out."""
        text = json.dumps(manifest.to_json(), indent=2, allow_nan=False)
        write_atomically(self.path / "run.json", _SECRETS.sub(_LEFT_OUT, text) + "\n")

    def update(self, **changes: Any) -> Manifest:
        """Change fields of the manifest."""
        manifest = replace(self.load(), **changes)
        self.save(manifest)
        return manifest

    def remove_journals(self) -> None:
        """Take away the journal folder of a run that is complete: marks are of no use any more.

        Raises OSError where a journal is left: rows are never thrown away.
        """
        for mark in self.marks():
            mark.unlink()
        for folder in [*self.path.glob("journal/node=*"), *self.path.glob("journal")]:
            folder.rmdir()


def list_runs(runs: Path) -> list[RunFolder]:
    """All runs, oldest first. Raises RunNotFound where they cannot be looked at."""
    try:
        os.scandir(runs).close()  # `glob` finds nothing in what is no folder, and says nothing
        return [RunFolder(path) for path in sorted(runs.glob(f"{_PREFIX}*")) if (path / "run.json").exists()]
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise RunNotFound(f"cannot look for runs in {runs}: {problem.strerror}.  (--runs-dir names another place)") from problem


def find_runs(runs: Path, names: str = LATEST) -> list[RunFolder]:
    """The runs called `names`: "all", or names as `find_run` takes them with commas between. Each run comes once. Raises RunNotFound."""
    if names == ALL:
        return _some_runs(runs)
    found = [find_run(runs, name.strip()) for name in names.split(",") if name.strip()]
    if not found:
        raise RunNotFound(f"no run is named {names!r}.  (owray runs lists them)")
    return list(dict.fromkeys(found))


def find_run(runs: Path, name: str = LATEST) -> RunFolder:
    """The run called `name`: "latest", a tag, an id, or the beginning of exactly one id. Raises RunNotFound."""
    known = _some_runs(runs)
    if name == LATEST:
        return known[-1]
    found = [folder for folder in known if folder.run.startswith(name.removeprefix(_PREFIX))]
    exact = [folder for folder in found if folder.run == name.removeprefix(_PREFIX)]
    if not found:
        return _tagged(known, name)
    if len(found) > 1 and not exact:
        raise RunNotFound(f"{name!r} begins {len(found)} runs: {_some(found)}. Give more of its id  (owray runs lists them)")
    return (exact or found)[0]


def runs_played_by(pids: Iterable[int]) -> list[str]:
    """Ids of the runs that these processes of this machine play, in whatever folder they are: those whose marks they hold open."""
    held = {path for pid in pids for path in _open_files(pid) if path.suffix == MARK_SUFFIX}
    return sorted({run.name.removeprefix(_PREFIX) for path in held for run in path.parents if run.name.startswith(_PREFIX)})


def _open_files(pid: int) -> Iterator[Path]:
    """None of a process that has ended, or is another user's."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                yield descriptor.readlink()


def _some_runs(runs: Path) -> list[RunFolder]:
    known = list_runs(runs)
    if not known:
        raise RunNotFound(f"there are no runs in {runs} yet.  (owray storm makes one)")
    return known


def _tagged(known: list[RunFolder], name: str) -> RunFolder:
    """The latest run with this tag. Raises RunNotFound, with the name that may have been meant."""
    tags = {tag: folder for folder in known for tag in folder.tags()}
    if name in tags:
        return tags[name]
    close = difflib.get_close_matches(name, [*tags, *(folder.run for folder in known)], n=1)
    meant = f"Did you mean {close[0]!r}?" if close else f"The latest is {known[-1].run!r}"
    raise RunNotFound(f"no run named {name!r}. {meant}  (owray runs lists them)")


def _some(folders: list[RunFolder]) -> str:
    names = [folder.run for folder in folders[:3]]
    return ", ".join(names) + (", ..." if len(folders) > len(names) else "")
