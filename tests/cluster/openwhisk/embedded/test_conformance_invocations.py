"""What becomes of a call: replies, records, failures. Numbers are those of the conformance checklist."""

import base64
import io
import time
import zipfile

import pytest
from support.api import BASE, GATED, WHO

ECHO = "def main(args):\n    return args\n"


def test_conformance_07_a_call_is_answered_in_time_or_with_202_and_has_a_record_in_the_end(api, name, gate):
    api.action(name, GATED)
    waited = api.invoke(name, {"gate": str(gate)}, "blocking=true&timeout=500")
    assert waited.status == 202
    assert set(waited.json) == {"activationId"}
    assert waited.headers["x-openwhisk-activation-id"] == waited.json["activationId"]
    assert api.request("GET", f"{BASE}/activations/{waited.json['activationId']}").status == 404
    gate.touch()
    record = api.record(waited.json["activationId"])
    assert record["response"]["status"] == "success"
    finished = api.invoke(name, {"gate": str(gate)})
    assert finished.status == 200
    assert finished.json["activationId"] == finished.headers["x-openwhisk-activation-id"]
    assert finished.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("blocking", ["true", "false"])
@pytest.mark.parametrize("timeout", ["60001", "0", "x", "-1"])
def test_conformance_08_a_wait_out_of_range_is_400_also_where_nobody_waits(api, name, timeout, blocking):
    api.action(name, ECHO)
    reply = api.invoke(name, query=f"blocking={blocking}&timeout={timeout}")
    assert reply.status == 400
    assert reply.error == "The query parameter 'timeout' was malformed:\nTimeout must be number of milliseconds up to 60000."


def test_conformance_09_result_only_leaves_the_record_out_and_the_status_as_it_is(api, name):
    api.action(name, "def main(args):\n    return {'error': 'no'} if args.get('fail') else 7 if args.get('break') else {'n': 1}\n")
    query = "blocking=true&result=true"
    good, bad, broken = api.invoke(name, query=query), api.invoke(name, {"fail": 1}, query), api.invoke(name, {"break": 1}, query)
    assert (good.status, good.json) == (200, {"n": 1})
    assert (bad.status, bad.json) == (502, {"error": "no"})
    assert (broken.status, broken.json) == (502, {"error": "The action did not return a dictionary or array."})
    assert all(reply.headers["x-openwhisk-activation-id"] for reply in (good, bad, broken))


@pytest.mark.parametrize("value", ["None", "'no'", "{'a': [1]}", "0"])
def test_conformance_10_an_error_field_makes_an_application_error_and_all_else_is_dropped(api, name, value):
    api.action(name, f"def main(args):\n    return {{'error': {value}, 'other': 1}}\n")
    reply = api.invoke(name)
    assert reply.status == 502
    assert reply.json["response"]["status"] == "application error"
    assert reply.json["response"]["success"] is False
    assert set(reply.result) == {"error"}


def test_conformance_11_an_array_is_answered_bare(api, name):
    api.action(name, "def main(args):\n    return [1, {'two': 2}]\n")
    reply = api.invoke(name)
    assert (reply.status, reply.json) == (200, [1, {"two": 2}])
    record = api.record(reply.headers["x-openwhisk-activation-id"])
    assert record["response"]["result"] == [1, {"two": 2}]


@pytest.mark.parametrize("value", ["None", "'text'", "7"])
def test_conformance_12_what_is_no_object_or_array_is_a_developer_error_and_the_next_call_is_cold(api, name, value):
    api.action(name, f"def main(args):\n    return {value} if args else {{}}\n")
    assert api.invoke(name).cold
    reply = api.invoke(name, {"x": 1})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert api.invoke(name).cold


def test_conformance_13_an_exception_is_an_application_error_and_the_next_call_is_warm(api, name):
    api.action(name, "def main(args):\n    return {'n': 1 // args['d']}\n")
    reply = api.invoke(name, {"d": 0})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "application error"
    assert reply.result == {"error": "integer division or modulo by zero"}
    assert not api.invoke(name, {"d": 1}).cold


@pytest.mark.parametrize(
    "ending", ["import sys; sys.exit(3)", "import os; os._exit(3)", "return {'f': object()}", "raise KeyboardInterrupt"]
)
def test_conformance_14_an_action_that_ends_its_process_is_a_developer_error_and_the_next_call_is_cold(api, name, ending):
    api.action(name, f"def main(args):\n    if args:\n        {ending}\n    return {{}}\n")
    assert api.invoke(name).cold
    reply = api.invoke(name, {"x": 1})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert "exited" in reply.result["error"]
    assert api.invoke(name).cold


def test_conformance_15_an_action_that_takes_too_long_is_stopped(api, name):
    api.action(name, "import time\ndef main(args):\n    time.sleep(args.get('s', 0))\n    return {}\n", limits={"timeout": 1500})
    reply = api.invoke(name, {"s": 600})
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == {"error": "The action exceeded its time limits of 1500 milliseconds."}
    assert "size" not in reply.json["response"]
    assert reply.annotation("timeout") is True
    assert reply.json["duration"] >= 1500
    assert api.invoke(name).cold


def test_an_action_that_does_not_load_in_time_has_the_init_time_in_its_record(api, name):
    api.action(name, "import time\ntime.sleep(600)\n", limits={"timeout": 300})
    reply = api.invoke(name)
    assert reply.status == 502
    assert reply.result == {"error": "The action exceeded its time limits of 300 milliseconds during initialization."}
    assert reply.annotation("timeout") is True
    assert reply.annotation("initTime") == reply.json["duration"] >= 300


@pytest.mark.parametrize(
    "code",
    ["def main(args)\n    return {}\n", "import a_module_that_is_not_there\n", "def other(args):\n    return {}\n", "main = 7\n"],
)
def test_an_action_that_does_not_load_is_a_developer_error_with_an_init_time(api, name, code):
    api.action(name, code)
    reply = api.invoke(name)
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == {"error": "Cannot start action. Check logs for details."}
    assert reply.cold
    assert api.invoke(name).cold


def test_an_action_that_ends_its_process_while_it_loads_did_not_initialize(api, name):
    api.action(name, "import os\nos._exit(1)\n")
    assert api.invoke(name).result == {"error": "The action did not initialize and exited unexpectedly."}


def test_conformance_24_what_is_too_large_is_refused_or_cut_and_the_container_stays(api, name):
    api.action(name, "def main(args):\n    return {'x': 'y' * args.get('n', 0)}\n")
    payload = b'{"n":1' + b" " * (1_048_576 - 7) + b"}"
    assert len(payload) == 1_048_576
    json_type = {"Content-Type": "application/json"}
    path, query = f"{BASE}/actions/{name}", "blocking=true"
    assert api.request("POST", path, payload, json_type, query=query).status == 200
    too_large = payload[:-1] + b" }"
    for body in (too_large, iter([too_large[:7000], too_large[7000:]])):
        refused = api.request("POST", path, body, json_type, query=query)
        assert (refused.status, refused.error) == (413, "Request larger than allowed: 1048577 > 1048576 bytes.")
    cut = api.invoke(name, {"n": 1_100_000})
    assert cut.status == 502
    assert cut.json["response"]["status"] == "application error"
    assert "exceeded the allowed length: 1100010 > 1048576 bytes. The truncated response was: " in cut.result["error"]
    assert cut.json["response"]["size"] == 1_100_010
    assert not api.invoke(name, {"n": 1}).cold


def test_conformance_26_a_body_is_an_object_or_nothing(api, name):
    api.action(name, ECHO)
    path, query = f"{BASE}/actions/{name}", "blocking=true"
    assert api.request("POST", path, [1], query=query).status == 400
    assert api.request("POST", path, "text", query=query).status == 400
    broken = api.request("POST", path, b'{"a":', {"Content-Type": "application/json"}, query=query)
    deep = api.request("POST", path, b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", {"Content-Type": "application/json"}, query=query)
    for refused in (broken, deep):
        assert refused.status == 400
        assert refused.error.startswith("The request content was malformed:\n")
    assert api.request("POST", path, b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, query=query).status == 415
    assert api.request("POST", path, b"{}", query=query).status == 415
    empty = api.request("POST", path, query=query)
    assert (empty.status, empty.result) == (200, {})


def test_conformance_27_a_call_that_nobody_waits_for_is_accepted_and_its_record_appears_when_it_is_done(api, name, gate):
    api.action(name, GATED)
    accepted = api.invoke(name, {"gate": str(gate)}, query="")
    assert (accepted.status, set(accepted.json)) == (202, {"activationId"})
    activation_id = accepted.json["activationId"]
    missing = api.request("GET", f"{BASE}/activations/{activation_id}")
    assert (missing.status, missing.error) == (404, "The requested resource does not exist.")
    gate.touch()
    record = api.record(activation_id)
    assert record["activationId"] == activation_id
    result = api.request("GET", f"{BASE}/activations/{activation_id}/result").json
    assert result == record["response"]
    assert (result["status"], result["success"]) == ("success", True)
    assert result["size"] == len('{"pid": }\n') + len(str(result["result"]["pid"]))


def test_conformance_28_activations_are_listed_by_name_and_time(api, name):
    api.action(name, ECHO)
    records = []
    for _ in range(3):
        records.append(api.invoke(name).json)
        time.sleep(0.003)  # so that starts differ, as they do by the millisecond
    ids = [record["activationId"] for record in records]
    starts = [record["start"] for record in records]

    def listed(query):
        return [entry["activationId"] for entry in api.request("GET", f"{BASE}/activations", query=f"name={name}&{query}").json]

    assert listed("") == ids[::-1]
    assert listed(f"since={starts[1]}") == ids[:0:-1]
    assert listed(f"upto={starts[1]}") == ids[1::-1]
    assert listed(f"since={starts[1]}&upto={starts[1]}") == [ids[1]]
    assert listed("limit=1&skip=1") == [ids[1]]
    assert api.request("GET", f"{BASE}/activations", query=f"name={name}&count=true").json == {"activations": 3}
    full = api.request("GET", f"{BASE}/activations", query=f"name={name}&docs=true").json
    assert full == records[::-1]
    summary = api.request("GET", f"{BASE}/activations", query=f"name={name}&limit=1").json[0]
    assert "response" not in summary
    assert (summary["statusCode"], summary["duration"]) == (0, summary["end"] - summary["start"])
    for query in ("docs=true&count=true", "name=a/b/c", "since=x", "limit=201"):
        assert api.request("GET", f"{BASE}/activations", query=query).status == 400


def test_conformance_32_a_default_can_be_overridden_but_not_a_final_parameter(api, name):
    api.action(name, ECHO, parameters=[{"key": "p", "value": 1}, {"key": "q", "value": [2]}])
    assert api.invoke(name).result == {"p": 1, "q": [2]}
    assert api.invoke(name, {"p": 3}).result == {"p": 3, "q": [2]}
    final = [{"key": "final", "value": True}]
    api.action(name, ECHO, parameters=[{"key": "p", "value": 1}], annotations=final)
    refused = api.invoke(name, {"p": 3})
    assert refused.status == 400
    assert refused.error.startswith("Request defines parameters that are not allowed")
    assert api.invoke(name, {"r": 3}).result == {"p": 1, "r": 3}


def test_conformance_33_an_init_parameter_is_in_the_environment_and_not_in_the_arguments(api, name):
    code = "import os\ndef main(args):\n    return {'args': args, 'env': {k: os.environ.get(k) for k in ('A', 'B', 'C', 'D')}}\n"
    parameters = [
        {"key": "A", "value": "text", "init": True},
        {"key": "B", "value": {"n": 1}, "init": True},
        {"key": "C", "value": None, "init": True},
        {"key": "D", "value": 4},
    ]
    made = api.action(name, code, parameters=parameters).json
    assert made["parameters"] == parameters
    assert api.invoke(name).result == {"args": {"D": 4}, "env": {"A": "text", "B": '{"n":1}', "C": "", "D": None}}


def test_a_record_says_when_and_for_how_long_and_under_which_limits(api, name):
    before_ms = int(time.time() * 1000)
    api.action(name, WHO, limits={"timeout": 2000, "memory": 128, "logs": 0})
    cold, warm = api.invoke(name), api.invoke(name)
    after_ms = int(time.time() * 1000)
    for reply in (cold, warm):
        record = reply.json
        assert before_ms <= record["start"] <= record["end"] <= after_ms
        assert record["duration"] == record["end"] - record["start"]
        assert (record["namespace"], record["name"], record["version"], record["subject"]) == ("guest", name, "0.0.1", "guest")
        assert record["logs"] == []
        assert record["publish"] is False
        assert reply.annotation("path") == f"guest/{name}"
        assert reply.annotation("kind").startswith("python:3.")
        assert reply.annotation("limits") == {"timeout": 2000, "memory": 128, "logs": 0, "concurrency": 1}
        assert reply.annotation("timeout") is False
        assert reply.annotation("waitTime") >= 0
        assert "statusCode" not in record
    assert cold.json["duration"] >= cold.annotation("initTime") >= 0
    stored = api.record(cold.json["activationId"])
    assert stored == cold.json


def test_an_action_finds_its_circumstances_in_the_environment(api, name):
    code = "import os\ndef main(args):\n    return {k: v for k, v in os.environ.items() if k.startswith('__OW_')}\n"
    api.action(name, code)
    for _ in range(2):  # they are fresh at each run
        reply = api.invoke(name)
        seen = reply.result
        assert seen["__OW_NAMESPACE"] == "guest"
        assert seen["__OW_ACTION_NAME"] == f"/guest/{name}"
        assert seen["__OW_ACTION_VERSION"] == "0.0.1"
        assert seen["__OW_ACTIVATION_ID"] == reply.json["activationId"]
        assert seen["__OW_TRANSACTION_ID"] == reply.headers["x-request-id"]
        assert seen["__OW_API_HOST"] == api.platform.target.api_host
        assert "__OW_API_KEY" not in seen
        assert int(seen["__OW_DEADLINE"]) > reply.json["start"]


def test_the_environment_reaches_the_programs_that_an_action_starts(api, name):
    code = """
import subprocess
def main(args):
    return {"id": subprocess.check_output(["printenv", "__OW_ACTIVATION_ID"], text=True).strip()}
"""
    api.action(name, code)
    for _ in range(3):
        reply = api.invoke(name)
        assert reply.result == {"id": reply.json["activationId"]}


def test_an_action_that_asks_for_the_key_gets_it(api, name):
    code = "import os\ndef main(args):\n    return {'key': os.environ.get('__OW_API_KEY')}\n"
    api.action(name, code, annotations=[{"key": "provide-api-key", "value": True}])
    assert api.invoke(name).result == {"key": api.auth}


def test_a_zip_archive_is_unpacked_and_its_main_file_run(api, name):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", "import helper\ndef go(args):\n    return {'n': helper.N}\n")
        file.writestr("helper.py", "N = 42\n")
    code = base64.b64encode(archive.getvalue()).decode()
    exec_ = {"kind": "python:default", "code": code, "main": "go"}
    assert api.request("PUT", f"{BASE}/actions/{name}", {"exec": exec_}).json["exec"]["binary"] is True
    assert api.invoke(name).result == {"n": 42}


def test_results_come_back_as_they_were_made(api, name):
    api.action(name, ECHO)
    payload = {"big": 2**70, "text": "zaß ☃ \u0000", "deep": [[[{"a": None}]]], "float": 1.5e-9}
    reply = api.invoke(name, payload)
    assert reply.result == payload
    assert b": " not in reply.body


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(api, name):
    api.action(name, ECHO)
    reply = api.request("POST", f"{BASE}/actions/{name}", {"a": 1}, {"Expect": "100-continue"}, query="blocking=true")
    assert reply.result == {"a": 1}


def test_the_version_in_the_record_is_the_one_that_ran(api, name):
    api.action(name, WHO)
    api.action(name, WHO)
    assert api.invoke(name).json["version"] == "0.0.2"
