"""Whatever is typed: one clear line or an answer, never a traceback, and an exit code that has a meaning."""

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.runs import finished_run

import cli
import cluster.lab
from cluster.state import LabError

EXAMPLES = int(os.environ.get("OWRAY_FUZZ", "500")) // 2
"""`make test` plays always the same ones; `make fuzz` 5,000, others each time."""

CODES = range(7)
HOSTS = (
    "http://127.0.0.1:9",
    "https://[::1]:9",
    "http://",
    "127.0.0.1:0",
    "ftp://127.0.0.1",
    "http://u:p@127.0.0.1",
    "::",
    "http://127.0.0.1:9/x",
)
"""No name among them: nothing may be looked up anywhere."""

WORDS = (
    *("", " ", "-", "--", "x", "0", "1", "-1", "7", "1e3", "1e999", "nan", "inf", "-inf", "1_000", "9" * 30, "0x10", "true", "null"),
    *("{}", "[1]", '{"a": 1}', '{"a": ', "a=1", "=", "a=", "10s", "5m", "1ms", "s", "99999h", "-5s"),
    *("p99<500ms", "p99<", "ok>99.9%", "cold<1%/10s", "<", "%", "noop", "noob", "align", "genomics", "micro", "small", "tiny"),
    *("/_/x", "/guest/p/x", "//", "/", "a/b/c/d", "latest", "all", "a,b", "..", "../../etc/passwd", "/dev/null", "/dev/full"),
    *("/proc/self/mem", "/nonexistent/x", ".", "file.json", "file.jsonl", "file.parquet", "file.toml"),
    *("select 1", "select", "from calls", "summary", "summery", "local", "Local lab", "l" * 300, "nodejs:1:128m", "4g", "-4g", "1:2:3"),
    *("3:2:1", "bench", "table", "json", "parquet", "ä", "\udcff", "\u202e", "\n", "\t", "%s", "$HOME", "'", '"', ";", "#"),
)
GOOD = {
    "action": ("noop", "align"),
    "arrivals": ("constant", "poisson"),
    "mix": ("noop=1,align=2", "micro=1"),
    "streams": ("streams.toml",),
    "duration": ("1s", "500ms"),
    "name": ("summary", "timeline"),
    "output": ("out.csv",),
    "provider": ("local",),
    "profile": ("bench", "standalone"),
    "query": ("select 1", "from calls"),
    "run": ("latest", "2026"),
    "size": ("small",),
    "style": ("json", "csv"),
    "timeout": ("2s",),
    "warmup": ("0s", "100ms"),
    "workload": ("micro", "genomics"),
}
"""Values with which a command gets on, so that what comes after the reading of options is tried too."""

FILES = {
    "file.json": '{"a": [1, 2',
    "file.jsonl": '{"a": 1}\n[2]\n',
    "file.parquet": "PAR1 no more",
    "file.toml": "a = [",
    "streams.toml": '[[stream]]\nname = "a"\naction = "noop"\n',
}


def commands() -> dict[tuple[str, ...], list[Any]]:
    """Every command with its parameters, by path."""
    found: dict[tuple[str, ...], list[Any]] = {}

    def visit(command: Any, path: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", {})
        if path:
            found[path] = command.params
        for name, each in inner.items():
            visit(each, (*path, name))

    visit(typer.main.get_command(cli.build()), ())
    return found


COMMANDS = commands()


def values_of(parameter: Any) -> st.SearchStrategy[str]:
    names = " ".join((*parameter.opts, parameter.name or ""))
    if re.search(r"host|web", names):
        return st.sampled_from(HOSTS)
    good = st.sampled_from(GOOD.get(parameter.name or "", ("1",)))
    return good | good | good | st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0"), max_size=12)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    path = draw(st.sampled_from(sorted(COMMANDS)))
    words: list[str] = []
    for parameter in COMMANDS[path]:
        one_in = 5 if len(COMMANDS[path]) < 10 else 10
        if not parameter.required and draw(st.integers(1, one_in)) > 1:
            continue
        value = draw(values_of(parameter))
        if parameter.param_type_name == "argument":
            words.append(value)
        elif getattr(parameter, "is_flag", False):
            words.append(draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts])))
        else:
            words += [draw(st.sampled_from(parameter.opts)), value]
    if draw(st.integers(0, 9)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from(["--nonsense", "--hlep", "-z", "extra", "--"])))
    return [*path, *words]


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """A home with one run and an empty folder to be in, on a machine on which no lab can be made."""
    place = tmp_path_factory.mktemp("nowhere")
    (place / "home").mkdir()
    (place / "here").mkdir()
    finished_run(place / "owray" / "runs")

    def refuse(*_, **__):
        raise LabError("no lab can be made here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OWRAY_HOME", str(place / "owray"))
        patch.setenv("HOME", str(place / "home"))
        patch.setenv("TERM", "dumb")
        patch.delenv("WSK_CONFIG_FILE", raising=False)
        patch.chdir(place / "here")
        patch.setattr(cluster.lab, "lend", refuse)
        patch.setattr(cluster.lab, "up_local", refuse)
        yield place / "here"


@settings(max_examples=EXAMPLES, deadline=None, derandomize="OWRAY_FUZZ" not in os.environ, suppress_health_check=list(HealthCheck))
@given(arguments=command_lines())
def test_any_command_line_is_answered_or_refused_in_one_line(nowhere, arguments):
    for name, text in FILES.items():
        Path(name).write_text(text)
    code, told = run(arguments)
    assert code in CODES
    assert "Traceback" not in told
    if code == cli.USAGE and arguments[0] not in ("doctor", "status"):  # those two tell of trouble in their answer
        assert re.search(r"^owray: \S", told, re.MULTILINE), told


def run(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command and what it wrote to the error stream, in this process: thousands of them have to be quick."""
    with Path("stderr").open("w+") as errors, Path("stdout").open("w+") as output, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        patch.setattr(sys, "argv", ["owray", *arguments])
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = cli.main(arguments)
        errors.seek(0)
        return code, errors.read()
