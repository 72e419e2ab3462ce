"""Which cores of one machine are for what.

A generator that shares its core with what it measures reports its own delays as the platform's. So on one machine the invokers have
cores that nothing else of the lab may use; the platform, its containers and Ray share the rest. The platform's front, through which every
call goes, sits on the first core. With a single core there is nothing to divide, and everything shares it.

    cores   invokers        front   containers, Ray
    1       0               0       0
    2       1               0       0
    4       3               0       0 1 2
    8       6 7             0       0 1 2 3 4 5

A lab without a platform has nothing to share them with but Ray, whose helpers keep to the first core: all others are the invokers'.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Numbers of cores, as the kernel counts them, each group sorted."""

    invokers: tuple[int, ...]
    front: tuple[int, ...]
    containers: tuple[int, ...]
    ray: tuple[int, ...]


def divide(available: Iterable[int], *, platform: bool = True) -> Cores:
    """Divide the cores that may be used, with or without a platform among those who need some. Raises ValueError when there are none."""
    cores = tuple(sorted(set(available)))
    if not cores:
        raise ValueError("there is no core to run on")
    if not platform:
        return Cores(invokers=cores[1:] or cores, front=(), containers=(), ray=cores[:1])
    if len(cores) == 1:
        return Cores(cores, cores, cores, cores)
    kept = max(1, len(cores) // 4)
    shared = cores[:-kept]
    return Cores(invokers=cores[-kept:], front=shared[:1], containers=shared, ray=shared)


def of_this_process(*, platform: bool = True) -> Cores:
    """The division of the cores this process may run on (which respects taskset, cpusets and containers)."""
    return divide(os.sched_getaffinity(0), platform=platform)
