"""The options that turn the platform's knobs: read as people write them, shown as they could have been typed, none forgotten."""

import json
from dataclasses import asdict, fields

import pytest
import typer
from hypothesis import given as for_all
from hypothesis import strategies as some
from support.api import BASE, serving

from cluster.commands.knobs import OPTIONS, given, shown
from cluster.openwhisk.embedded.config import MIB, PROFILES, PUBLIC_GUEST, Knobs, PlatformConfig

TURNED = {
    "user_memory_mb": "4g",
    "invocations_per_minute": "7",
    "concurrent_invocations": "8",
    "fires_per_minute": "9",
    "sequence_length": "10",
    "timeout_ms": "200ms:2s:3m",
    "memory_mb": "64m:128m:1g",
    "logs_mb": "0m:1m:2m",
    "blocking_wait_ms": "30s",
    "request_timeout_ms": "40s",
    "body_timeout_ms": "10s",
    "payload_bytes": "2m",
    "result_bytes": "3m",
    "parameter_bytes": "4k",
    "code_bytes": "5m",
    "parallel_starts": "3",
    "container_start_delay_ms": "500ms",
    "start_timeout_ms": "20s",
    "pauses": "no",
    "pause_grace_ms": "1s",
    "idle_container_ms": "1m",
    "prewarm_upkeep_ms": "5m",
    "stem_cells": "nodejs:1:256m,python:2:128m",
    "warm_choice": "latest",
    "memory_limit": "none",
    "oom_wait_ms": "100ms",
    "log_store": "file",
    "log_delay_ms": "10ms",
    "store_blocking": "failures",
    "store_non_blocking": "failures-not-application-errors",
    "activation_store_mb": "64m",
    "clock_skew_ms": "-3s",
    "python_3": "yes",
    "healthy_invokers": "1",
}
BY_KNOB = {each.knob: each for each in OPTIONS}


def test_every_knob_but_the_one_without_a_choice_has_an_option():
    assert {each.knob for each in OPTIONS} == {knob.name for knob in fields(Knobs)} - {"concurrency"} == set(TURNED)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """A platform whose every knob is turned."""
    with serving(tmp_path_factory.mktemp("platform"), "standalone", **given(TURNED)) as api:
        yield api


def test_every_knob_reaches_the_platform_and_is_told_by_it(turned, tmp_path):
    overrides = given(TURNED)
    told = turned.request("GET", "/", auth=None).json
    wanted = PlatformConfig(tmp_path, (PUBLIC_GUEST,), profile="standalone", overrides=overrides).knobs()
    assert told["embedded"]["knobs"] == json.loads(json.dumps(asdict(wanted)))
    assert not [knob for knob in TURNED if getattr(wanted, knob) == getattr(PROFILES["standalone"], knob)], "these were not turned"


def test_conformance_34_every_limit_that_is_told_is_the_configured_one(turned):
    least = {"min_action_duration": 200, "min_action_memory": 64 * MIB, "min_action_logs": 0}
    greatest = {"max_action_duration": 180_000, "max_action_memory": 1024 * MIB, "max_action_logs": 2 * MIB}
    limits = least | greatest
    assert turned.request("GET", "/", auth=None).json["limits"] == {
        "actions_per_minute": 7,
        "concurrent_actions": 8,
        "triggers_per_minute": 9,
        "sequence_length": 10,
        **limits,
        **{f"default_{name}": value for name, value in limits.items()},
    }
    assert turned.request("GET", f"{BASE}/limits").json == {
        "invocationsPerMinute": 7,
        "concurrentInvocations": 8,
        "firesPerMinute": 9,
        "minActionMemory": 64,
        "maxActionMemory": 1024,
        "minActionLogs": 0,
        "maxActionLogs": 2,
        "minActionTimeout": 200,
        "maxActionTimeout": 180_000,
        "minActionConcurrency": 1,
        "maxActionConcurrency": 1,
        "maxParameterSize": "4096 B",
        "maxActionInstances": 8,
    }


def test_overrides_are_shown_as_they_can_be_typed_again():
    words = shown(given(TURNED)).split()
    typed = dict(zip(words[::2], words[1::2], strict=True))
    assert {each.option: TURNED[each.knob] for each in OPTIONS} == typed
    assert shown({}) == ""


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profiles_own_values_survive_being_shown_and_typed(profile):
    values = {knob: value for knob, value in asdict(PROFILES[profile]).items() if knob in BY_KNOB}
    cells = values.pop("stem_cells")
    again = {knob: BY_KNOB[knob].form.parse(BY_KNOB[knob].form.show(value)) for knob, value in values.items()}
    assert again == values
    assert BY_KNOB["stem_cells"].form.parse(BY_KNOB["stem_cells"].form.show(cells)) == [
        {name: cell[name] for name in ("family", "count", "memory_mb")} for cell in cells
    ]


@for_all(some.integers(0, 2**40))
def test_numbers_of_every_unit_survive_being_shown_and_typed(value):
    for knob in ("user_memory_mb", "payload_bytes", "log_delay_ms", "clock_skew_ms", "fires_per_minute"):
        form = BY_KNOB[knob].form
        assert form.parse(form.show(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"), [("512m", 512), ("4g", 4096), ("4G", 4096), ("1.5GB", 1536), ("2 gib", 2048), ("1t", 1048576), ("2048k", 2)]
)
def test_sizes_are_read_as_people_write_them(text, expected):
    assert given({"user_memory_mb": text}) == {"user_memory_mb": expected}


@pytest.mark.parametrize(
    ("text", "expected"), [("500ms", 500), ("3s", 3000), ("1.5 S", 1500), ("10m", 600_000), ("0s", 0), ("1h", 3_600_000)]
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert given({"log_delay_ms": text}) == {"log_delay_ms": expected}


@pytest.mark.parametrize(
    ("knob", "text", "hint"),
    [
        *(
            ("user_memory_mb", text, "--user-memory: .*512m or 4g")
            for text in ("", "4", "g", "b", "-1g", "4 gigabytes", "1e3m", "٣m", "9" * 400 + "m")
        ),
        ("user_memory_mb", "4k", "less than 1m"),
        *(("log_delay_ms", text, "500ms, 3s or 10m") for text in ("", "3", "s", "-3s", "3 seconds")),
        *(("fires_per_minute", text, "numbers look like 60") for text in ("", "-1", "1.5", "٣", "9" * 5000)),
        ("timeout_ms", "1s:2s", "with colons between"),
        ("timeout_ms", "1s:3s:2s", "from the least by the default to the greatest"),
        ("pauses", "maybe", "neither yes nor no"),
        ("warm_choice", "newest", "none of arbitrary, latest"),
        ("stem_cells", "nodejs", "nodejs:2:256m"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(knob, text, hint):
    with pytest.raises(typer.BadParameter, match=hint):
        given({knob: text})


def test_the_platforms_page_has_every_option_with_its_value_in_each_profile(checkout):
    page = (checkout / "docs" / "embedded-openwhisk.md").read_text()
    values = [asdict(PROFILES[profile]) for profile in ("standalone", "helm", "bench")]
    for each in OPTIONS:
        cells = [each.form.show(knobs[each.knob]) for knobs in values]
        assert f"| `{each.option}` | {' | '.join(cells)} | {each.help} |\n" in page
