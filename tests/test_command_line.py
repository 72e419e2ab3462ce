"""The command line as a whole: its help in the order of use, its version, and what a shell offers when TAB is pressed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from support.golden import is_golden
from support.runs import finished_run

import cli
import owray
from cluster.state import LabFolder
from owray.commands import groups

BASH = """
source <(owray --show-completion)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_owray_completion owray
printf '%s\\n' "${COMPREPLY[@]}"
"""
HEAVY = {"ray", "duckdb", "aiohttp", "rich"}


@pytest.fixture
def shell(tmp_path, checkout):
    """Runs a program with an `owray` on PATH, in a home of its own."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "owray"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{checkout / "cli.py"}" "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "OWRAY_HOME": str(tmp_path / "home"),
        "COLUMNS": "80",
    }

    def run(*command, **variables):
        return subprocess.run(command, env=environment | variables, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def tab(shell):
    """What bash offers for the last of the words."""

    def offered(*words):
        done = shell("bash", "-c", BASH, "bash", "owray", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return offered


def test_the_help_shows_the_commands_in_the_order_of_use(shell):
    text = shell("owray", "--help").stdout
    assert len(text.splitlines()) < 40
    assert is_golden("help.txt", text)


def test_without_a_command_the_help_is_shown(shell):
    assert "Set up:" in shell("owray").stderr


def test_every_command_has_its_place_in_the_help():
    group = typer.main.get_command(cli.build())
    assert isinstance(group, groups.InOrder)
    assert "More" not in groups.in_sections(group.commands)
    assert {name for names in groups.in_sections(group.commands).values() for name in names} == set(group.commands)


def test_a_command_without_a_place_is_shown_all_the_same():
    assert groups.in_sections(["storm", "novel"]) == {"Storm": ["storm"], "More": ["novel"]}


def test_the_version_is_told(shell):
    assert shell("owray", "--version").stdout == f"owray {owray.__version__}\n"


def test_commands_and_options_are_offered(tab):
    assert tab("st") == ["status", "storm"]
    assert tab("storm", "--warm") == ["--warmup"]


def test_names_of_the_catalogue_are_offered(tab):
    assert {"align", "noop"} <= set(tab("storm", "--action", ""))
    assert tab("storm", "--action", "al") == ["align"]
    assert "genomics" in tab("storm", "--workload", "")
    assert set(tab("storm", "--action", "align", "--size", "")) == {"small", "medium", "large"}
    assert "timeline" in tab("query", "t")


def test_labs_are_offered(tab, tmp_path):
    LabFolder(tmp_path / "home", "two").make()
    for command in ("storm", "down", "status"):
        assert set(tab(command, "--lab", "")) == {"local", "two"}


def test_runs_are_offered_newest_first_also_of_another_folder(tab, tmp_path):
    one, two = (finished_run(tmp_path / "elsewhere") for _ in range(2))
    assert tab("query", "--runs-dir", str(tmp_path / "elsewhere"), "--run", "") == ["latest", two.run, one.run]
    assert tab("recover", "--runs-dir", str(tmp_path / "elsewhere"), "") == ["latest", two.run, one.run, "all"]
    assert tab("query", "--run", "") == ["latest"]


def test_what_cannot_be_known_is_not_offered_and_is_no_error(tab):
    assert tab("storm", "--action", "no-such-action", "--size", "") == []


@pytest.mark.parametrize("words", ["storm --action ", "storm --lab ", "query --run ", "query ", "storm --size "])
def test_a_shell_does_not_wait_for_anything_heavy(checkout, words, tmp_path):
    script = (
        "import json, sys, cli\n"
        "try:\n"
        "    cli.main()\n"
        "except SystemExit as end:\n"
        "    print(json.dumps([end.code, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    variables = {"COMP_WORDS": f"owray {words}", "COMP_CWORD": str(words.count(" ") + 1), "_OWRAY_COMPLETE": "complete_bash"}
    environment = {**os.environ, "OWRAY_HOME": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY & set(loaded) == set()


def test_completion_is_installed_for_the_shell_that_asks(shell, tmp_path):
    done = shell("bash", "-c", "owray --install-completion; exit $?")
    assert done.returncode == 0, done.stderr
    assert "_OWRAY_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "owray.sh").read_text()
    interactive = "source ~/.bashrc; complete -p owray"
    assert shell("bash", "-c", interactive).stdout == "complete -o default -F _owray_completion owray\n"


def test_a_shell_that_has_no_completion_is_refused_in_one_line(shell):
    done = shell("sh", "-c", "owray --show-completion; exit $?")
    assert done.returncode == 1
    assert done.stderr.startswith("owray: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_program_is_the_one_of_this_checkout(checkout):
    assert Path(cli.__file__) == checkout / "cli.py"


def test_closed_standard_streams_are_no_reason_to_fail(checkout, tmp_path):
    command = f"exec {sys.executable} {checkout / 'cli.py'} sql <&- 2>&-"
    ended = subprocess.run(["/bin/sh", "-c", command], env={**os.environ, "OWRAY_HOME": str(tmp_path)}, stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
