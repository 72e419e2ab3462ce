"""What load is asked for: the options that say how many calls are due when, read into a shape.

    --rps R                          a constant rate
    --ramp A:B:TIME                  from A to B calls a second in TIME
    --stages 'R:TIME,A:B:TIME,...'   levels and ramps one after another; 0:TIME is a pause
    --sine MEAN:SWING:PERIOD         a rate that swings around its mean
    --burst N,N,... --gap TIME       bursts of calls due at once
    --calls N --at-once              one burst
    --concurrency N --think TIME     no rate: a closed loop of so many users
    --plan, --trace                  what was planned elsewhere (owray.storm.listing); here it has its shape already

One of them says the rate. A ramp, stages and bursts bring their own duration; `--calls` ends any of them early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from owray.plan.closed import MOST_USERS, Closed
from owray.plan.recipe import MOST_CALLS, Arrivals, Recipe
from owray.plan.shapes import Bursts, Listed, Ramp, Shape, Sine, Stages
from owray.storm.bad_request import BadRequest, seconds

DEFAULT_RPS = 10.0
DEFAULT_DURATION_S = 10.0

MOST_RPS = 1e6

_AT_ONCE_S = 1.0
"""How long a plan of one burst lasts: rates are told by it, and nothing else."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A shape that was planned elsewhere, by `option`; whether the plan also says what each call goes to."""

    option: str
    shape: Shape
    names_actions: bool = False

    @property
    def is_listed(self) -> bool:
        return isinstance(self.shape, Listed)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The options as given; None where one was not."""

    rps: float | None = None
    duration_s: float | None = None
    calls: int | None = None
    arrivals: Arrivals = "constant"
    ramp: str | None = None
    stages: str | None = None
    sine: str | None = None
    burst: str | None = None
    gap_s: float | None = None
    at_once: bool = False
    concurrency: int | None = None
    think_s: float | None = None
    elsewhere: Elsewhere | None = None

    def __post_init__(self) -> None:
        shape = self.shape()
        if self.arrivals != "constant" and isinstance(shape, Bursts):
            raise BadRequest(f"--arrivals {self.arrivals}: the calls of a burst are due at once; there is nothing to space")
        if self.arrivals != "constant" and isinstance(shape, Listed):
            raise BadRequest(f"--arrivals {self.arrivals}: {self._option()} says itself when each call is due")
        if not shape.expected_calls() > 0:
            raise BadRequest(f"{self._option()}: this plans no call")
        if MOST_CALLS < self.planned < math.inf:
            raise BadRequest(f"a storm of {self.planned:,.0f} calls is more than the {MOST_CALLS:,} that one run may have; make it shorter")

    def shape(self) -> Shape | Closed:
        """Raises BadRequest, which names the option and the place in it."""
        given = self._given()
        if len(given) > 1:
            raise BadRequest(f"{' and '.join(given)}: one of them says how many calls are due when")
        if self.calls is not None and self.calls < 1:
            raise BadRequest(f"--calls is to be at least 1, not {self.calls}")
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise BadRequest(f"--duration is to be above zero, not {self.duration_s:g} s")
        if self.gap_s is not None and self.burst is None:
            raise BadRequest("--gap lies between bursts: --burst says how many calls each has")
        if self.think_s is not None and self.concurrency is None:
            raise BadRequest("--think is between two calls of a user: --concurrency says how many users there are")
        option = self._option()
        if self.duration_s is not None and (option in _OWN_DURATION or self.elsewhere is not None):
            raise BadRequest(f"--duration: {option} says itself how long it lasts")
        if self.elsewhere is not None:
            return self.elsewhere.shape
        return _READERS[option](self)

    @property
    def planned(self) -> float:
        """How many calls, or about how many where arrivals are random; inf of a closed loop that time ends, since nobody knows."""
        planned = self.shape().expected_calls()
        return planned if self.calls is None else min(planned, self.calls)

    @property
    def planned_s(self) -> float:
        """How long the plan lasts, or about how long where calls are counted."""
        shape = self.shape()
        if self.calls is None:
            return shape.duration_s
        if isinstance(shape, Ramp) and shape.start_rps == shape.end_rps:
            return min(shape.duration_s, self.calls / shape.start_rps)
        return shape.duration_s

    def _given(self) -> list[str]:
        given = {
            "--rps": self.rps is not None,
            "--ramp": self.ramp is not None,
            "--stages": self.stages is not None,
            "--sine": self.sine is not None,
            "--burst": self.burst is not None,
            "--at-once": self.at_once,
            "--concurrency": self.concurrency is not None,
        }
        there = [] if self.elsewhere is None else [self.elsewhere.option]
        return [name for name, is_given in given.items() if is_given] + there

    def given(self) -> list[str]:
        """The options that say when calls are due, as far as they were given; `--calls` only ends them."""
        others = {"--duration": self.duration_s is not None, "--gap": self.gap_s is not None, "--arrivals": self.arrivals != "constant"}
        return [*self._given(), *(name for name, is_given in others.items() if is_given)]

    def _option(self) -> str:
        return next(iter(self._given()), "--rps")


def _level(load: LoadRequest) -> Shape:
    rps = DEFAULT_RPS if load.rps is None else load.rps
    if not 0 < rps <= MOST_RPS:
        raise BadRequest(f"--rps is to be above zero and at most {MOST_RPS:,.0f}, not {rps:g}")
    duration_s = load.duration_s
    if duration_s is None:
        duration_s = DEFAULT_DURATION_S if load.calls is None else Recipe.duration_of(load.calls, rps)
    return Ramp(rps, rps, duration_s)


def _ramp(load: LoadRequest) -> Shape:
    text = load.ramp or ""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 3:
        raise BadRequest(f"--ramp {text!r}: one looks like 0:5000:60s, from no call to 5,000 calls a second in a minute")
    return _piece("--ramp", text)


def _stages(load: LoadRequest) -> Shape:
    text = load.stages or ""
    return Stages(tuple(_piece(f"--stages, part {number}", part.strip()) for number, part in enumerate(text.split(","), 1)))


def _piece(place: str, text: str) -> Ramp:
    """ "1000:30s" is a level, "0:1000:30s" a line."""
    *rates, time = (part.strip() for part in text.split(":"))
    if not 1 <= len(rates) <= 2:
        raise BadRequest(f"{place}: {text!r} is no stage; one looks like 1000:30s (a level) or 0:1000:30s (a line)")
    start_rps, end_rps = _rate(place, rates[0]), _rate(place, rates[-1])
    return Ramp(start_rps, end_rps, _time(place, time))


def _sine(load: LoadRequest) -> Shape:
    text = load.sine or ""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 3:
        raise BadRequest(f"--sine {text!r}: one looks like 1000:500:60s, 1,000 calls a second and 500 more or fewer, a wave a minute")
    mean_rps, amplitude_rps, period_s = _rate("--sine", parts[0]), _rate("--sine", parts[1]), _time("--sine", parts[2])
    if not mean_rps > 0 or amplitude_rps > mean_rps:
        raise BadRequest(f"--sine {text!r}: the swing is at most the mean, which is above zero")
    return Sine(mean_rps, amplitude_rps, period_s, load.duration_s or period_s)


def _burst(load: LoadRequest) -> Shape:
    text = load.burst or ""
    sizes = tuple(_count("--burst", part.strip()) for part in text.split(","))
    if len(sizes) > 1 and load.gap_s is None:
        raise BadRequest("--burst of several needs --gap, the time from one to the next")
    if load.gap_s is not None and not 0 < load.gap_s < math.inf:
        raise BadRequest(f"--gap is to be above zero, not {load.gap_s:g} s")
    return Bursts(sizes, load.gap_s or _AT_ONCE_S)


def _at_once(load: LoadRequest) -> Shape:
    if load.calls is None:
        raise BadRequest("--at-once needs --calls, how many")
    if load.calls > MOST_CALLS:
        raise BadRequest(f"--calls is at most {MOST_CALLS:,}, not {load.calls:,}")
    return Bursts((load.calls,), _AT_ONCE_S)


def drop_after(late: str) -> float | None:
    """What `--late` says: None for `send`, else the seconds of `drop:TIME`. Raises BadRequest."""
    policy, colon, time = late.strip().partition(":")
    if policy == "send" and not colon:
        return None
    if policy == "drop" and colon:
        return seconds(time, "--late")
    raise BadRequest(f"--late {late!r}: it is send (late calls are sent all the same) or drop:2s (those 2 s late are not sent)")


def _closed(load: LoadRequest) -> Closed:
    users, think_s = load.concurrency or 0, load.think_s or 0.0
    if not 1 <= users <= MOST_USERS:
        raise BadRequest(f"--concurrency is to be between 1 and {MOST_USERS:,} users, not {users:,}")
    if load.arrivals != "constant":
        raise BadRequest(f"--arrivals {load.arrivals}: a user of --concurrency calls when it is free; there is nothing to space")
    if load.calls is not None and load.duration_s is not None:
        raise BadRequest("--calls and --duration: one of them ends a closed loop (--concurrency)")
    if load.calls is not None:
        return Closed(users, think_s)
    return Closed(users, think_s, DEFAULT_DURATION_S if load.duration_s is None else load.duration_s)


_READERS: Mapping[str, Callable[[LoadRequest], Shape | Closed]] = {
    "--rps": _level,
    "--ramp": _ramp,
    "--stages": _stages,
    "--sine": _sine,
    "--burst": _burst,
    "--at-once": _at_once,
    "--concurrency": _closed,
}
_OWN_DURATION = {"--ramp", "--stages", "--burst", "--at-once"}


def _rate(place: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise BadRequest(f"{place}: {text!r} is no number of calls a second") from None
    if not 0 <= rate <= MOST_RPS:
        raise BadRequest(f"{place}: a rate lies between 0 and {MOST_RPS:,.0f} calls a second, not {text}")
    return rate


def _time(place: str, text: str) -> float:
    time_s = seconds(text, place)
    if not 0 < time_s < math.inf:
        raise BadRequest(f"{place}: a duration is above zero, not {text!r}")
    return time_s


def _count(place: str, text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise BadRequest(f"{place}: {text!r} is no number of calls")
    return int(text)
