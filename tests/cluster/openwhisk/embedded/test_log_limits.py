"""Logs of a cluster's store where something is amiss: too much of them, no end to them, or no run to go with them."""

import time

from support.api import BASE

DYING = """
import os
def main(args):
    os.write(1, b"a line\\n")
    os.write(2, b"and one without an end")
    os._exit(1)
"""

FLOOD = """
import os
def main(args):
    block = (b"x" * 63 + b"\\n") * 1024
    for _ in range(args["megabytes"] * 16):
        os.write(1, block)
    return {}
"""


def texts_of(api, reply):
    """Stream and text of each line; times are another test's."""
    return [line[31:] for line in api.record(reply.json["activationId"])["logs"]]


def test_a_flood_is_cut_at_the_limit_and_delays_nobody_else(file_logs, name):
    file_logs.action(name, FLOOD)
    file_logs.action(f"{name}b", "def main(args):\n    return {}\n")
    file_logs.invoke(f"{name}b")
    flooding = file_logs.start(name, {"megabytes": 50})
    slowest_s = 0.0
    while not flooding.done():
        begun = time.monotonic()
        assert file_logs.invoke(f"{name}b").status == 200
        slowest_s = max(slowest_s, time.monotonic() - begun)
    assert slowest_s < 5
    reply = flooding.result()
    assert reply.status == 200
    texts = texts_of(file_logs, reply)
    assert texts[0] == "stdout: " + "x" * 63
    assert texts[-1] == "stderr: Logs were truncated because the total bytes size exceeds the limit of 10485760 bytes."
    assert len(texts) == 10 * 1024 * 1024 // (39 + 64) + 1


def test_an_action_that_ends_its_process_leaves_all_that_it_has_printed(file_logs, name):
    file_logs.action(name, DYING)
    reply = file_logs.invoke(name)
    assert reply.status == 502
    assert sorted(texts_of(file_logs, reply)[:-1]) == ["stderr: and one without an end", "stdout: a line"]


def test_after_a_developer_error_the_platform_says_that_data_might_be_missing(file_logs, name):
    file_logs.action(name, DYING)
    warning = "stderr: The action did not initialize or run as expected. Log data might be missing."
    assert texts_of(file_logs, file_logs.invoke(name))[-1] == warning
    file_logs.action(name, "raise ValueError('not today')\n")
    texts = texts_of(file_logs, file_logs.invoke(name))
    assert "stderr: ValueError: not today" in texts
    assert texts[-1] == warning


def test_an_application_error_is_no_reason_for_a_remark(file_logs, name):
    file_logs.action(name, "def main(args):\n    print('one')\n    return {'error': 'no'}\n")
    assert texts_of(file_logs, file_logs.invoke(name)) == ["stdout: one"]


def test_what_was_printed_before_a_sentinel_went_missing_is_kept(file_logs, name):
    file_logs.action(name, "import os\ndef main(args):\n    os.write(1, b'seen\\n')\n    os.close(1)\n    return {}\n")
    reply = file_logs.invoke(name)
    assert reply.status == 200
    assert texts_of(file_logs, reply) == [
        "stdout: seen",
        "stderr: There was an issue while collecting your logs. Data might be missing.",
    ]
    assert file_logs.invoke(name).cold


def test_with_a_limit_of_zero_nothing_is_collected_and_the_container_stays(file_logs, name):
    file_logs.action(name, FLOOD, limits={"logs": 0})
    assert [file_logs.invoke(name, {"megabytes": 12}).cold for _ in range(2)] == [True, False]
    reply = file_logs.invoke(name, {"megabytes": 0})
    assert texts_of(file_logs, reply) == []


def test_reading_logs_takes_its_time_whatever_became_of_the_run(new_platform, name):
    """Until then the record is not there: this is how long a client has to poll."""
    with new_platform("helm", log_delay_ms=1000) as api:
        for suffix, code in {"good": "return {}", "bad": "raise SystemExit"}.items():
            api.action(name + suffix, f"def main(args):\n    {code}\n")
            reply = api.invoke(name + suffix)
            assert api.request("GET", f"{BASE}/activations/{reply.json['activationId']}").status == 404
            api.record(reply.json["activationId"])
