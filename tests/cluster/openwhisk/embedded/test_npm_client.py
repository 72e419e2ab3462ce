"""The public JavaScript client `openwhisk`, as npm has it, on actions and activations."""

import base64
import io
import json
import time
import zipfile

import pytest
from support.api import BASE
from support.npm import ClientError, npm_client

ECHO = "function main (args) { return args }"
FAILS = "def main(args):\n    return {'error': 'no such luck'}\n"
SLOW = "import time\ndef main(args):\n    time.sleep(30)\n"


@pytest.fixture(scope="module")
def client(api):
    with npm_client(api.platform) as connected:
        yield connected


@pytest.fixture
def echo(client, name):
    client("actions.create", name=name, action=ECHO)
    return name


def test_npm_client_creates_an_action_from_source_with_its_own_default_kind(client, name):
    made = client("actions.create", name=name, action=ECHO, params={"n": 1}, annotations={"note": "mine"}, limits={"timeout": 5000})
    assert (made["namespace"], made["name"], made["version"]) == ("guest", name, "0.0.1")
    assert made["exec"]["kind"].startswith("nodejs:")
    assert made["parameters"] == [{"key": "n", "value": 1}]
    assert {"key": "note", "value": "mine"} in made["annotations"]
    assert made["limits"]["timeout"] == 5000
    assert client("actions.invoke", name=name, params={"m": 2}, blocking=True, result=True) == {"n": 1, "m": 2}


def test_npm_client_creates_an_action_of_another_kind(client, name):
    made = client("actions.create", name=name, action="def main(args):\n    return {'n': 3}\n", kind="python:default")
    assert made["exec"]["kind"].startswith("python:3.")
    assert client("actions.invoke", name=name, blocking=True, result=True) == {"n": 3}


def test_npm_client_creates_an_action_from_a_buffer_with_a_zip(client, name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", "from other import N\ndef main(args):\n    return {'n': N}\n")
        archive.writestr("other.py", "N = 4\n")
    code = {"$bytes": base64.b64encode(packed.getvalue()).decode()}
    assert client("actions.create", name=name, action=code, kind="python:default")["exec"]["binary"] is True
    assert client("actions.invoke", name=name, blocking=True, result=True) == {"n": 4}


def test_npm_client_is_refused_a_second_create_and_may_update(client, echo):
    with pytest.raises(ClientError, match=r'Returned HTTP 409 \(Conflict\) --> "resource already exists"') as refused:
        client("actions.create", name=echo, action=ECHO)
    assert refused.value.status == 409
    updated = client("actions.update", name=echo, action="function main () { return { n: 5 } }")
    assert updated["version"] == "0.0.2"
    assert client("actions.invoke", name=echo, blocking=True, result=True) == {"n": 5}
    kept = client("actions.update", name=echo, params={"n": 6})
    assert (kept["version"], kept["exec"]["code"]) == ("0.0.3", updated["exec"]["code"])


def test_npm_client_gets_an_action_with_its_code_and_without(client, echo):
    assert client("actions.get", name=echo)["exec"]["code"] == ECHO
    assert "code" not in client("actions.get", name=echo, code=False)["exec"]
    assert client("actions.get", name=f"/guest/{echo}")["name"] == echo


def test_npm_client_lists_and_counts_actions(client, echo):
    newest = client("actions.list", limit=1)
    assert [each["name"] for each in newest] == [echo]
    assert client("actions.list", skip=1, limit=1) != newest
    assert client("actions.list", count=True)["actions"] >= 1


def test_npm_client_deletes_an_action_and_then_misses_it(client, echo):
    assert client("actions.delete", name=echo)["name"] == echo
    for call in ("actions.get", "actions.delete", "actions.invoke"):
        with pytest.raises(ClientError) as missed:
            client(call, name=echo)
        assert missed.value.status == 404
        assert missed.value.body["error"] == "The requested resource does not exist."


def test_npm_client_invokes_and_gets_an_id_then_record_result_and_logs(client, echo):
    accepted = client("actions.invoke", name=echo, params={"n": 7})
    assert list(accepted) == ["activationId"]
    record = client.recorded(accepted["activationId"])
    assert (record["name"], record["response"]["result"]) == (echo, {"n": 7})
    result = client("activations.result", name=accepted["activationId"])
    assert (result["success"], result["status"], result["result"]) == (True, "success", {"n": 7})
    assert isinstance(client("activations.logs", name=accepted["activationId"])["logs"], list)


def test_npm_client_invokes_blocking_and_gets_the_record(client, echo):
    record = client("actions.invoke", name=echo, params={"n": 8}, blocking=True)
    assert record["response"]["success"] is True
    assert record["response"]["result"] == {"n": 8}
    assert record["duration"] == record["end"] - record["start"]


def test_npm_client_throws_the_record_of_a_failed_call(client, name):
    client("actions.create", name=name, action=FAILS, kind="python:default")
    for result in (True, False):
        with pytest.raises(ClientError, match=r'HTTP 502 .* --> "no such luck"') as thrown:
            client("actions.invoke", name=name, blocking=True, result=result)
        assert thrown.value.status == 502
        assert thrown.value.body["response"]["status"] == "application error"


def test_npm_client_hears_of_an_action_that_exceeded_its_time(client, name):
    client("actions.create", name=name, action=SLOW, kind="python:default", limits={"timeout": 100})
    with pytest.raises(ClientError, match="exceeded its time limits of 100 milliseconds") as thrown:
        client("actions.invoke", name=name, blocking=True, timeout=30_000)
    assert {"key": "timeout", "value": True} in thrown.value.body["annotations"]


def test_npm_client_gets_an_id_when_a_blocking_call_takes_too_long(new_platform, name, gate):
    with new_platform(blocking_wait_ms=200) as impatient, npm_client(impatient.platform) as client:
        code = "import os, time\ndef main(args):\n    while not os.path.exists(args['gate']):\n        time.sleep(0.01)\n"
        client("actions.create", name=name, action=code + "    return {'n': 9}\n", kind="python:default")
        accepted = client("actions.invoke", name=name, params={"gate": str(gate)}, blocking=True)
        assert list(accepted) == ["activationId"]
        gate.touch()
        assert client.recorded(accepted["activationId"])["response"]["result"] == {"n": 9}


def test_npm_client_lists_activations_by_name_and_time(client, echo):
    before_ms = int(time.time() * 1000)
    ids = [client("actions.invoke", name=echo, params={"n": n}, blocking=True)["activationId"] for n in range(3)]
    for each in ids:
        client.recorded(each)
    listed = client("activations.list", name=echo)
    assert {each["activationId"] for each in listed} == set(ids)
    assert "response" not in listed[0]
    assert len(client("activations.list", name=echo, limit=2, skip=2)) == 1
    assert client("activations.list", name=echo, count=True) == {"activations": 3}
    assert client("activations.list", name=echo, upto=before_ms - 1) == []
    full = client("activations.list", name=echo, docs=True, since=before_ms)
    assert sorted(each["response"]["result"]["n"] for each in full) == [0, 1, 2]


def test_npm_client_may_name_its_namespace(api, echo):
    with npm_client(api.platform, "guest") as named:
        assert named("actions.get", name=echo)["name"] == echo
    with npm_client(api.platform, "stranger") as stranger, pytest.raises(ClientError) as refused:
        stranger("actions.list")
    assert refused.value.status == 403


def test_npm_client_lists_its_namespace(client):
    assert client("namespaces.list") == ["guest"]


def test_npm_client_and_a_plain_request_see_the_same(client, api, echo):
    assert json.loads(api.request("GET", f"{BASE}/actions/{echo}").body) == client("actions.get", name=echo)
