"""What any command does when nobody takes what it prints: a full disk is told with its cure, a reader who had enough is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.runs import finished_run
from support.storms import CLI, environment

import cli

LOST = "owray: cannot write the output: No space left on device.  (make room where it goes, or send it elsewhere)\n"
VALID = {"level": "VALID", "reasons": []}
COMMANDS = (
    "--help",
    "--version",
    "storm --help",
    "doctor",
    "doctor --json",
    "status",
    "down",
    "workloads",
    "workloads --json",
    "runs",
    "runs --json",
    "runs show",
    "runs sizes",
    "runs tag latest base",
    "runs rm latest --yes",
    "query",
    "query summary",
    "sql select(1)",
    "sql select(1) --format csv",
    "sql",
    "judge --slo ok>0%",
    "judge --slo ok>0% --json",
    "export --output calls.csv",
    "recover",
)


@pytest.fixture
def runs(tmp_path):
    """A folder with a run to ask."""
    finished_run(tmp_path / "home" / "runs", verdict=VALID)
    return tmp_path / "home" / "runs"


@pytest.fixture
def typed(monkeypatch, capsys, runs, tmp_path):
    """Runs a command line with this output, and a question on its standard input; gives exit code and errors."""
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    question = tmp_path / "question"
    question.write_text("select count(*) from calls;\n")

    def run(words, output):
        with question.open() as asked, monkeypatch.context() as streams:
            streams.setattr(sys, "stdin", asked)
            streams.setattr(sys, "stdout", output)
            return cli.main(words.split()), capsys.readouterr().err

    return run


@pytest.fixture
def full():
    """A file on a disk without room."""
    with Path("/dev/full").open("w") as file:
        yield file


@pytest.fixture
def gone():
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:  # noqa: PTH123 - a descriptor
        yield pipe


@pytest.mark.parametrize("words", COMMANDS)
def test_an_output_that_cannot_be_written_is_one_line_with_its_cure(typed, full, words):
    assert typed(words, full) == (1, LOST)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_reader_who_has_gone_away_changes_nothing_and_is_not_spoken_of(typed, gone, words):
    code, errors = typed(words, gone)
    assert errors == ""
    assert code in ((0, 1) if words.startswith("doctor") else (0,))  # the doctor's is as this machine is


def test_a_command_whose_reader_has_gone_away_does_all_of_its_work(typed, gone, runs):
    more = [finished_run(runs).run for _ in range(2)]
    assert typed(f"runs rm {' '.join(more)} --yes", gone) == (0, "")
    assert not {f"run={run}" for run in more} & {path.name for path in runs.iterdir()}


def test_a_verdict_that_nobody_reads_is_in_the_exit_code(typed, gone):
    assert typed("judge --slo p99<1us", gone) == (2, "")


@pytest.mark.parametrize("words", ["--version", "--show-completion bash", "runs"])
def test_a_process_ends_as_it_says(full, gone, tmp_path, words):
    """Python itself writes once more what is left in its buffers, and would fail at that."""

    def ended(output):
        command = ["/bin/bash", "-c", f"{sys.executable} {CLI} {words}; exit $?"]  # bash: completions are for the shell that asks
        done = subprocess.run(command, env=environment(tmp_path), stdout=output, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    assert (ended(full), ended(gone)) == ((1, LOST), (0, ""))


def test_a_full_disk_behind_both_streams_is_no_traceback(full):
    assert subprocess.run([sys.executable, str(CLI), "--version"], stdout=full, stderr=full, check=False).returncode == 1
