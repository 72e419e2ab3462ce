"""Storms of what a user has: an action, a web action, a trigger, a folder of actions; their rows, and that these can be asked."""

import http.client
import json
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from support.storms import Command, calls_of, lab_of, owray

from owray.openwhisk.target import read_wskprops

GREET = """
def main(args):
    if args.get("name") == "nobody":
        return {"error": "there is nobody"}
    return {"greeting": "hello " + str(args.get("name")), "n": args.get("n", 1)}
"""
MANIFEST = """
workload = "zoo"
description = "counts legs"
kind = "python:default"
source = "legs.py"
weight = 1
default_size = "small"
[limits]
memory_mb = 128
timeout_ms = 10_000
logs_mb = 0
[sizes]
small = { legs = 2 }
"""
SCHEMA = {"type": "object", "required": ["greeting", "n"], "properties": {"n": {"type": "integer"}}}
CALLS = 24
STORM = ("storm", "--rps", 20, "--calls", CALLS)


@pytest.fixture(scope="module")
def target(lab_home):
    """The lab's platform, with an action, alone and in a package, that is a web action too, and two triggers, one without a rule."""
    target = read_wskprops(lab_of(lab_home).wskprops)
    action = {"exec": {"kind": "python:default", "code": GREET}, "annotations": [{"key": "web-export", "value": True}]}
    private = {"exec": {"kind": "python:default", "code": GREET}}
    put(target, "packages/mine", {})
    put(target, "actions/mine/greet", action)
    put(target, "actions/private", private)
    put(target, "triggers/tick", {})
    put(target, "triggers/mute", {})
    put(target, "rules/on-tick", {"trigger": "/_/tick", "action": "/_/private"})
    return target


def put(target, path, body):
    connection = http.client.HTTPConnection(urlsplit(target.api_host).netloc, timeout=60)
    headers = {"Authorization": target.authorization, "Content-Type": "application/json"}
    connection.request("PUT", f"/api/v1/namespaces/_/{path}?overwrite=true", json.dumps(body), headers)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with parameters, a schema and an action."""
    place = tmp_path_factory.mktemp("files")
    (place / "names.jsonl").write_text('{"name": "ann"}\n{"name": "bob"}\n{"name": "nobody"}\n')
    (place / "schema.json").write_text(json.dumps(SCHEMA))
    (place / "actions" / "legs").mkdir(parents=True)
    (place / "actions" / "legs" / "manifest.toml").write_text(MANIFEST)
    (place / "actions" / "legs" / "legs.py").write_text("def main(args):\n    return {'legs': args['legs'], 'size': args['size']}\n")
    return place


@pytest.fixture(scope="module")
def played(lab_home, runs, target, files):
    """Storms by name: (result, run, rows)."""
    web = "/api/v1/web/guest/mine/greet.json"
    storms = {
        "action": ("--action", "mine/greet", "--params", files / "names.jsonl", "--expect", '{"greeting": "hello ann"}', "--force"),
        "web": ("--web", web, "--method", "GET", "--param", "name=eve", "--expect-schema", files / "schema.json"),
        "posted": ("--web", target.api_host + web, "--param", "name=eve", "--param", "n=x", "--expect-schema", files / "schema.json"),
        "trigger": ("--trigger", "tick", "--param", "name=eve"),
        "mute": ("--trigger", "mute"),
        "folder": (
            "--workload",
            "zoo",
            "--actions-dir",
            files / "actions",
            "--param",
            "legs=8",
            "--expect",
            '{"legs": 8, "size": "small"}',
        ),
    }
    found = {}
    for some in (list(storms)[:3], list(storms)[3:]):
        with ExitStack() as stack:
            under_way = {name: stack.enter_context(Command(*STORM, *storms[name], home=lab_home, runs=runs / name)) for name in some}
            for name, storm in under_way.items():
                folder = storm.folder()
                found[name] = (storm.end(), folder, calls_of(folder))
    return found


def outcomes(rows):
    """How many rows there are of each (outcome, error, checked)."""
    told = [(row["outcome"], row["error"], row["checked"]) for row in rows.values()]
    return {each: told.count(each) for each in told}


def names(rows):
    return {(row["workload"], row["action"], row["size"]) for row in rows.values()}


def test_an_own_action_is_called_with_the_parameters_of_a_file_and_its_results_are_checked(played):
    result, folder, rows = played["action"]
    assert result.returncode in (0, 3), result.stderr
    assert names(rows) == {("own", "/_/mine/greet", "")}
    counts = outcomes(rows)
    assert set(counts) == {
        ("ok", None, True),
        ("wrong", "the result is not the expected one: it differs at /greeting", False),
        ("application_error", "there is nobody", None),
    }
    assert sum(counts.values()) == CALLS
    assert all(row["duration_ms"] is not None and row["activation_id"] for row in rows.values())
    manifest = folder.load()
    (entry,) = manifest.recipe.entries
    assert [dict(variant.parameters) for variant in entry.variants] == [{"name": "ann"}, {"name": "bob"}, {"name": "nobody"}]
    assert entry.check.expect == '{"greeting": "hello ann"}'
    (action,) = manifest.platform["actions"]
    assert (action["path"], action["version"]) == ("/_/mine/greet", "0.0.1")
    assert action["kind"].startswith("python:")


def test_a_web_action_is_called_by_its_url_and_its_body_is_checked(played):
    result, _, rows = played["web"]
    assert names(rows) == {("own", "/guest/mine/greet.json", "")}
    assert outcomes(rows) == {("ok", None, True): CALLS}
    assert {(row["http_status"], row["cold"]) for row in rows.values()} == {(200, None)}
    assert len({row["activation_id"] for row in rows.values()}) == CALLS
    assert "service " in result.stdout
    assert "overhead" not in result.stdout


def test_a_body_that_does_not_fit_the_schema_is_wrong(played):
    _, _, rows = played["posted"]
    assert outcomes(rows) == {("wrong", "the result does not fit the schema: /properties/n/type at /n", False): CALLS}


def test_a_trigger_is_fired(played, target):
    result, _, rows = played["trigger"]
    assert result.returncode in (0, 3), result.stderr
    assert names(rows) == {("own", "/_/tick", "")}
    assert outcomes(rows) == {("ok", None, None): CALLS}
    assert {row["http_status"] for row in rows.values()} == {202}
    assert len({row["activation_id"] for row in rows.values()}) == CALLS


def test_a_trigger_without_a_rule_is_said_so_beforehand_and_is_no_success(played):
    result, _, rows = played["mute"]
    assert result.returncode == 3
    assert "/_/mute has no active rule: nothing will run, and calls are `wrong`." in result.stderr
    assert outcomes(rows) == {("wrong", "no rule of the trigger is active: nothing ran", None): CALLS}


def test_a_folder_of_actions_is_a_catalogue_of_ones_own(played):
    _, _, rows = played["folder"]
    assert names(rows) == {("zoo", "legs", "small")}
    assert outcomes(rows) == {("ok", None, True): CALLS}


def test_the_rows_balance_against_the_plan_made_again(lab_home, runs, played):
    for name in ("action", "web", "trigger"):
        (balance,) = json.loads(owray("query", "reconcile", "--format", "json", home=lab_home, runs=runs / name).stdout)
        balance.pop("run")
        assert balance == {"planned": CALLS, "rows": CALLS, "missing": 0, "duplicate": 0, "foreign": 0}


REFUSED = {
    "no action in /_ on http://{host} named 'mine/gret'. Did you mean 'mine/greet'": ("--action", "/_/mine/gret"),
    "no trigger in /_ on http://{host} named 'tik'. Did you mean 'tick'?": ("--trigger", "tik"),
    "no action in /guest on http://{host} named 'mine/great'. Did you mean 'mine/greet'": ("--web", "/api/v1/web/guest/mine/great.json"),
    "/guest/default/private.json is no web action: it has no annotation web-export": ("--web", "/api/v1/web/guest/default/private.json"),
    "--web is on another host than the target, http://{host};": ("--web", "https://elsewhere/api/v1/web/guest/mine/greet"),
    "answered 409: Resource by this name exists but is not in this collection.": ("--action", "/_/mine"),
}


def test_what_is_not_there_is_refused_in_one_line_before_any_load(lab_home, tmp_path, target):
    storms = {words: Command("storm", *asked, home=lab_home, runs=tmp_path / "runs") for words, asked in REFUSED.items()}
    for words, storm in storms.items():
        result = storm.end()
        assert (result.returncode, result.stdout) == (1, ""), words
        *before, last = result.stderr.splitlines()
        assert [line.split()[0] for line in before] == ["target"]
        assert last.startswith("owray: ")
        assert words.format(host=target.api_host.removeprefix("http://")) in last
    assert not list(tmp_path.glob("runs/run=*"))


def test_a_web_action_of_somebody_else_is_played_unseen(lab_home, runs, target):
    web = "/api/v1/web/somebody/default/x"
    with Command("storm", "--rps", 20, "--calls", 3, "--web", web, home=lab_home, runs=runs) as storm:
        folder = storm.folder()
        result = storm.end()
    assert result.returncode == 3
    assert "/somebody/default/x cannot be looked up: it is in a namespace that the key is not for" in result.stderr
    assert {row["outcome"] for row in calls_of(folder).values()} == {"rejected"}
