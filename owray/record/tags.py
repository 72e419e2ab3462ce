"""Tags: names that people give to runs, by which `--run` finds them. A tag names one run at most; it is kept in run.json.

A tag begins with a letter, so that it can never be the beginning of an id.
"""

from __future__ import annotations

import re
from pathlib import Path

from owray.problems import Problem
from owray.record.recover import at_rest
from owray.record.run import ALL, LATEST, RunFolder, RunNotFound, find_run, list_runs

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_TAKEN = (LATEST, ALL)


class WrongTag(Problem):
    """A text that cannot be a tag, or one that names another run."""


def tag(runs: Path, name: str, label: str) -> RunFolder:
    """Let `label` name the run called `name`. Raises WrongTag, RunNotFound, and StillPlaying for a run that is being played."""
    folder = find_run(runs, name)
    if not _TAG.fullmatch(label) or label in _TAKEN:
        raise WrongTag(f"a tag is a letter and up to 63 letters, digits, dots, dashes or underscores, not 'latest' or 'all': not {label!r}")
    owner = tagged(runs, label)
    if owner is not None and owner != folder:
        raise WrongTag(f"{label!r} is the tag of run {owner.run}.  (owray runs untag {label})")
    with at_rest(folder) as manifest:
        folder.update(tags=tuple(dict.fromkeys([*manifest.tags, label])))
    return folder


def untag(runs: Path, label: str) -> RunFolder:
    """Take a tag away; gives the run that had it. Raises RunNotFound, and StillPlaying for a run that is being played."""
    folder = tagged(runs, label)
    if folder is None:
        raise RunNotFound(f"no run has the tag {label!r}.  (owray runs lists them)")
    with at_rest(folder) as manifest:
        folder.update(tags=tuple(each for each in manifest.tags if each != label))
    return folder


def tagged(runs: Path, label: str) -> RunFolder | None:
    """The run that has this tag."""
    return next((folder for folder in list_runs(runs) if label in folder.tags()), None)
