"""docs/first-hour.md, typed in from its first command to its last by somebody who has nothing yet."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from support.shell import Done, Shell, Step, commands, steps
from support.tls_front import own_openwhisk
from support.xml import tree

from cluster.lab import DEFAULT_NAME, down
from cluster.state import lab_names

EXAMPLE_HOST = "openwhisk.example:443"
EXAMPLE_KEY = "YOUR-UUID:YOUR-KEY"
KEY_IN_CI = "${{ secrets.WHISK_AUTH }}"
TRIES = 4
OF_THE_SHELL = ("WHISK_", "WSK_", "OWRAY_", "SSL_CERT", "PYTHON")
"""Beginnings of variables that a new user has not set."""


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "first-hour.md").read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("first-hour")


@pytest.fixture(scope="module")
def typed(page, place, checkout):
    """Every step and how it ended, up to the first that did not end as the page says."""
    done = []
    with own_openwhisk(place / "own") as own, Shell(place / "shell", folder=checkout, environment=newcomer(place)) as shell:
        try:
            for step in steps(page.replace(EXAMPLE_HOST, own.api_host.removeprefix("https://")).replace(EXAMPLE_KEY, own.auth)):
                done.append((step, follow(shell, step, own, place)))
                if done[-1][1].exit_code != step.exit_code:
                    break
        finally:
            if DEFAULT_NAME in lab_names(place / ".owray"):
                down(place / ".owray", DEFAULT_NAME, lambda line: None)
    return done


def newcomer(home: Path) -> dict[str, str]:
    """The environment of a user whose home is empty; `python` and `owray` are those of this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_SHELL)}
    return kept | {"HOME": str(home), "OWRAY_HOME": str(home / ".owray"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def follow(shell, step, own, place) -> Done:
    """A storm is played again where the machine was too busy for it."""
    if step.language == "sh":
        return believed(shell, step.text, step.exit_code)
    if step.language == "python":
        (place / "notebook.py").write_text(step.text)
        return shell.run(f"python '{place}/notebook.py'")
    return job(shell, step, own)


def believed(shell, command, exit_code) -> Done:
    for _ in range(TRIES if "owray storm" in command else 1):
        done = shell.run(command)
        if done.exit_code == exit_code and "verdict    INVALID" not in done.said:
            break
    return done


def job(shell, step, own) -> Done:
    """The steps of a job that run owray, each in a shell below this one, as a CI server would."""
    for each in yaml.safe_load(step.text)["jobs"]["storm"]["steps"]:
        run = each.get("run", "").replace("owray/.venv/bin/owray", "owray")
        if not run.startswith("owray "):
            continue
        variables = {**each["env"], "SSL_CERT_FILE": own.certificate}
        exports = [f"export {name}={str(value).replace(KEY_IN_CI, own.auth)}" for name, value in variables.items()]
        done = believed(shell, f"({'; '.join([*exports, run])})", 0)
        if done.exit_code:
            return done
    return done


def said_by(typed, words) -> list[str]:
    return [done.said for step, done in typed if words in step.text]


def test_every_command_ends_as_the_page_says(typed, page):
    last, done = typed[-1]
    assert done.exit_code == last.exit_code, f"{last.text}\n{done.said}"
    assert len(typed) == len(list(steps(page)))


def test_nothing_that_it_shows_is_a_traceback_or_a_key(typed, place):
    secret = re.search("AUTH=.*:(.*)", (place / "first-hour" / "mine.wskprops").read_text())[1]
    assert [step.text for step, done in typed if "Traceback" in done.said or secret in done.said] == []


def test_the_results_of_the_own_function_were_checked(typed):
    said = said_by(typed, "--duration 5s\n")[0]
    assert "100 ok (100 with their result checked)" in said


def test_a_certificate_that_nobody_trusts_is_refused_until_it_is_trusted(typed):
    refused, unchecked, trusted = said_by(typed, "owray target")
    assert "self-signed certificate" in refused
    assert "its certificate is not checked (--insecure)" in unchecked
    assert "(WSK_CONFIG_FILE)" in trusted


def test_the_report_for_ci_has_a_case_for_the_verdict_and_each_objective(typed, place):
    assert "all objectives are met" in said_by(typed, "case $code in")[0]
    root = tree((place / "first-hour" / "storm.xml").read_text())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "0", "0")  # that of the job: it came later


def test_the_notebook_prints_the_run_and_its_slowest_calls(typed):
    (said,) = [done.said for step, done in typed if step.language == "python"]
    assert said.startswith("<owray: run ")
    assert "'action': '/_/factors'" in said


def test_no_lab_is_left(typed, place):
    assert typed
    assert lab_names(place / ".owray") == []


def test_the_job_makes_what_the_makefile_can_make(page, checkout):
    (text,) = [step.text for step in steps(page) if step.language == "yaml"]
    targets = [
        each["run"].split()[-1] for each in yaml.safe_load(text)["jobs"]["storm"]["steps"] if each.get("run", "").startswith("make ")
    ]
    assert targets == ["venv"]
    assert re.search("^venv:", (checkout / "Makefile").read_text(), re.MULTILINE)


def test_a_block_is_split_where_its_commands_end():
    script = "one \\\n    --two\ncat <<'EOF'\na && b\n\nEOF\nfor x in 1; do\n  echo $x\ndone\n"
    assert list(commands(script)) == ["one \\\n    --two\n", "cat <<'EOF'\na && b\n\nEOF\n", "for x in 1; do\n  echo $x\ndone\n"]
    assert next(steps("```sh\nfalse    # exit code 1\n```\n")) == Step("sh", "false    # exit code 1\n", 1)
