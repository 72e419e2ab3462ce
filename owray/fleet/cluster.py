"""The Ray cluster that a storm is played on, and the driver's connection to it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from owray.problems import Problem

NAMESPACE = "owray"


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Its address ("host:port", never "auto": that finds anybody's), and what Ray must find in the environment: where its token is."""

    address: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    cores: tuple[int, ...] = ()
    """Cores that invokers may be pinned to; empty where nothing was set aside for them."""


class NoCluster(Problem):
    """Ray cannot be reached."""


class StartFailed(Problem):
    """An invoker could not get ready; the storm never began."""


class FleetLost(Problem):
    """The coordinator died or could not go on: what rows there are is in the run's journals and parts."""

    exit_code = 4


@contextmanager
def connected(cluster: RayCluster) -> Iterator[None]:
    """Be this cluster's driver for a while. Raises NoCluster.

    Ray reads its environment when it is imported, so nothing may import it before (a RuntimeError says so: the wrong environment shows
    as a hang). Other RAY_* variables would be meant for other Rays. Meanwhile nothing can be printed: where a process dies Ray says so on
    the output stream, in the midst of what is somebody's JSON.
    """
    theirs = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    if theirs != dict(cluster.environment):
        if "ray" in sys.modules:
            raise RuntimeError("ray was imported before its environment was set")
        for name in theirs:
            del os.environ[name]
        os.environ.update(cluster.environment)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), _driving(cluster):
        yield


@contextmanager
def _driving(cluster: RayCluster) -> Iterator[None]:
    import ray

    try:
        ray.init(
            address=cluster.address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise NoCluster(f"Ray at {cluster.address} cannot be reached: {problem}.  (owray status tells what is up)") from problem
    try:
        yield
    finally:
        ray.shutdown()
