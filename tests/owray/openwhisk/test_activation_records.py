"""A record is read as the platform sends it."""

import pytest

from owray.openwhisk.records import Activation

RECORD = {
    "namespace": "guest",
    "name": "align",
    "version": "0.0.1",
    "subject": "guest",
    "activationId": "c1f0" * 8,
    "start": 1_700_000_001_234,
    "end": 1_700_000_001_260,
    "duration": 26,
    "response": {"status": "success", "success": True, "result": {"checksum": "1c816c60"}, "size": 19},
    "logs": [],
    "publish": False,
    "annotations": [{"key": "kind", "value": "python:3.11"}, {"key": "waitTime", "value": -3}, {"key": "initTime", "value": 21}],
}


def without(key):
    return {**RECORD, "annotations": [annotation for annotation in RECORD["annotations"] if annotation["key"] != key]}


def test_a_record_gives_its_times_kind_and_result():
    record = Activation.from_json(RECORD)
    assert (record.wait_ms, record.init_ms, record.duration_ms) == (-3, 21, 26)
    assert (record.kind, record.result) == ("python:3.11", {"checksum": "1c816c60"})


def test_a_call_was_cold_when_its_record_has_an_init_time():
    assert Activation.from_json(RECORD).cold
    assert not Activation.from_json(without("initTime")).cold


def test_a_record_without_waiting_time_says_so_instead_of_zero():
    assert Activation.from_json(without("waitTime")).wait_ms is None


def test_the_record_of_a_trigger_has_no_end():
    trigger = {key: value for key, value in RECORD.items() if key not in ("end", "duration")}
    assert Activation.from_json(trigger).end_ms is None


def test_something_else_is_no_record():
    with pytest.raises(KeyError):
        Activation.from_json({"activationId": "x"})
