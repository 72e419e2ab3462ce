"""What an action prints. Numbers are those of the conformance checklist."""

import re

import pytest
from support.api import BASE

PRINTING = """
import sys
def main(args):
    for line in args.get("lines", []) * args.get("times", 1):
        print(line)
    print("to stderr", file=sys.stderr)
    if args.get("unfinished"):
        print("no newline", end="")
    return {}
"""


@pytest.fixture(scope="module")
def logging(new_platform):
    with new_platform("standalone", invocations_per_minute=9999) as api:
        yield api


def logs_of(api, reply):
    record = api.record(reply.json["activationId"])
    logs = api.request("GET", f"{BASE}/activations/{reply.json['activationId']}/logs").json
    assert logs == {"logs": record["logs"]}
    return record["logs"]


def test_conformance_25_lines_have_a_time_and_an_order_and_no_sentinel(logging, name):
    logging.action(name, PRINTING)
    for lines in (["one", "two", "three"], ["four"]):  # the second run shows nothing of the first
        reply = logging.invoke(name, {"lines": lines})
        assert reply.json["logs"] == []
        stored = logs_of(logging, reply)
        matches = [re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (.*)", line) for line in stored]
        assert all(matches)
        assert [match[2] for match in matches if match] == lines
        assert [match[1] for match in matches if match] == sorted(match[1] for match in matches if match)


def test_conformance_25_the_store_of_a_cluster_names_the_stream_and_says_what_is_cut(file_logs, name):
    file_logs.action(name, PRINTING, limits={"logs": 1})
    for lines in (["one", "two"], ["three"]):
        reply = file_logs.invoke(name, {"lines": lines})
        assert reply.json["logs"] == []
        stored = logs_of(file_logs, reply)
        matches = [re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr): (.*)", line) for line in stored]
        assert all(matches)
        assert [match[3] for match in matches if match and match[2] == "stdout"] == lines
        assert [match[3] for match in matches if match and match[2] == "stderr"] == ["to stderr"]
        assert stored == sorted(stored, key=lambda line: line[:30])
    cut = file_logs.invoke(name, {"lines": ["x" * 1000], "times": 1200})
    assert (cut.status, cut.json["logs"]) == (200, [])
    stored = logs_of(file_logs, cut)
    assert stored[-1][31:] == "stderr: Logs were truncated because the total bytes size exceeds the limit of 1048576 bytes."
    assert sum(len(line) + 1 for line in stored[:-1]) <= 1024 * 1024
    assert len(stored) > 900
    assert file_logs.invoke(name).cold


def test_a_last_line_without_an_end_is_a_line(logging, name):
    logging.action(name, PRINTING)
    stored = logs_of(logging, logging.invoke(name, {"unfinished": True}))
    assert [line.split(" ", 1)[1] for line in stored] == ["no newline"]


def test_with_a_log_limit_of_zero_nothing_is_collected(logging, name):
    logging.action(name, PRINTING, limits={"logs": 0})
    for _ in range(2):
        assert logs_of(logging, logging.invoke(name, {"lines": ["one"]})) == []


def test_logs_survive_an_exception_and_a_failed_start(logging, name):
    logging.action(name, "print('loading')\ndef main(args):\n    print('running')\n    raise ValueError('no')\n")
    stored = logs_of(logging, logging.invoke(name))
    assert [line.split(" ", 1)[1] for line in stored] == ["loading", "running"]


def test_logs_of_a_node_action_are_collected_too(logging, name):
    logging.action(name, "function main() { console.log('from node'); return {} }", kind="nodejs:default")
    for _ in range(2):
        stored = logs_of(logging, logging.invoke(name))
        assert [line.split(" ", 1)[1] for line in stored] == ["from node"]


def test_a_container_whose_sentinel_does_not_come_is_destroyed(logging, name):
    logging.action(name, "import os\ndef main(args):\n    os.write(1, b'still there\\n')\n    os.close(1)\n    return {}\n")
    reply = logging.invoke(name)
    assert reply.status == 200
    assert [line.split(" ", 1)[1] for line in logs_of(logging, reply)] == ["still there"]
    assert logging.invoke(name).cold


def test_a_long_output_does_not_block_the_action(logging, name):
    logging.action(name, "def main(args):\n    for i in range(20000):\n        print('x' * 99)\n    return {}\n")
    stored = logs_of(logging, logging.invoke(name))
    assert len(stored) == 20_000


def test_where_logs_are_out_of_band_records_have_none(api, name):
    api.action(name, PRINTING)
    reply = api.invoke(name, {"lines": ["one"]})
    assert api.record(reply.json["activationId"])["logs"] == []
    logs = api.request("GET", f"{BASE}/activations/{reply.json['activationId']}/logs").json
    assert logs == {"logs": ["Logs are not available."]}
