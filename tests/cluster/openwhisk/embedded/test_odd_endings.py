"""When an action ends in an unusual way its lines are there, it leaves nothing, and the next call is not the worse for it."""

import contextlib

import psutil
import pytest
from support.api import BASE, eventually

PRINTED = """
import sys
def main(args):
    print("hello from here")
    {}
"""


@pytest.mark.parametrize("ending", ["return 7", "return None", "sys.exit(1)", "return {'a': {1}}"])
def test_what_was_printed_before_a_failure_is_in_its_record(ending, name, file_logs):
    file_logs.action(name, PRINTED.format(ending))
    for _ in range(5):
        reply = file_logs.invoke(name)
        record = file_logs.record(reply.json["activationId"])
        assert any("stdout: hello from here" in line for line in record["logs"]), record


def test_what_an_action_started_in_a_session_of_its_own_goes_with_its_container(new_platform, name):
    code = """
import os, subprocess
def main(args):
    child = subprocess.Popen(["sleep", "987"], start_new_session=True)
    if args.get("stay"):
        return {"pid": child.pid}
    os._exit(1)
"""
    with new_platform(memory_limit="none") as api:
        api.action(name, code)
        first = psutil.Process(api.invoke(name, {"stay": True}).result["pid"])
        assert first.is_running()
        assert api.invoke(name).status == 502  # it takes both of its children with it
        eventually(lambda: not first.is_running())
        eventually(lambda: "sleep" not in names_of(api.processes()))


def names_of(processes):
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(process.name())
    return found


@pytest.mark.parametrize("body", [b'{"a":"\xff"}', b'{"\xff":1}'])
def test_a_payload_that_is_no_text_is_refused_and_costs_no_container(api, name, body):
    api.action(name, "def main(args):\n    return {}\n")
    api.invoke(name)
    refused = api.request("POST", f"{BASE}/actions/{name}", body, {"Content-Type": "application/json"}, query="blocking=true")
    assert refused.status == 400
    assert refused.error.startswith("The request content was malformed:")
    assert not api.invoke(name).cold


def test_a_payload_that_the_interpreter_cannot_read_is_told_as_such(api, name):
    api.action(name, "def main(args):\n    return {}\n")
    reply = api.request(
        "POST", f"{BASE}/actions/{name}", b'{"a":' + b"9" * 5000 + b"}", {"Content-Type": "application/json"}, query="blocking=true"
    )
    assert (reply.status, reply.result) == (502, {"error": "command exited"})


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://localhost:8080", 200), ("http://127.0.0.1", 200)]
)
def test_a_page_from_elsewhere_cannot_make_its_readers_browser_ask(api, name, origin, status):
    body = {"exec": {"kind": "python:default", "code": "def main(args):\n    return {}\n"}}
    assert api.request("OPTIONS", f"{BASE}/actions/{name}", headers={"Origin": origin}, auth=None).status == status
    assert api.request("PUT", f"{BASE}/actions/{name}", body, {"Origin": origin}).status == status
