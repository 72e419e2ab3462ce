"""The embedded platform's knobs as options of `owray up local`: one table, read in both directions.

`given` turns what was typed into overrides of the profile (see cluster.openwhisk.embedded.config), `shown` turns overrides back into what
could have been typed. Overrides hold plain JSON, since they are kept in the lab's state.

The table has no option for `concurrency`: containers here serve one call at a time, and a range of 1 to 1 is no choice.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

_SIZE = re.compile(r"(\d{1,15}(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)", re.IGNORECASE | re.ASCII)
_BYTES = {"t": 1 << 40, "g": 1 << 30, "m": 1 << 20, "k": 1 << 10, "b": 1}
_DURATION = re.compile(r"(\d{1,15}(?:\.\d+)?)\s*(ms|s|m|h)", re.IGNORECASE | re.ASCII)
_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_CELL = re.compile(r"([a-z]+):(\d{1,9}):([^:]+)", re.ASCII)


class Unreadable(ValueError):
    """What was typed is none of what is meant; the text says what would be."""


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one sort are typed. `parse` raises Unreadable."""

    metavar: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class KnobOption:
    """One row of the table: the option, the knob that it turns, how it is typed, what it does."""

    option: str
    knob: str
    form: Form
    help: str


def size(unit: int) -> Form:
    """Sizes such as 512m or 4g, as a whole number of units of so many bytes."""

    def parse(text: str) -> int:
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise Unreadable(f"{text!r} is no size; sizes look like 512m or 4g")
        exact = float(match[1]) * _BYTES[(match[2] or "b").lower()] / unit
        if 0 < exact < 1:
            raise Unreadable(f"{text!r} is less than {show(1)}, the least there is here")
        return round(exact)

    def show(value: int) -> str:
        return _in_units(value * unit, {name: count for name, count in _BYTES.items() if count >= unit})

    return Form("SIZE", parse, show)


def _duration(text: str) -> int:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise Unreadable(f"{text!r} is no duration; durations look like 500ms, 3s or 10m")
    return round(float(match[1]) * _MS[match[2].lower()])


def _signed_duration(text: str) -> int:
    return -_duration(text.strip()[1:]) if text.strip().startswith("-") else _duration(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise Unreadable(f"{text!r} is no number; numbers look like 60")
    return int(text)


def _yes_or_no(text: str) -> bool:
    try:
        return {"yes": True, "no": False}[text.strip().lower()]
    except KeyError:
        raise Unreadable(f"{text!r} is neither yes nor no") from None


def choice(*words: str) -> Form:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise Unreadable(f"{text!r} is none of {', '.join(words)}")
        return text

    return Form("|".join(words), parse, str)


def span(of: Form) -> Form:
    """The least, default and greatest value of an action's limit, such as 128m:256m:512m."""

    def parse(text: str) -> dict[str, Any]:
        parts = text.split(":")
        if len(parts) != len(_SPAN):
            raise Unreadable(f"{text!r} is no range; it takes the least, the default and the greatest value, with colons between")
        found = dict(zip(_SPAN, map(of.parse, parts), strict=True))
        if not found["least"] <= found["default"] <= found["greatest"]:
            raise Unreadable(f"{text!r} is no range; it goes from the least by the default to the greatest value")
        return found

    return Form("LEAST:DEFAULT:GREATEST", parse, lambda value: ":".join(of.show(value[part]) for part in _SPAN))


_SPAN = ("least", "default", "greatest")
_MIB = size(1 << 20)
_EXACT = size(1)
_TIME = Form("DURATION", _duration, lambda value: _in_units(value, _MS))
_SIGNED_TIME = Form("DURATION", _signed_duration, lambda value: _in_units(value, _MS))
_COUNT = Form("N", _count, str)
_SWITCH = Form("yes|no", _yes_or_no, lambda value: "yes" if value else "no")
_STORED = choice("always", "failures", "failures-not-application-errors")


def _cells(text: str) -> list[dict[str, Any]]:
    if text == "none":
        return []
    cells = [_CELL.fullmatch(cell) for cell in text.split(",")]
    if None in cells:
        raise Unreadable(f"{text!r} names no stem cells; they look like nodejs:2:256m (family, count, memory), or none")
    return [{"family": cell[1], "count": int(cell[2]), "memory_mb": _MIB.parse(cell[3])} for cell in cells if cell]


def _shown_cells(cells: list[dict[str, Any]]) -> str:
    return ",".join(f"{cell['family']}:{cell['count']}:{_MIB.show(cell['memory_mb'])}" for cell in cells) or "none"


OPTIONS = (
    KnobOption("--user-memory", "user_memory_mb", _MIB, "Memory for all containers together."),
    KnobOption("--invocations-per-minute", "invocations_per_minute", _COUNT, "Of a namespace, in a calendar minute."),
    KnobOption("--concurrent-invocations", "concurrent_invocations", _COUNT, "Of a namespace, in flight."),
    KnobOption("--fires-per-minute", "fires_per_minute", _COUNT, "Of a namespace's triggers, in a calendar minute."),
    KnobOption("--sequence-length", "sequence_length", _COUNT, "The most actions of a sequence."),
    KnobOption("--action-timeout", "timeout_ms", span(_TIME), "What an action's limit `timeout` may be."),
    KnobOption("--action-memory", "memory_mb", span(_MIB), "What an action's limit `memory` may be."),
    KnobOption("--action-logs", "logs_mb", span(_MIB), "What an action's limit `logs` may be."),
    KnobOption("--blocking-wait", "blocking_wait_ms", _TIME, "The longest that a blocking call waits before its 202."),
    KnobOption("--request-timeout", "request_timeout_ms", _TIME, "Then a request that still waits is answered by 503."),
    KnobOption("--body-timeout", "body_timeout_ms", _TIME, "How long a request's body may take to arrive."),
    KnobOption("--payload", "payload_bytes", _EXACT, "The largest payload of a call."),
    KnobOption("--result", "result_bytes", _EXACT, "The largest result of a call."),
    KnobOption("--parameters", "parameter_bytes", _EXACT, "The most parameters, and annotations, of an entity."),
    KnobOption("--code", "code_bytes", _EXACT, "The most code of an action."),
    KnobOption("--parallel-starts", "parallel_starts", _COUNT, "How many containers may be starting at once."),
    KnobOption("--container-start-delay", "container_start_delay_ms", _TIME, "What `docker run` would take; 300ms to 1s is usual there."),
    KnobOption("--start-timeout", "start_timeout_ms", _TIME, "How long a container's start may take."),
    KnobOption("--pauses", "pauses", _SWITCH, "Whether idle containers are paused."),
    KnobOption("--pause-grace", "pause_grace_ms", _TIME, "How long a container is idle before it is paused."),
    KnobOption("--idle-container", "idle_container_ms", _TIME, "How long it is then kept."),
    KnobOption("--prewarm-upkeep", "prewarm_upkeep_ms", _TIME, "How often it is looked how many stem cells are wanted."),
    KnobOption("--stem-cells", "stem_cells", Form("CELLS", _cells, _shown_cells), "Containers started unasked: nodejs:2:256m,... or none."),
    KnobOption("--warm-choice", "warm_choice", choice("arbitrary", "latest"), "Which of several warm containers serves a call."),
    KnobOption("--memory-limit", "memory_limit", choice("auto", "cgroup", "rlimit", "none"), "How an action's memory is bounded."),
    KnobOption("--oom-wait", "oom_wait_ms", _TIME, "How long a broken container's reason is looked for before the answer."),
    KnobOption("--log-store", "log_store", choice("docker-cli", "file", "driver"), "How logs get into records; with driver, not at all."),
    KnobOption("--log-delay", "log_delay_ms", _TIME, "What reading the logs would take; the container is busy for so long."),
    KnobOption("--store-blocking", "store_blocking", _STORED, "Which blocking calls get a record."),
    KnobOption("--store-non-blocking", "store_non_blocking", _STORED, "Which other calls get a record."),
    KnobOption("--activation-store", "activation_store_mb", _MIB, "Memory for records; beyond it the oldest are dropped."),
    KnobOption("--clock-skew", "clock_skew_ms", _SIGNED_TIME, "How far the OpenWhisk invoker's clock is ahead of the controller's."),
    KnobOption("--python-3", "python_3", _SWITCH, "Whether Python's kind is called python:3."),
    KnobOption("--healthy-invokers", "healthy_invokers", _COUNT, "What /invokers/healthy/count says."),
)
_BY_KNOB = {each.knob: each for each in OPTIONS}


def given(typed: Mapping[str, str | None]) -> dict[str, Any]:
    """Overrides from what was typed, by knob; what was not is left out. Raises typer.BadParameter, with the option's name."""
    overrides = {}
    for knob, text in typed.items():
        if text is None:
            continue
        try:
            overrides[knob] = _BY_KNOB[knob].form.parse(text)
        except Unreadable as error:
            raise typer.BadParameter(f"{_BY_KNOB[knob].option}: {error}") from None
    return overrides


def shown(overrides: Mapping[str, Any]) -> str:
    """Overrides as options that could have been typed, in the table's order; empty where there are none."""
    return " ".join(f"{each.option} {each.form.show(overrides[each.knob])}" for each in OPTIONS if each.knob in overrides)


def taking_knobs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the table's options. They reach it parsed, all in its parameter `overrides`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "overrides"]
    added = [
        inspect.Parameter(
            each.knob,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(each.option, metavar=each.form.metavar, help=each.help)],
        )
        for each in OPTIONS
    ]

    @functools.wraps(command)
    def parsed(**arguments: Any) -> None:
        typed = {knob: arguments.pop(knob, None) for knob in _BY_KNOB}
        command(**arguments, overrides=given(typed))

    parsed.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]  # where inspect.signature looks
    return parsed


def _in_units(value: int, units: Mapping[str, int]) -> str:
    """Whole units, the greatest that fit; the units' last is the least there is."""
    if value == 0:
        return f"0{list(units)[-1]}"
    return next(f"{value // unit}{name}" for name, unit in units.items() if value % unit == 0)
