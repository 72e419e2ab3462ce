"""How many connections this process may have open: each takes a file descriptor."""

from __future__ import annotations

import resource
from pathlib import Path

_SPARE = 64
"""Descriptors that are left for files, pipes and names to be looked up meanwhile."""


def raise_descriptor_limit() -> int:
    """Take all descriptors that the system allows this process; returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def connections_left() -> int:
    """How many more connections this process can open, its limit raised; at least one."""
    limit = raise_descriptor_limit()
    in_use = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return max(1, limit - in_use - _SPARE)
