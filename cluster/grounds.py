"""From what a command was told to the OpenWhisk and the Ray that it uses.

    target   the OpenWhisk alone, for a command that only asks it something
    lend     both for the time of one storm. Whatever the target is, the Ray is a lab's: of the one that is up, else of one that is
             borrowed, with a platform where nothing names another, without where the target is somebody's own

The rule that picks the target is owray.openwhisk.choice's; here is only what it has to be told of labs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import lab as labs
from cluster.lab import Lab, LocalOptions
from cluster.starting import Say
from cluster.state import LabError, meant
from owray.openwhisk.choice import Asked, Choice, LabPlatform, choose, no_target
from owray.openwhisk.inspect import check
from owray.openwhisk.target import Target, read_wskprops


@dataclass(frozen=True, slots=True)
class Lent:
    """The OpenWhisk that a storm is played on, and the lab whose Ray it is played from."""

    target: Target
    lab: Lab


def target(home: Path, asked: Asked) -> Choice:
    """The target of a command that needs one. Raises TargetError and LabError."""
    chosen = choose(asked, os.environ, lambda: _platform(_find(home, asked.lab)))
    if chosen is None:
        raise no_target()
    return chosen


@contextmanager
def lend(home: Path, asked: Asked, say: Say) -> Iterator[Lent]:
    """A target and a Ray; says which target is used, and why.

    Raises TargetError, LabError, and OpenWhiskError for a target of one's own that cannot be used. Only for the main thread, as labs.lend.
    """
    chosen = choose(asked, os.environ, lambda: _platform(_find(home, asked.lab)))
    if chosen is not None:
        say(chosen.line)
        if not chosen.of_lab:
            asyncio.run(check(chosen.target))  # before a lab is brought up for one that cannot be used
    elif _find(home, asked.lab) is not None:  # it has a Ray alone: a second lab would only be in its way
        raise no_target()
    options = LocalOptions() if chosen is None else LocalOptions(openwhisk="none")
    with labs.lend(home, asked.lab or labs.DEFAULT_NAME, options, say) as lab:
        if chosen is None:
            chosen = Choice(read_wskprops(lab.wskprops), "borrowed for this storm: nothing else is named", of_lab=True)
            say(chosen.line)
        yield Lent(chosen.target, lab)


def _find(home: Path, named: str | None) -> Lab | None:
    """The lab of this name, or the local one, None where that is not up. Raises LabError for a named one that is not."""
    lab = labs.find(home, named or labs.DEFAULT_NAME)
    if named is not None:
        if lab is None:
            raise LabError(f"no lab named '{named}' is up.{meant(home, named)}  (owray up local --lab {named} makes it)")
        if lab.openwhisk == "none":
            raise LabError(f"lab '{named}' has no OpenWhisk, only a Ray.  (leave out --lab, and name a target by --api-host)")
    return lab


def _platform(lab: Lab | None) -> LabPlatform | None:
    return None if lab is None or lab.openwhisk == "none" else LabPlatform(lab.name, lab.wskprops)
