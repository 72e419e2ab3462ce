"""What platforms say of themselves, as ceilings take it."""

import pytest

from owray.openwhisk.deploy import Deployed
from owray.openwhisk.target import Target
from owray.storm.deploying import PreparedPlatform
from owray.storm.supply import OPENWHISK_PAYLOAD_BYTES, supply_of

THERE = Target("https://openwhisk.example", "uuid:key", namespace="guest")
HERE = Target("http://127.0.0.1:3233", "uuid:key")


NOOP = Deployed("noop", "python:3", "0.0.1", changed=False)


def supply(target=THERE, info=None, limits=None, deployed=(NOOP,)):
    return supply_of(PreparedPlatform(info or {}, {}, limits or {}, (), deployed, ()), target)


def test_the_namespaces_own_limits_come_before_the_systems():
    system = {"limits": {"actions_per_minute": 120, "concurrent_actions": 100}}
    told = supply(info=system, limits={"invocationsPerMinute": 6000})
    assert (told.calls_a_minute, told.concurrent_calls) == (6000, 100)


def test_somebody_elses_web_action_has_limits_that_are_not_told():
    told = supply(limits={"invocationsPerMinute": 6000, "firesPerMinute": 60}, deployed=())
    assert (told.calls_a_minute, told.concurrent_calls, told.fires_a_minute) == (None, None, None)


def test_a_platform_elsewhere_tells_neither_memory_nor_cores():
    told = supply()
    assert (told.calls_a_minute, told.memory_mb, told.cores, told.profile) == (None, None, None, None)
    assert supply(HERE).cores is not None


def test_owrays_own_platform_tells_both():
    embedded = {"profile": "helm", "container_cores": 3, "knobs": {"user_memory_mb": 2048, "payload_bytes": 77}}
    told = supply(HERE, {"embedded": embedded})
    assert (told.memory_mb, told.cores, told.payload_bytes, told.profile) == (2048, 3, 77, "helm")


@pytest.mark.parametrize(("text", "size"), [("1 MB", 1 << 20), ("1048576 B", 1 << 20), ("512 k", 512 << 10), ("much", None), (5, None)])
def test_sizes_are_read_as_openwhisk_writes_them(text, size):
    assert supply(limits={"maxPayloadSize": text}).payload_bytes == (size or OPENWHISK_PAYLOAD_BYTES)


@pytest.mark.parametrize("odd", [{"limits": []}, {"limits": {"actions_per_minute": "60"}}, {"embedded": 1}, {"embedded": {"knobs": None}}])
def test_an_odd_answer_is_one_that_tells_nothing(odd):
    assert (supply(info=odd).calls_a_minute, supply(info=odd).memory_mb) == (None, None)


def test_a_namespace_without_a_name_is_left_for_the_reader_to_fill_in():
    assert supply().namespace == "guest"
    assert supply(HERE).namespace == "NAMESPACE"
