"""A manifest that somebody wrote: it is an action, or a ManifestError in one line that names its folder."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from owray.openwhisk.catalogue import ManifestError, UnknownNameError, load
from owray.plan.mix import Entry
from owray.plan.recipe import Plan
from owray.storm.choose import entries
from owray.storm.load import LoadRequest
from owray.storm.request import StormRequest

EXAMPLES = int(os.environ.get("OWRAY_FUZZ", "500"))

GOOD = {
    "": {
        "workload": '"micro"',
        "description": '"adds"',
        "kind": '"python:default"',
        "source": '"code.py"',
        "main": '"main"',
        "weight": "2",
        "default_size": '"small"',
    },
    "limits": {"memory_mb": "128", "timeout_ms": "1_000", "logs_mb": "0"},
    "sizes": {"small": "{}", "large": "{ n = 3 }"},
    "expected": {"small": '{ 1 = "0badcafe", 2 = "c0ffee00" }'},
}
ODD = (
    '""',
    '"x"',
    '"\\u0000"',
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "9" * 25,
    "true",
    "[]",
    "[1]",
    "{}",
    '{ a = "b" }',
    "{ x = 1 }",
    "1979-05-27",
    "=",
    '"',
)
KEYS = ("extra", "main", "weight", "sizes", "limits", '"odd key"', "a.b")


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """The good one with some lines missing, odd, new or torn."""
    lines: list[str] = []
    for table, values in GOOD.items():
        if table and draw(st.integers(0, 14)):
            lines.append(f"[{table}]")
        for key, value in values.items():
            what = draw(st.integers(0, 24))
            if what:
                lines.append(f"{key} = {draw(st.sampled_from(ODD)) if what == 1 else value}")
        if not draw(st.integers(0, 9)):
            lines.append(f"{draw(st.sampled_from(KEYS))} = {draw(st.sampled_from(ODD))}")
    text = "\n".join(lines)
    return text if draw(st.integers(0, 9)) else text[: draw(st.integers(0, len(text)))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("actions") / "adds"
    folder.mkdir()
    (folder / "code.py").write_text("def main(args):\n    return {}\n")
    return folder


@settings(max_examples=EXAMPLES, deadline=None, derandomize="OWRAY_FUZZ" not in os.environ, suppress_health_check=list(HealthCheck))
@given(text=manifests(), size=st.sampled_from([None, "small", "large", "huge"]))
def test_any_manifest_is_an_action_that_can_be_planned_or_refused_in_one_line(folder: Path, text: str, size: str | None):
    (folder / "manifest.toml").write_text(text)
    mix = mix_of(folder, size)
    if isinstance(mix, str):
        assert str(folder) in mix
        assert "\n" not in mix
        return
    recipe = StormRequest(action="adds", load=LoadRequest(calls=3)).recipe(mix)
    assert sum(len(window) for window in Plan(recipe).windows()) == 3


def mix_of(folder: Path, size: str | None) -> tuple[Entry, ...] | str:
    """What a storm of the action would be made of, or what is wrong with it."""
    try:
        manifest = load(folder)
    except ManifestError as error:
        return str(error)
    try:
        return entries((manifest,), size)
    except UnknownNameError:
        return entries((manifest,), None)
