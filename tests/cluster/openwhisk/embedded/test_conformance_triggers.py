"""Triggers as the conformance checklist has them."""

import json

from support.api import BASE

ECHO = "def main(args):\n    return args\n"


def test_conformance_30_a_trigger_with_a_rule_answers_202_and_calls_the_action(api, name):
    api.action(f"{name}-a", ECHO)
    api.request("PUT", f"{BASE}/triggers/{name}-t", {"parameters": [{"key": "x", "value": 1}, {"key": "y", "value": 1}]})
    made = api.request("PUT", f"{BASE}/rules/{name}-r", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-a"})
    assert made.json["status"] == "active"
    reply = api.request("POST", f"{BASE}/triggers/{name}-t", {"y": 2, "z": [3]}, headers={"X-Mine": "here"})
    assert reply.status == 202
    assert set(reply.json) == {"activationId"}
    assert reply.headers["x-openwhisk-activation-id"] == reply.json["activationId"]
    record = api.record(reply.json["activationId"])
    assert record["name"] == f"{name}-t"
    assert record["annotations"] == []
    assert not {"end", "duration", "cause"} & set(record)
    assert record["response"] == {"status": "success", "success": True, "result": {"y": 2, "z": [3]}}
    (line,) = map(json.loads, record["logs"])
    called = api.record(line.pop("activationId"))
    assert line == {"statusCode": 0, "success": True, "rule": f"guest/{name}-r", "action": f"guest/{name}-a"}
    arguments = called["response"]["result"]
    headers = arguments.pop("__ow_headers")
    assert arguments == {"x": 1, "y": 2, "z": [3]}
    assert headers["x-mine"] == "here"
    assert "cause" not in called


def test_conformance_30_a_trigger_without_an_active_rule_answers_204_with_nothing(api, name):
    api.action(f"{name}-a", ECHO)
    api.request("PUT", f"{BASE}/triggers/{name}-t", {})
    for status in (None, "inactive"):
        if status:
            api.request("PUT", f"{BASE}/rules/{name}-r", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-a"})
            assert api.request("POST", f"{BASE}/rules/{name}-r", {"status": status}).body == b"OK"
        reply = api.request("POST", f"{BASE}/triggers/{name}-t")
        assert (reply.status, reply.body) == (204, b"")
        assert not {"content-length", "content-type", "x-openwhisk-activation-id"} & set(reply.headers)
    assert api.request("GET", f"{BASE}/activations", query=f"name={name}-t").json == []
