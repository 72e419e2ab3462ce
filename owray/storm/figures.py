"""The figures that a preflight is about: what a storm asks for, what calls have shown, what there is, and what is found of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

COARSE_MS = 1.0
"""A record's duration is the difference of two times that are cut to whole milliseconds: it may be this much too long, or too short."""


class Fit(StrEnum):
    """What a finding means for the storm. SPOILS refuses it."""

    FITS = "fits"
    DOUBTFUL = "doubtful"
    SPOILS = "spoils"


class Accuracy(StrEnum):
    """How far the calls a second of a ceiling can be believed; AT_LEAST where calls were too short to be measured."""

    EXACT = ""
    ABOUT = "about "
    AT_LEAST = "at least "


@dataclass(frozen=True, slots=True)
class Demand:
    """The storm: `rps` at its highest, `burst` calls due at once. `spent_calls` are those made before it on the same account; `is_fired`
    says that its calls fire a trigger."""

    rps: float
    planned: int
    length_s: float
    timeout_ms: int
    max_in_flight: int | None = None
    invokers: int = 1
    is_random: bool = False
    burst: int = 0
    spent_calls: int = 0
    is_fired: bool = False

    def at_once(self, seconds_a_call: float) -> float:
        """Calls under way at a time, on average: Little's law, at least a burst, bounded by the plan and by the user's own cap."""
        cap = math.inf if self.max_in_flight is None else self.max_in_flight
        return min(max(self.rps * seconds_a_call, self.burst), self.planned, cap)

    def at_work(self, seconds_a_call: float) -> float:
        """The same without bursts: what a platform that lets a burst queue must do at a time."""
        return replace(self, burst=0).at_once(seconds_a_call)

    def swell(self, mean: float) -> float:
        """What a mean comes to at times: three standard deviations more where arrivals are random."""
        return mean + 3 * math.sqrt(mean) if self.is_random else mean


@dataclass(frozen=True, slots=True)
class Measured:
    """One action, as a few calls have shown it. Times are those of warm calls, in milliseconds; empty where none was of use.

    `share` is the part of the storm's calls that go to it, `cpu_ms` what the function itself reports as computing.
    """

    name: str
    share: float
    payload_bytes: int
    duration_ms: tuple[float, ...] = ()
    service_ms: tuple[float, ...] = ()
    cpu_ms: tuple[float, ...] = ()
    memory_mb: int | None = None
    time_limit_ms: int | None = None

    @property
    def least_s(self) -> float:
        return max(0.0, min(self.duration_ms, default=0.0) - COARSE_MS) / 1000

    @property
    def mean_s(self) -> float:
        return fmean(self.duration_ms or (0.0,)) / 1000


@dataclass(frozen=True, slots=True)
class Supply:
    """Platform and machine. None is "not told". `profile` names that of owray's own platform, None for any other OpenWhisk.

    `descriptors` is for each invoker, `ports` for all of them together.
    """

    calls_a_minute: int | None = None
    concurrent_calls: int | None = None
    memory_mb: int | None = None
    payload_bytes: int | None = None
    cores: int | None = None
    descriptors: int | None = None
    ports: int | None = None
    profile: str | None = None
    namespace: str = "_"
    fires_a_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Cure:
    """What lifts a ceiling: an option of `owray up local` for owray's own platform, and words for what is no knob of it."""

    knob: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One finding. `rps` is where it would be reached, None where it does not depend on the rate or cannot be told."""

    what: str
    asked: str
    has: str
    level: Fit = Fit.FITS
    rps: float | None = None
    accuracy: Accuracy = Accuracy.EXACT
    cure: Cure = Cure()
    note: str = ""

    @property
    def sentence(self) -> str:
        return self.note or f"{self.what}: {self.asked} asked for, {self.has} there"

    @property
    def reached_at(self) -> str:
        """The rate as people read it: rounded where it is an estimate."""
        if self.rps is None:
            return "-"
        shown = self.rps if self.accuracy is Accuracy.EXACT else rounded(self.rps)
        return f"{self.accuracy}{number(shown)}"


def rounded(value: float) -> float:
    """To two significant digits, downwards."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / step + 1e-9) * step


def number(value: float) -> str:
    """As people read it: no decimals from ten on."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"
