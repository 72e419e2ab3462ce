"""The failure table, line by line, and what holds for any reply whatever."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.openwhisk.embedded.outcomes import Ending, Status, after_init, after_run, no_container, out_of_memory
from owray.http1.client import Reply

LIMIT_MS = 1000
RESULT_BYTES = 100


def run(heard, elapsed_ms=1):
    return after_run(heard, elapsed_ms, LIMIT_MS, RESULT_BYTES)


def reply(status, text):
    return Reply(status, text.encode())


INVALID = "The action did not produce a valid JSON or JSON Array response: "


@pytest.mark.parametrize(
    ("heard", "elapsed_ms", "status", "result", "size", "keeps", "out_of_time"),
    [
        (reply(200, '{"a": 1}\n'), 1, Status.SUCCESS, {"a": 1}, 9, True, False),
        (reply(200, "[1, 2]"), 1, Status.SUCCESS, [1, 2], 6, True, False),
        (reply(200, '{"a":1,"error": null}'), 1, Status.APPLICATION_ERROR, {"error": None}, 21, True, False),
        (reply(200, '{"error": {"x": [1]}}'), 1, Status.APPLICATION_ERROR, {"error": {"x": [1]}}, 21, True, False),
        (reply(200, "null"), 1, Status.DEVELOPER_ERROR, {"error": INVALID + "null"}, 4, False, False),
        (reply(200, '{"a":'), 1, Status.DEVELOPER_ERROR, {"error": INVALID + '{"a":'}, 5, False, False),
        (reply(200, '{"a": NaN}'), 1, Status.DEVELOPER_ERROR, {"error": INVALID + '{"a": NaN}'}, 10, False, False),
        (reply(400, '{"error": "command exited"}'), 1, Status.DEVELOPER_ERROR, {"error": "command exited"}, 27, False, False),
        (reply(502, "oops"), 1, Status.DEVELOPER_ERROR, {"error": INVALID + "oops"}, 4, False, False),
        (reply(200, ""), 1, Status.DEVELOPER_ERROR, {"error": INVALID.replace(": ", ".")}, 0, False, False),
        (reply(502, "[1]"), 1, Status.DEVELOPER_ERROR, {"error": INVALID + "[1]"}, 3, False, False),
        (
            Ending.BROKEN,
            1,
            Status.DEVELOPER_ERROR,
            {"error": "The action did not produce a valid response and exited unexpectedly."},
            None,
            False,
            False,
        ),
        (
            reply(200, "{}"),
            LIMIT_MS,
            Status.DEVELOPER_ERROR,
            {"error": "The action exceeded its time limits of 1000 milliseconds."},
            None,
            False,
            True,
        ),
        (
            Ending.OUT_OF_TIME,
            LIMIT_MS - 1,
            Status.DEVELOPER_ERROR,
            {"error": "The action exceeded its time limits of 1000 milliseconds."},
            None,
            False,
            True,
        ),
    ],
)
def test_a_run_is_judged_by_the_table(heard, elapsed_ms, status, result, size, keeps, out_of_time):
    outcome = run(heard, elapsed_ms)
    assert outcome.status is status
    assert json.loads(outcome.result) == result
    assert (outcome.size, outcome.keeps_container, outcome.out_of_time) == (size, keeps, out_of_time)


def test_a_reply_that_is_too_long_is_cut_and_keeps_the_container():
    outcome = run(reply(200, json.dumps({"x": "y" * 200})))
    assert outcome.status is Status.APPLICATION_ERROR
    assert outcome.keeps_container
    assert outcome.size == 209
    text = json.loads(outcome.result)["error"]
    assert text == (
        'The action produced a response that exceeded the allowed length: 209 > 100 bytes. The truncated response was: {"x": "' + "y" * 93
    )


def test_of_a_reply_that_was_not_kept_whole_the_length_is_told():
    outcome = run(Reply(200, b"y" * 120, left_out=10**9))
    assert outcome.size == 10**9 + 120
    assert json.loads(outcome.result)["error"].startswith(
        "The action produced a response that exceeded the allowed length: 1000000120 > 100 bytes. The truncated response was: yyy"
    )


def test_json_that_is_nested_too_deep_to_be_read_is_no_valid_response():
    for text in ("[" * 100_000 + "]" * 100_000, '{"error":' * 50_000 + "1" + "}" * 50_000):
        for status in (200, 502):
            outcome = after_run(reply(status, text), 1, LIMIT_MS, 10**6)
            assert outcome.status is Status.DEVELOPER_ERROR
            assert json.loads(outcome.result)["error"].startswith(INVALID)


def test_exhausted_memory_is_a_developer_error_and_ends_the_container():
    outcome = out_of_memory()
    assert (outcome.status, outcome.keeps_container) == (Status.DEVELOPER_ERROR, False)
    assert json.loads(outcome.result) == {"error": "The action exhausted its memory and was aborted."}


@pytest.mark.parametrize(
    ("heard", "elapsed_ms", "error"),
    [
        (reply(502, '{"error": "no main"}'), 1, "no main"),
        (reply(502, "oops"), 1, "The action failed during initialization: oops"),
        (reply(502, ""), 1, "The action failed during initialization."),
        (reply(502, "oops"), LIMIT_MS, "The action exceeded its time limits of 1000 milliseconds during initialization."),
        (Ending.OUT_OF_TIME, LIMIT_MS, "The action exceeded its time limits of 1000 milliseconds during initialization."),
        (Ending.BROKEN, 1, "The action did not initialize and exited unexpectedly."),
    ],
)
def test_a_failed_init_is_a_developer_error_and_ends_the_container(heard, elapsed_ms, error):
    outcome = after_init(heard, elapsed_ms, LIMIT_MS)
    assert outcome is not None
    assert outcome.status is Status.DEVELOPER_ERROR
    assert json.loads(outcome.result) == {"error": error}
    assert not outcome.keeps_container


def test_an_init_that_is_answered_is_good_however_long_it_took():
    assert after_init(reply(200, "anything"), 10 * LIMIT_MS, LIMIT_MS) is None


def test_without_a_container_it_is_the_platforms_error():
    assert no_container().status is Status.PLATFORM_ERROR
    assert json.loads(no_container().result) == {"error": "Failed to provision resources to run the action."}


@given(st.binary(max_size=200), st.sampled_from([200, 400, 500, 502]))
def test_whatever_a_runtime_replies_the_result_is_an_object_or_an_array(body, status):
    outcome = run(Reply(status, body))
    assert isinstance(json.loads(outcome.result), dict | list)
    assert outcome.is_array == isinstance(json.loads(outcome.result), list)
    assert status == 200 or outcome.status in (Status.DEVELOPER_ERROR, Status.APPLICATION_ERROR)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "error"), values, max_size=4) | st.lists(values, max_size=4))
def test_a_good_result_comes_through_as_it_was_and_compact(result):
    outcome = after_run(Reply(200, json.dumps(result).encode() + b"\n"), 1, LIMIT_MS, 10**6)
    assert outcome.status is Status.SUCCESS
    assert json.loads(outcome.result) == result
    assert len(outcome.result) <= len(json.dumps(result, separators=(",", ":")))
