"""What is checked of an answer is what the user said, and nothing of an answer that was not ok."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.replies import CHECKSUM, NGINX_HTML, encode, record, refusal, report

from owray.plan.mix import Check
from owray.record.layout import NULL_8, Outcome
from owray.wire.checks import CheckError, checking, complaint_of
from owray.wire.outcome import read
from owray.wire.web_outcome import read_web

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def expecting(value):
    return complaint_of(Check(expect=json.dumps(value)))


def fitting(schema):
    return complaint_of(Check(schema=json.dumps(schema)))


@given(json_values)
def test_everything_is_what_it_is(value):
    assert expecting(value)(value) is None


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_an_object_may_have_more_than_is_expected(wanted, more):
    assert expecting(wanted)({**more, **wanted}) is None


@pytest.mark.parametrize(
    ("wanted", "found", "complaint"),
    [
        ({"a": 1}, {"a": 2}, "it differs at /a"),
        ({"a": 1}, {"b": 1}, "nothing at /a"),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, "nothing at /a/b"),
        ({"a": {"b": 1}}, {"a": 7}, "no object at /a"),
        ({}, [], "no object at /"),
        ({"a": None}, {}, "nothing at /a"),
        ([1, 2], [1, 2, 3], "it differs at /"),
        ([{"a": 1}], [{"a": 1, "b": 2}], "it differs at /"),
        (1, True, "it differs at /"),
        (False, 0, "it differs at /"),
        ([[True]], [[1]], "it differs at /"),
        (None, False, "it differs at /"),
        ("1", 1, "it differs at /"),
    ],
)
def test_what_differs_is_named_by_its_place_without_its_value(wanted, found, complaint):
    assert expecting(wanted)(found) == f"the result is not the expected one: {complaint}"


def test_numbers_are_compared_as_json_has_them():
    assert expecting({"a": [1, 2.0]})({"a": [1.0, 2]}) is None


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "list": {"items": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ({"n": 1, "more": None}, None),
        ({}, "the result does not fit the schema: /required at /"),
        ({"n": "x"}, "the result does not fit the schema: /properties/n/type at /n"),
        ({"n": 1, "list": ["a", 2]}, "the result does not fit the schema: /properties/list/items/type at /list/1"),
    ],
)
def test_a_schema_says_which_rule_is_broken_and_where(found, complaint):
    assert fitting(SCHEMA)(found) == complaint


@given(st.sampled_from([True, {}, SCHEMA, {"not": SCHEMA}, {"uniqueItems": True}, {"maxLength": 3}, {"multipleOf": 0.1}]), json_values)
def test_any_result_can_be_held_against_a_schema(schema, value):
    reading = checking(read, Check(schema=json.dumps(schema)))(200, encode(record({"value": value})), {}.get, None)
    assert (reading.outcome, reading.checked) in ((Outcome.OK, True), (Outcome.WRONG, False))


@pytest.mark.parametrize("draft", ["http://json-schema.org/draft-04/schema#", "https://json-schema.org/draft/2020-12/schema"])
def test_a_schema_is_read_as_the_draft_that_it_names(draft):
    exclusive = {"$schema": draft, "minimum": 1, "exclusiveMinimum": True} if "04" in draft else {"$schema": draft, "exclusiveMinimum": 1}
    assert fitting(exclusive)(1) is not None
    assert fitting(exclusive)(2) is None


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (Check(expect="{"), "it is no JSON: "),
        (Check(expect=""), "it is no JSON: "),
        (Check(schema="{"), "it is no JSON Schema: "),
        (Check(schema='{"type": "objekt"}'), "it is no JSON Schema: "),
        (Check(schema="[]"), "it is no JSON Schema: "),
        (Check(schema='{"$ref": "http://127.0.0.1:9/schema"}'), "it is no JSON Schema: "),
        (Check(schema='{"$ref": "file:///etc/hostname"}'), "it is no JSON Schema: "),
    ],
)
def test_a_check_that_cannot_be_made_is_refused_in_one_line_and_nothing_is_fetched(check, message):
    with pytest.raises(CheckError, match=message) as caught:
        complaint_of(check)
    assert "\n" not in str(caught.value)


def test_the_result_within_the_record_is_what_is_checked():
    reader = checking(read, Check(expect='{"n": 1}', schema=json.dumps(SCHEMA)))
    good = reader(200, encode(record({"n": 1, "m": 2}, init_ms=7)), {}.get, None)
    assert (good.outcome, good.checked, good.error, good.init_ms, good.duration_ms) == (Outcome.OK, True, None, 7, 26)
    bad = reader(200, encode(record({"n": 2}, init_ms=7)), {}.get, None)
    assert (bad.outcome, bad.checked, bad.init_ms) == (Outcome.WRONG, False, 7)
    assert bad.error == "the result is not the expected one: it differs at /n"


def test_a_bare_array_is_checked_too():
    assert checking(read, Check(expect="[1]"))(200, b"[1]", {}.get, None).checked is True
    assert checking(read, Check(expect="[1]"))(200, b"[2]", {}.get, None).outcome == Outcome.WRONG


def test_a_checksum_counts_beside_a_check():
    reader = checking(read, Check(expect='{"n": 5}'))
    assert reader(200, encode(record(report())), {}.get, CHECKSUM).outcome == Outcome.OK
    assert reader(200, encode(record(report())), {}.get, "another").error == "the checksum differs from the expected one"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, encode(record({"error": "x"}, status="application error"))),
        (429, encode(refusal("Too many requests"))),
        (202, b"{}"),
        (503, NGINX_HTML.encode()),
    ],
)
def test_what_was_not_ok_is_not_checked(status, body):
    reading = checking(read, Check(expect="{}"))(status, body, {}.get, None)
    assert reading == read(status, body, {}.get, None)
    assert reading.checked == NULL_8


def test_a_body_that_is_no_json_fails_every_check():
    reading = checking(read_web, Check(schema="true"))(200, b"<html>", {}.get, None)
    assert (reading.outcome, reading.error) == (Outcome.WRONG, "the result is no JSON")


def test_a_result_too_deep_to_look_at_is_wrong_not_a_crash():
    deep = b"[" * 900 + b"]" * 900
    for check in (Check(schema='{"type": "object"}'), Check(expect=json.dumps(json.loads(deep[1:-1])))):
        assert checking(read_web, check)(200, deep, {}.get, None).outcome == Outcome.WRONG
