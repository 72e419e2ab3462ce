"""owray shows what an Apache OpenWhisk deployment can carry: plan, fire, record, judge, ask.

What was measured can be asked from Python, a notebook for one:

    import owray

    owray.runs()                                                  the runs there are
    storm = owray.load("latest")                                  or an id, a tag, "all", "a,b"
    storm.sql("select count(*) as n from calls").rows()           rows as dicts
    storm.sql("from calls where service_us > $us", us=9000).df()  a pandas data frame
    storm.query("cold_starts", min_calls=5).arrow()               a question with a name, as an Arrow table

Importing owray loads nothing heavy; `load` does.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from owray.ask.notebook import Result, Runs

try:
    __version__ = version("owray")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+checkout"


def load(run: str = "latest", runs_dir: str | Path | None = None) -> Runs:
    """Open one or more runs to be asked: an id, the beginning of one, a tag, "latest", "all", or names with commas between.

    `runs_dir` is where runs live ($OWRAY_HOME/runs, else ~/.owray/runs). Raises RunNotFound, ManifestError or BrokenFile for a run that
    cannot be read, and TypeError for a `run` that is no text: None is not taken for the latest.
    """
    from owray.ask.notebook import Runs

    return Runs(run, runs_dir)


def runs(runs_dir: str | Path | None = None) -> Result:
    """The runs there are, oldest first. Raises ManifestError."""
    from owray.ask.notebook import list_all

    return list_all(runs_dir)
