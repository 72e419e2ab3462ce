"""What may be asked of a listing of activations, and what is said of a bad question."""

import pytest
from support.api import BASE

ACTIVATIONS = f"{BASE}/activations"
PREFIX = "The query parameter '{}' was malformed:\n"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("since=x", PREFIX.format("since") + "Parameter is not a valid value for epoch seconds: x"),
        ("upto=-1", PREFIX.format("upto") + "Parameter is not a valid value for epoch seconds: -1"),
        ("name=a/b/c", PREFIX.format("name") + "Parameter may be a 'simple' name or 'package-name/simple' name: a/b/c"),
        ("limit=201", PREFIX.format("limit") + "The value '201' is not in the range of 0 to 200 for activations."),
        ("skip=-1", PREFIX.format("skip") + "The value '-1' is not greater than or equal to 0 for activations."),
        ("docs=true&count=true", "The parameter 'docs' is not permitted with 'count'."),
    ],
)
def test_a_bad_question_is_told_what_is_wrong_with_it(api, query, text):
    reply = api.request("GET", ACTIVATIONS, query=query)
    assert (reply.status, reply.error) == (400, text)


def test_counts_and_pages_go_together(api, name):
    api.action(name, "def main(args):\n    return {}\n")
    ids = [api.invoke(name).json["activationId"] for _ in range(5)]
    for skip in range(7):
        counted = api.request("GET", ACTIVATIONS, query=f"name={name}&count=true&skip={skip}").json
        listed = api.request("GET", ACTIVATIONS, query=f"name={name}&skip={skip}&limit=0").json
        assert counted == {"activations": len(listed)} == {"activations": max(0, 5 - skip)}
    assert {entry["activationId"] for entry in api.request("GET", ACTIVATIONS, query=f"name={name}").json} == set(ids)
    assert api.request("GET", ACTIVATIONS, query=f"name={name}&since=2&upto=1").json == []
    assert api.request("GET", ACTIVATIONS, query="name=nobody").json == []


def test_a_full_listing_holds_the_records_as_they_are(api, name):
    api.action(name, "def main(args):\n    return {'n': [1, 'zwei']}\n")
    record = api.record(api.invoke(name).json["activationId"])
    assert api.request("GET", ACTIVATIONS, query=f"name={name}&docs=true").json == [record]
    summary = api.request("GET", ACTIVATIONS, query=f"name={name}").json[0]
    assert summary == {
        **{
            key: record[key]
            for key in ("namespace", "name", "version", "publish", "annotations", "activationId", "start", "end", "duration")
        },
        "statusCode": 0,
    }


def test_conformance_28_an_action_in_a_package_goes_by_both_names(api, name):
    code = "def main(args):\n    return {}\n"
    assert api.request("PUT", f"{BASE}/packages/{name}p", {}).status == 200
    calls = {}
    for path in (name, f"{name}p/{name}"):
        api.action(path, code)
        calls[path] = api.invoke(path).json["activationId"]
    for path, activation in calls.items():
        assert [entry["activationId"] for entry in api.request("GET", ACTIVATIONS, query=f"name={path}").json] == [activation]
