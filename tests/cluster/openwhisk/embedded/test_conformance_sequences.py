"""Sequences as the conformance checklist has them."""

import time

from support.api import BASE, WHO, annotation

ADD = "def main(args):\n    return {'n': args.get('n', 0) + 1}\n"


def put_sequence(api, name, components, **fields):
    body = {"exec": {"kind": "sequence", "components": components}} | fields
    return api.request("PUT", f"{BASE}/actions/{name}", body, query="overwrite=true")


def test_conformance_29_a_sequence_lasts_as_long_as_its_components_and_names_them(api, name):
    slow = "import time\ndef main(args):\n    time.sleep(0.05)\n    return {'n': args.get('n', 0) + 1}\n"
    api.action(f"{name}-1", slow, limits={"memory": 128})
    api.action(f"{name}-2", ADD, limits={"memory": 256, "logs": 0})
    assert put_sequence(api, name, [f"/_/{name}-1", f"/guest/{name}-2"]).status == 200
    reply = api.invoke(name, {"n": 1})
    assert reply.status == 200
    assert reply.result == {"n": 3}
    record = reply.json
    components = [api.record(activation_id) for activation_id in record["logs"]]
    assert [component["name"] for component in components] == [f"{name}-1", f"{name}-2"]
    assert record["duration"] == sum(component["duration"] for component in components) >= 50
    assert record["end"] - record["start"] >= record["duration"]
    assert record["response"] == components[-1]["response"]
    for component in components:
        assert component["cause"] == record["activationId"]
        assert annotation(component, "causedBy") == "sequence"
    assert "cause" not in record
    assert annotation(record, "topmost") is True
    assert annotation(record, "path") == f"guest/{name}"
    assert annotation(record, "kind") == "sequence"
    assert annotation(record, "waitTime") >= 0
    assert annotation(record, "limits") == {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1}
    assert {pair["key"] for pair in record["annotations"]} == {"topmost", "path", "kind", "waitTime", "limits"}
    assert api.record(record["activationId"]) == record


def test_conformance_29_a_sequence_takes_one_rate_token(new_platform):
    for _ in range(4):
        with new_platform("bench", invocations_per_minute=2) as api:
            begun_in = int(time.time()) // 60
            api.action("one", WHO)
            put_sequence(api, "three", ["/_/one"] * 3)
            statuses = [api.invoke("three").status for _ in range(3)]
            if int(time.time()) // 60 == begun_in:
                break
    assert statuses == [200, 200, 429]
