"""What is said of a storm that cannot be, and durations as people write them."""

from __future__ import annotations

import re

from owray.problems import Problem

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)


class BadRequest(Problem):
    """A storm that cannot be; the text names cause and fix."""


def seconds(text: str, option: str) -> float:
    """ "500ms", "10s", "2m" or "1h", as given to an option. Raises BadRequest."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise BadRequest(f"{option}: {text!r} is no duration; one looks like 500ms, 10s, 2m or 1h")
    if match[2] is None:
        raise BadRequest(f"{option}: {text!r} has no unit; {match[1]} seconds are {match[1]}s, and there are ms, m and h")
    return float(match[1]) * _UNITS_S[match[2]]
