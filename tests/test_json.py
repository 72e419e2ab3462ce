"""What commands print with --json is what docs/json.md says: held against JSON Schemas, of which the page is made."""

import json
import os
from collections.abc import Iterator

import jsonschema
import pytest
import typer.core
import typer.main
from support import schemas
from support.labs import running_lab
from support.runs import finished_run, new_run, planned_rows, recipe, record
from support.storms import owray
from support.tls_front import own_openwhisk

import cli
from cluster.lab import LocalOptions
from cluster.state import LabFolder
from owray.record.early_end import EarlyEnd, Kind
from owray.record.players import this_process

MARKER = "<!-- From here on"
VALID = {"level": "VALID", "reasons": [], "notes": []}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a lab that has knobs of its own."""
    home = tmp_path_factory.mktemp("json") / "home"
    with running_lab(home, "local", LocalOptions(overrides={"user_memory_mb": 1024})):
        yield home


@pytest.fixture
def printed(home, monkeypatch, capsys):
    """What a command prints on its output stream, held against the schema of its name. It runs in this process."""

    def run(command, *arguments, code=0, **variables):
        with monkeypatch.context() as patch:
            for name, value in {"OWRAY_HOME": str(home), **variables}.items():
                patch.setenv(name, value)
            ended = cli.main([*command.split(), *map(str, arguments), "--json"])
        said = capsys.readouterr()
        assert ended == code, said.err
        return schemas.check(command, said.out)

    return run


@pytest.fixture
def printed_apart(home):
    """The same in a process of its own: of a storm, since one process cannot be driver of two Rays, or where SSL_CERT_FILE matters."""

    def run(command, *arguments, code=0, **variables):
        done = owray(command, *arguments, "--json", home=home, variables=variables)
        assert done.returncode == code, done.stderr
        return schemas.check(command, done.stdout)

    return run


def speaking_json(group: typer.core.TyperGroup) -> Iterator[str]:
    """Commands by name; what a group says alone, one of its commands says, too."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from (f"{name} {inner}" for inner in speaking_json(command))
        elif any("--json" in parameter.opts for parameter in command.params):
            yield name


def test_every_command_that_speaks_json_has_its_schema():
    assert set(speaking_json(typer.main.get_command(cli.build()))) == set(schemas.schemas())


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


def test_target(printed, printed_apart, tmp_path):
    assert printed("target")["reach"]["tls"] is None
    with own_openwhisk(tmp_path / "own") as own:
        wskprops = str(own.write_wskprops(tmp_path / "wskprops"))
        checked = printed_apart("target", WSK_CONFIG_FILE=wskprops, SSL_CERT_FILE=str(own.certificate))
        unchecked = printed("target", "--insecure", WSK_CONFIG_FILE=wskprops)
    assert (checked["reach"]["tls"]["checked"], checked["reach"]["tls"]["subject"]) == (True, "127.0.0.1")
    assert (unchecked["reach"]["tls"]["checked"], unchecked["reach"]["tls"]["subject"]) == (False, "")


def test_recover(printed, tmp_path):
    assert printed("recover", "all", "--runs-dir", tmp_path) == {"version": 1, "runs": []}
    broken = new_run(tmp_path)
    record(broken, list(planned_rows(recipe()))[:60]).close()
    judged_late = finished_run(tmp_path, fleet=({"invoker": 0, "node": "0"},))
    first, second = printed("recover", "all", "--runs-dir", tmp_path)["runs"]
    assert (first["run"], first["recovery"]["found"], first["verdict"]["level"]) == (broken.run, 60, "INVALID")
    assert (second["run"], second["status"], second["recovery"]) == (judged_late.run, "ended", None)
    assert first["recovery"]["set_aside"] == []
    assert printed("recover", first["run"], "--runs-dir", tmp_path) == {"version": 1, "runs": []}
    shown = printed("runs show", first["run"], "--runs-dir", tmp_path)["manifest"]
    assert (shown["recovery"], shown["early_end"]["kind"]) == (first["recovery"], "recovered")


def test_recover_where_a_journal_cannot_be_read(printed, tmp_path):
    broken = new_run(tmp_path)
    record(broken, list(planned_rows(recipe()))[:60]).close()
    (journal,) = broken.journal_files()
    journal.write_bytes(b"?" + journal.read_bytes()[1:])
    (report,) = printed("recover", "all", "--runs-dir", tmp_path)["runs"]
    assert report["recovery"]["set_aside"] == [f"set-aside/node=0/{journal.name}"]


def test_judge(printed, tmp_path):
    folder = finished_run(tmp_path, verdict=VALID)
    slo = ("--slo", "p50<1s", "--slo", "max<1us", "--slo", "p99.9<1s", "--slo", "noop:cold<1%", "--slo", "rps>1")
    document = printed("judge", *slo, "--runs-dir", tmp_path, code=2)
    assert (document["run"], document["verdict"]) == (folder.run, VALID)
    assert [each["state"] for each in document["objectives"]] == ["met", "missed", "undecided", "met", "met"]
    folder.update(status="aborted", early_end=EarlyEnd(Kind.INTERRUPTED, "SIGTERM"))
    assert printed("judge", *slo, "--runs-dir", tmp_path, code=4)["aborted"] == "SIGTERM"
    assert printed("runs show", "--runs-dir", tmp_path)["manifest"]["early_end"] == {"kind": "interrupted", "text": "SIGTERM"}


def test_runs_listed_and_measured(printed, tmp_path):
    assert printed("runs list", "--runs-dir", tmp_path) == {"version": 1, "runs": []}
    ended, going, broken_off, broken = (
        finished_run(tmp_path, verdict=VALID),
        new_run(tmp_path, owner=this_process(), asked_by=this_process()),
        new_run(tmp_path),
        new_run(tmp_path),
    )
    (broken.path / "run.json").write_text("{")
    document = printed("runs list", "--runs-dir", tmp_path)
    assert [(each["run"], each["status"]) for each in document["runs"]] == [
        (ended.run, "ended"),
        (going.run, "running"),
        (broken_off.run, "broken"),
        (broken.run, "unreadable"),
    ]
    sizes = printed("runs sizes", "--runs-dir", tmp_path)
    assert sizes["total_bytes"] == sum(each["total_bytes"] for each in sizes["runs"])
    ended.parts()[0].write_bytes(b"no part")
    assert printed("runs sizes", ended.run, "--runs-dir", tmp_path)["runs"][0]["rows"] is None
    shown = printed("runs show", going.run, "--runs-dir", tmp_path)
    assert (shown["status"], shown["manifest"]["verdict"], shown["manifest"]["early_end"]) == ("running", None, None)
    shown = printed("runs show", broken_off.run, "--runs-dir", tmp_path)
    assert (shown["status"], shown["manifest"]["status"]) == ("broken", "running")


def test_runs_named_and_removed(printed, tmp_path):
    folder = finished_run(tmp_path)
    assert printed("runs tag", "latest", "base", "--runs-dir", tmp_path) == {"version": 1, "run": folder.run, "tags": ["base"]}
    assert printed("runs untag", "base", "--runs-dir", tmp_path) == {"version": 1, "run": folder.run, "tags": []}
    (removed,) = printed("runs rm", "latest", "--yes", "--runs-dir", tmp_path)["removed"]
    assert (removed["run"], folder.path.exists()) == (folder.run, False)


def test_storm(printed, printed_apart, tmp_path):
    options = ("--rps", 20, "--calls", 20, "--action", "noop", "--prewarm", 1, "--runs-dir", tmp_path)
    document = printed_apart("storm", *options, "--slo", "p50<90s", "--slo", "p99<90s", "--force", code=2)
    assert document["summary"]["planned"] == 20
    assert [each["state"] for each in document["objectives"]] == ["met", "undecided"]
    shown = printed("runs show", "--runs-dir", tmp_path)
    assert (shown["manifest"]["verdict"], shown["manifest"]["fleet"]) == (document["verdict"], document["invokers"])
    assert (shown["manifest"]["objectives"], shown["sizes"]["rows"]) == (document["objectives"], 20)
    assert (shown["manifest"]["preflight"]["forced"], shown["manifest"]["prewarm"][0]["warm"]) == (False, 1)


def test_storm_without_an_answer(printed_apart, tmp_path):
    """Each call takes a second; time-outs are looked for twenty times a second, so a short one may well be ok."""
    calls = ("--rps", 5, "--calls", 3, "--action", "sleep", "--size", "large", "--timeout", "1ms", "--no-preflight")
    document = printed_apart("storm", *calls, "--slo", "max<1s", "--runs-dir", tmp_path, code=3)
    assert document["summary"]["breakdown"] is None
    assert document["summary"]["response_all"]["max_us"] == "inf"
    assert [(each["state"], each["value"]) for each in document["objectives"]] == [("missed", "inf")]
