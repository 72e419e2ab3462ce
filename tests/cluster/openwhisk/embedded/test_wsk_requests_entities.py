"""Exchanges with `wsk` over packages, sequences, triggers and rules, as openwhisk.md 1.6, 1.7 and C.5 show them."""

import pytest
from support.api import eventually
from support.wsk import Wsk

CODE = 'def main(args):\n    return {"n": args.get("n", 0) + 1}'


@pytest.fixture
def wsk(api):
    return Wsk(api)


@pytest.fixture
def hello(wsk, name):
    assert wsk.put(f"actions/{name}", {"exec": {"kind": "python:default", "code": CODE}}).status == 200
    return name


def record(wsk, activation_id):
    return eventually(lambda: found.json if (found := wsk.get(f"activations/{activation_id}")).status == 200 else None)


def annotations(document):
    return {pair["key"]: pair["value"] for pair in document["annotations"]}


def test_wsk_action_create_of_a_sequence_and_its_record(wsk, hello):
    body = {"exec": {"kind": "sequence", "components": [f"/_/{hello}", f"/_/{hello}"]}}
    made = wsk.put(f"actions/s{hello}", body)
    components = [f"/guest/{hello}"] * 2
    assert (made.status, made.json["exec"]) == (200, {"kind": "sequence", "components": components})
    assert made.json["parameters"] == [{"key": "_actions", "value": components}]
    reply = wsk.post(f"actions/s{hello}", {"n": 7}, "blocking=true&result=false")
    assert (reply.status, reply.result) == (200, {"n": 9})
    pipe = record(wsk, reply.json["activationId"])
    assert (pipe["name"], pipe["namespace"], len(pipe["logs"])) == (f"s{hello}", "guest", 2)
    assert {key: annotations(pipe)[key] for key in ("topmost", "path", "kind")} == {
        "topmost": True,
        "path": f"guest/s{hello}",
        "kind": "sequence",
    }
    assert {"waitTime", "limits"} <= set(annotations(pipe))
    assert "cause" not in pipe
    parts = [record(wsk, each) for each in pipe["logs"]]
    assert pipe["duration"] == sum(part["duration"] for part in parts)
    assert {(part["cause"], annotations(part)["causedBy"]) for part in parts} == {(pipe["activationId"], "sequence")}


def test_wsk_package_create_list_bind_and_delete(wsk, name):
    body = {"namespace": "_", "name": name, "parameters": [{"key": "n", "value": 1}], "publish": False}
    made = wsk.put(f"packages/{name}", body)
    assert (made.status, made.json["binding"], made.json["parameters"]) == (200, {}, body["parameters"])
    assert wsk.put(f"actions/{name}/inner", {"exec": {"kind": "python:default", "code": CODE}}).status == 200
    assert wsk.post(f"actions/{name}/inner", {}, "blocking=true&result=true").json == {"n": 2}
    assert [each["name"] for each in wsk.get(f"packages/{name}").json["actions"]] == ["inner"]
    bound = wsk.put(f"packages/b{name}", {"binding": {"namespace": "guest", "name": name}, "parameters": [{"key": "n", "value": 5}]})
    assert (bound.status, bound.json["binding"]) == (200, {"namespace": "guest", "name": name})
    assert wsk.post(f"actions/b{name}/inner", {}, "blocking=true&result=true").json == {"n": 6}
    assert [each["name"] for each in wsk.get("packages", "limit=2&skip=0").json] == [f"b{name}", name]
    assert wsk.delete(f"packages/{name}").status == 409
    assert [each["name"] for each in wsk.get(f"actions/{name}/", "limit=0&skip=0").json] == ["inner"]
    assert wsk.delete(f"actions/{name}/inner").status == 200
    assert wsk.delete(f"packages/{name}").status == 200


def test_wsk_trigger_create_fire_and_rule_enable_disable(wsk, hello):
    assert wsk.put(f"triggers/t{hello}", {"namespace": "_", "name": f"t{hello}", "annotations": [], "publish": False}).status == 200
    assert wsk.post(f"triggers/t{hello}", {}).status == 204
    made = wsk.put(f"rules/r{hello}", {"name": f"r{hello}", "status": "", "trigger": f"/_/t{hello}", "action": f"/_/{hello}"})
    assert (made.status, made.json["status"]) == (200, "active")
    assert made.json["action"] == {"path": "guest", "name": hello}
    fired = wsk.post(f"triggers/t{hello}", {"n": 3})
    assert (fired.status, list(fired.json)) == (202, ["activationId"])
    stored = record(wsk, fired.json["activationId"])
    assert (stored["annotations"], "end" in stored, "duration" in stored) == ([], False, False)
    assert stored["response"]["result"] == {"n": 3}
    off = wsk.post(f"rules/r{hello}", {"status": "inactive"})
    assert (off.status, off.body) == (200, b"OK")
    assert wsk.get(f"rules/r{hello}").json["status"] == "inactive"
    assert "status" not in wsk.get("rules", "limit=1&skip=0").json[0]
    assert wsk.get(f"triggers/t{hello}").json["rules"] == {
        f"guest/r{hello}": {"action": {"path": "guest", "name": hello}, "status": "inactive"}
    }
    assert wsk.delete(f"rules/r{hello}").json["status"] == "inactive"
    assert wsk.delete(f"triggers/t{hello}").status == 200


def test_wsk_list_of_the_whole_namespace(wsk, hello):
    wsk.put(f"triggers/t{hello}", {})
    for collection, newest in (("actions", hello), ("triggers", f"t{hello}")):
        assert wsk.get(collection, "limit=0&skip=0").json[0]["name"] == newest
    for collection in ("packages", "rules"):
        assert wsk.get(collection, "limit=0&skip=0").status == 200
