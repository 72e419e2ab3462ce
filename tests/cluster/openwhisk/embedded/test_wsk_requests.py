"""Exchanges with `wsk`: its requests, and replies field by field as openwhisk.md C.1 to C.4 and C.6 show them."""

import pytest
from support.api import eventually
from support.wsk import Wsk

HELLO = 'def main(args):\n    return {"n": args.get("n", 0)}'
LIMITS = {"timeout": 10000, "memory": 256, "logs": 0}
NOT_FOUND = "The requested resource does not exist."


@pytest.fixture
def wsk(api):
    return Wsk(api)


@pytest.fixture
def hello(wsk, name):
    """The action of C.1, as `wsk action create` makes it; returns the reply."""
    body = {"namespace": "_", "name": name, "exec": {"kind": "python:default", "code": HELLO}, "limits": LIMITS}
    return wsk.put(f"actions/{name}", body)


def test_wsk_action_create_get_update_and_delete(wsk, name, hello):
    kind = hello.json["exec"]["kind"]
    made = {
        "namespace": "guest",
        "name": name,
        "version": "0.0.1",
        "publish": False,
        "updated": hello.json["updated"],
        "parameters": [],
        "limits": {**LIMITS, "concurrency": 1},
        "exec": {"kind": kind, "code": HELLO, "binary": False},
        "annotations": [{"key": "provide-api-key", "value": False}, {"key": "exec", "value": kind}],
    }
    assert kind.startswith("python:3.")
    assert isinstance(made["updated"], int)
    assert (hello.status, hello.headers["content-type"]) == (200, "application/json")
    assert {**hello.json, "annotations": by_key(hello.json["annotations"])} == {**made, "annotations": by_key(made["annotations"])}
    assert wsk.get(f"actions/{name}", "code=true").json == hello.json
    assert "code" not in wsk.get(f"actions/{name}", "code=false").json["exec"]
    assert wsk.put(f"actions/{name}", {"exec": {"kind": "python:default", "code": HELLO}}).status == 409
    updated = wsk.put(f"actions/{name}", {"namespace": "_", "name": name, "parameters": [{"key": "n", "value": 1}]}, overwrite=True)
    assert (updated.status, updated.json["version"], updated.json["exec"]["code"]) == (200, "0.0.2", HELLO)
    assert wsk.delete(f"actions/{name}").json["version"] == "0.0.2"
    assert wsk.get(f"actions/{name}", "code=true").status == 404


def by_key(annotations):
    return sorted(annotations, key=lambda pair: pair["key"])


@pytest.mark.usefixtures("hello")
def test_wsk_action_invoke_blocking(wsk, name):
    reply = wsk.post(f"actions/{name}", {"n": 7}, "blocking=true&result=false")
    record = reply.json
    assert reply.status == 200
    assert reply.headers["x-openwhisk-activation-id"] == record["activationId"]
    assert len(reply.headers["x-request-id"]) == 32
    kind = next(pair["value"] for pair in record["annotations"] if pair["key"] == "kind")
    assert {key: record[key] for key in ("namespace", "name", "version", "subject", "publish", "logs", "response")} == {
        "namespace": "guest",
        "name": name,
        "version": "0.0.1",
        "subject": "guest",
        "publish": False,
        "logs": [],
        "response": {"status": "success", "success": True, "result": {"n": 7}, "size": 9},
    }
    assert record["duration"] == record["end"] - record["start"]
    annotations = {pair["key"]: pair["value"] for pair in record["annotations"]}
    assert set(annotations) == {"path", "kind", "limits", "timeout", "waitTime", "initTime"}
    assert (annotations["path"], annotations["timeout"]) == (f"guest/{name}", False)
    assert annotations["limits"] == {**LIMITS, "concurrency": 1}
    assert kind.startswith("python:3.")
    assert all(isinstance(annotations[key], int) for key in ("waitTime", "initTime"))


@pytest.mark.usefixtures("hello")
def test_wsk_action_invoke_for_its_result_only(wsk, name):
    reply = wsk.post(f"actions/{name}", {"n": 7}, "blocking=true&result=true")
    assert (reply.status, reply.json) == (200, {"n": 7})


@pytest.mark.usefixtures("hello")
def test_wsk_action_invoke_accepted_then_activation_get_result_and_logs(wsk, name):
    reply = wsk.post(f"actions/{name}", {}, "blocking=false&result=false")
    activation_id = reply.json["activationId"]
    assert (reply.status, list(reply.json)) == (202, ["activationId"])

    def look():
        found = wsk.get(f"activations/{activation_id}")
        assert found.status == 200 or (found.status, found.error) == (404, NOT_FOUND)
        return found.json if found.status == 200 else None

    record = eventually(look)
    assert (record["activationId"], record["response"]["result"]) == (activation_id, {"n": 0})
    result = wsk.get(f"activations/{activation_id}/result").json
    assert {key: result[key] for key in ("result", "status", "success")} == {"result": {"n": 0}, "status": "success", "success": True}
    assert isinstance(wsk.get(f"activations/{activation_id}/logs").json["logs"], list)


@pytest.mark.usefixtures("hello")
def test_wsk_list_of_actions_and_activations(wsk, name):
    for _ in range(2):
        made = wsk.post(f"actions/{name}", {}, "blocking=true&result=false").json
        eventually(lambda made=made: wsk.get(f"activations/{made['activationId']}").status == 200)
    for query in ("limit=0&skip=0", "limit=30&skip=0", "limit=200"):
        assert wsk.get("actions", query).json[0]["name"] == name
    assert wsk.get("actions", "limit=1&skip=0").json[0]["exec"] == {"binary": False}
    listed = wsk.get("activations", f"docs=false&limit=30&name={name}&skip=0").json
    assert [(each["name"], each["statusCode"], "response" in each) for each in listed] == [(name, 0, False)] * 2
    assert wsk.get("activations", "docs=true&limit=30&skip=0").json[0]["response"]["result"] == {"n": 0}


def test_wsk_hears_of_a_failed_action(wsk, name):
    wsk.put(f"actions/{name}", {"exec": {"kind": "python:default", "code": "def main(args):\n    return {'n': 1 // args['by']}"}})
    reply = wsk.post(f"actions/{name}", {"by": 0}, "blocking=true&result=false")
    assert reply.status == 502
    assert {key: reply.json["response"][key] for key in ("status", "success")} == {"status": "application error", "success": False}
    assert "division" in reply.json["response"]["result"]["error"]
    only = wsk.post(f"actions/{name}", {"by": 0}, "blocking=true&result=true")
    assert (only.status, list(only.json)) == (502, ["error"])


@pytest.mark.usefixtures("hello")
def test_wsk_is_refused_in_the_documented_words(wsk, api, name):
    wrong = api.request("GET", "/api/v1/namespaces/_/actions", auth="23bc46b1-71f6-4ed5-8c54-816aa4f8c502:" + "x" * 64)
    assert (wrong.status, wrong.error) == (401, "The supplied authentication is invalid")
    assert wrong.headers["www-authenticate"].startswith('Basic realm="OpenWhisk secure realm"')
    large = wsk.post(f"actions/{name}", {"n": "x" * 2_000_000}, "blocking=true&result=false")
    assert (large.status, large.error) == (413, "Request larger than allowed: 2000010 > 1048576 bytes.")
    late = wsk.post(f"actions/{name}", {}, "blocking=true&result=false&timeout=60001")
    text = "The query parameter 'timeout' was malformed:\nTimeout must be number of milliseconds up to 60000."
    assert (late.status, late.error) == (400, text)
    for reply in (wrong, large, late):
        assert reply.json["code"] == reply.headers["x-request-id"]


def test_wsk_property_get_asks_for_what_the_api_is(api):
    assert api.request("GET", "/api/v1").json["api_version_path"] == "v1"
    assert api.request("GET", "/api/v1/namespaces").json == ["guest"]
