"""The public JavaScript client `openwhisk`, as npm has it, on packages, sequences, triggers and rules."""

import json

import pytest
from support.npm import ClientError, npm_client

ADD_ONE = "function main (args) { return { n: (args.n || 0) + (args.step || 1) } }"


@pytest.fixture(scope="module")
def client(api):
    with npm_client(api.platform) as connected:
        yield connected


@pytest.fixture
def package(client, name):
    client("packages.create", name=f"p{name}", package={"parameters": [{"key": "step", "value": 10}]})
    return f"p{name}"


@pytest.fixture
def action(client, name):
    client("actions.create", name=name, action=ADD_ONE)
    return name


@pytest.fixture
def trigger(client, name):
    client("triggers.create", name=f"t{name}", trigger={"parameters": [{"key": "n", "value": 1}]})
    return f"t{name}"


@pytest.fixture
def rule(client, name, trigger, action):
    client("rules.create", name=f"r{name}", trigger=trigger, action=action)
    return f"r{name}"


def refused(client, call, **options):
    with pytest.raises(ClientError) as thrown:
        client(call, **options)
    return thrown.value.status


def test_npm_client_creates_gets_updates_and_deletes_a_package(client, package):
    assert refused(client, "packages.create", name=package) == 409
    got = client("packages.get", name=package)
    assert (got["name"], got["version"], got["binding"], got["actions"]) == (package, "0.0.1", {}, [])
    assert got["parameters"] == [{"key": "step", "value": 10}]
    updated = client("packages.update", name=package, package={"publish": True}, annotations={"note": "mine"})
    assert (updated["version"], updated["publish"]) == ("0.0.2", True)
    assert {"key": "note", "value": "mine"} in updated["annotations"]
    assert package in [each["name"] for each in client("packages.list", public=True, limit=1)]
    assert client("packages.list", count=True)["packages"] >= 1
    assert client("packages.delete", name=package)["name"] == package
    assert refused(client, "packages.get", name=package) == 404


def test_npm_client_works_with_an_action_in_a_package(client, package):
    made = client("actions.create", name=f"{package}/add", action=ADD_ONE)
    assert (made["namespace"], made["name"]) == (f"guest/{package}", "add")
    assert client("actions.invoke", name=f"{package}/add", params={"n": 1}, blocking=True, result=True) == {"n": 11}
    assert client("actions.get", name=f"/guest/{package}/add")["parameters"] == [{"key": "step", "value": 10}]
    assert [each["name"] for each in client("packages.get", name=package)["actions"]] == ["add"]
    assert refused(client, "packages.delete", name=package) == 409
    client("actions.delete", name=f"{package}/add")
    client("packages.delete", name=package)


def test_npm_client_binds_a_package_and_calls_through_the_binding(client, package):
    client("actions.create", name=f"{package}/add", action=ADD_ONE)
    binding = {"binding": {"namespace": "guest", "name": package}, "parameters": [{"key": "step", "value": 100}]}
    client("packages.create", name=f"b{package}", package=binding)
    assert client("packages.get", name=f"b{package}")["binding"] == {"namespace": "guest", "name": package}
    assert client("actions.invoke", name=f"b{package}/add", params={"n": 1}, blocking=True, result=True) == {"n": 101}
    assert refused(client, "actions.delete", name=f"b{package}/add") == 400


def test_npm_client_creates_and_invokes_a_sequence(client, name, action):
    made = client("actions.create", name=f"s{name}", sequence=[f"/_/{action}", f"/_/{action}"])
    assert made["exec"] == {"kind": "sequence", "components": [f"/guest/{action}", f"/guest/{action}"]}
    assert client("actions.invoke", name=f"s{name}", params={"n": 1}, blocking=True, result=True) == {"n": 3}
    record = client("actions.invoke", name=f"s{name}", params={"n": 1}, blocking=True)
    stored = client.recorded(record["activationId"])
    assert len(stored["logs"]) == 2
    assert all(client.recorded(each)["cause"] == record["activationId"] for each in stored["logs"])


def test_npm_client_creates_gets_updates_lists_and_deletes_a_trigger(client, trigger):
    assert refused(client, "triggers.create", name=trigger) == 409
    got = client("triggers.get", name=trigger)
    assert (got["name"], got["version"], got["limits"]) == (trigger, "0.0.1", {})
    updated = client("triggers.update", name=trigger, trigger={"parameters": [{"key": "n", "value": 2}]})
    assert (updated["version"], updated["parameters"]) == ("0.0.2", [{"key": "n", "value": 2}])
    assert client("triggers.list", limit=1)[0]["name"] == trigger
    assert client("triggers.list", count=True)["triggers"] >= 1
    client("triggers.delete", name=trigger)
    assert refused(client, "triggers.get", name=trigger) == 404


def test_npm_client_fires_a_trigger_without_a_rule_to_no_effect(client, trigger):
    assert not client("triggers.invoke", name=trigger)


def test_npm_client_fires_a_trigger_and_its_rule_calls_the_action(client, trigger, rule, action):
    fired = client("triggers.invoke", name=trigger, params={"step": 5})
    record = client.recorded(fired["activationId"])
    assert (record["name"], record["response"]["result"]) == (trigger, {"step": 5}), "the payload, not the trigger's own parameters"
    (line,) = map(json.loads, record["logs"])
    assert (line["rule"], line["action"], line["success"]) == (f"guest/{rule}", f"guest/{action}", True)
    assert client.recorded(line["activationId"])["response"]["result"] == {"n": 6}


def test_npm_client_disables_and_enables_a_rule(client, trigger, rule):
    assert client("rules.get", name=rule)["status"] == "active"
    assert client("rules.disable", name=rule) == "OK"
    assert client("rules.get", name=rule)["status"] == "inactive"
    assert not client("triggers.invoke", name=trigger)
    assert client("rules.enable", name=rule) == "OK"
    assert client("rules.get", name=rule)["status"] == "active"
    assert client("triggers.invoke", name=trigger)["activationId"]


def test_npm_client_gets_updates_lists_and_deletes_a_rule(client, trigger, rule, action):
    got = client("rules.get", name=rule)
    assert (got["trigger"], got["action"]) == ({"path": "guest", "name": trigger}, {"path": "guest", "name": action})
    assert client("rules.update", name=rule, trigger=trigger, action=action)["version"] == "0.0.2"
    assert client("rules.list", limit=1)[0]["name"] == rule
    assert client("rules.list", count=True)["rules"] >= 1
    assert client("rules.delete", name=rule)["status"] == "inactive"
    assert refused(client, "rules.get", name=rule) == 404


def test_npm_client_is_refused_a_rule_over_what_does_not_exist(client, name, trigger, action):
    assert refused(client, "rules.create", name=f"r{name}", trigger=trigger, action="missing") == 400
    assert refused(client, "rules.create", name=f"r{name}", trigger="missing", action=action) == 400


def test_npm_client_lists_all_of_its_namespace(client, trigger, rule, action, package):
    everything = client("namespaces.get")
    for collection, name in (("triggers", trigger), ("rules", rule), ("actions", action), ("packages", package)):
        assert name in [each["name"] for each in everything[collection]]
