"""The rate's minute is the calendar's: a scenario that crosses its end has seen nothing of use and is played again, on a fresh platform."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from support.api import Api

T = TypeVar("T")


def minute() -> int:
    return int(time.time()) // 60


def within_one_minute(new_platform: Callable[..., AbstractContextManager[Api]], scenario: Callable[[Api], T], **overrides: Any) -> T:
    """What the scenario has seen on a platform with the limits of `standalone`, unless `overrides` say otherwise."""
    for _ in range(4):
        with new_platform("standalone", **overrides) as api:
            before = minute()
            seen = scenario(api)
            if minute() == before:
                return seen
    raise AssertionError("four times in a row the scenario met the end of a minute")
