"""What commands print with --json is what docs/json.md says: held against JSON Schemas, of which the page is made."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import jsonschema
import pytest
import typer.core
import typer.main
from support import schemas
from support.labs import running_lab
from support.machines import CLI
from support.runs import finished_run, new_run, planned_rows, recipe, record

import cli
from cluster.lab import LocalOptions
from cluster.state import LabFolder

MARKER = "<!-- From here on"
ELSEWHERE = {"runs"}
"""Commands whose documents are written down elsewhere."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a lab that has knobs of its own."""
    home = tmp_path_factory.mktemp("json") / "home"
    with running_lab(home, "local", LocalOptions(overrides={"user_memory_mb": 1024})):
        yield home


@pytest.fixture
def printed(home):
    """What a command prints on its output stream, held against the schema of its name."""

    def run(command, *arguments, code=0, **variables):
        environment = {**os.environ, "OWRAY_HOME": str(home), **variables}
        words = [sys.executable, CLI, command, *map(str, arguments), "--json"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return schemas.check(command, done.stdout)

    return run


def speaking_json(group: typer.core.TyperGroup) -> Iterator[str]:
    for name, command in group.commands.items():
        if any("--json" in parameter.opts for parameter in command.params):
            yield name


def test_every_command_that_speaks_json_has_its_schema():
    assert set(speaking_json(typer.main.get_command(cli.build()))) - ELSEWHERE == set(schemas.schemas())


@pytest.mark.parametrize("command", sorted(schemas.schemas()))
def test_a_schema_is_one_and_says_what_every_key_means(command):
    schema = schemas.schemas()[command]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"owray {command} --json"
    assert [key for key, _, meaning in schemas._rows(schema, "") if not meaning and not key.endswith("*")] == []


def test_the_page_is_made_of_the_schemas(checkout):
    page = checkout / "docs" / "json.md"
    text, marker, rest = page.read_text().partition(MARKER)
    line = rest.partition("\n")[0]
    wanted = f"{text}{marker}{line}\n\n{schemas.sections()}"
    if os.environ.get("OWRAY_GOLDEN") == "write":
        page.write_text(wanted)
    assert page.read_text() == wanted


def test_a_key_that_is_not_written_down_is_found():
    with pytest.raises(jsonschema.ValidationError, match="novel"):
        schemas.check("status", json.dumps({"version": 1, "labs": [], "novel": 1}))


def test_doctor(printed):
    document = printed("doctor")
    assert document["counts"]["wrong"] == 0
    assert sum(document["counts"].values()) == len(document["findings"])


def test_workloads(printed):
    assert {each["workload"] for each in printed("workloads")["workloads"]} >= {"genomics", "micro"}


def test_a_lab_brought_up_shown_and_removed(printed, home, tmp_path):
    assert printed("up", "local")["lab"]["name"] == "local"
    (lab,) = printed("status")["labs"]
    assert (lab["condition"], lab["overrides"]) == ("up", {"user_memory_mb": 1024})
    LabFolder(home, "two").make()
    damaged = {lab["name"]: lab for lab in printed("status", code=1)["labs"]}["two"]
    assert (damaged["platform"], damaged["cores"]) == (None, None)
    assert printed("down", "--lab", "two")["labs"]["two"]["was_there"] is True
    assert printed("status", OWRAY_HOME=str(tmp_path / "empty")) == {"version": 1, "labs": []}


def test_recover(printed, tmp_path):
    assert printed("recover", "all", "--runs-dir", tmp_path) == {"version": 1, "runs": []}
    broken = new_run(tmp_path)
    record(broken, list(planned_rows(recipe()))[:60]).close()
    judged_late = finished_run(tmp_path, fleet=({"invoker": 0, "node": "0"},))
    first, second = printed("recover", "all", "--runs-dir", tmp_path)["runs"]
    assert (first["run"], first["recovery"]["found"], first["verdict"]["level"]) == (broken.run, 60, "INVALID")
    assert (second["run"], second["status"], second["recovery"]) == (judged_late.run, "ended", None)
    assert printed("recover", first["run"], "--runs-dir", tmp_path) == {"version": 1, "runs": []}


def test_storm(printed, tmp_path):
    document = printed("storm", "--rps", 20, "--calls", 20, "--action", "noop", "--runs-dir", tmp_path)
    assert document["summary"]["planned"] == 20
    unanswered = printed("storm", "--rps", 5, "--calls", 3, "--action", "sleep", "--timeout", "1ms", "--runs-dir", tmp_path, code=3)
    assert unanswered["summary"]["breakdown"] is None
    assert unanswered["summary"]["response_all"]["max_us"] == "inf"
