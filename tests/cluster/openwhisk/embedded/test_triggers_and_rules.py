"""Triggers and rules beyond the conformance checklist: what is stored, and what becomes of rules when things go away."""

import json

import pytest
from support.api import BASE, GATED, WHO, eventually

ECHO = "def main(args):\n    return args\n"


class Scene:
    """A trigger, a rule and an action, called `name` with -t, -r and -a."""

    def __init__(self, api, name):
        self.api, self.name = api, name

    def put(self, what, body, query="overwrite=true"):
        return self.api.request("PUT", f"{BASE}/{what}s/{self.name}-{what[0]}", body, query=query)

    def get(self, what):
        return self.api.request("GET", f"{BASE}/{what}s/{self.name}-{what[0]}")

    def delete(self, what):
        return self.api.request("DELETE", f"{BASE}/{what}s/{self.name}-{what[0]}")

    def rule(self):
        return self.put("rule", {"trigger": f"/_/{self.name}-t", "action": f"/guest/{self.name}-a"})

    def set_status(self, status):
        return self.api.request("POST", f"{BASE}/rules/{self.name}-r", {"status": status})

    def fire(self, payload=None):
        return self.api.request("POST", f"{BASE}/triggers/{self.name}-t", payload)

    def lines(self, fired):
        return [json.loads(line) for line in self.api.record(fired.json["activationId"])["logs"]]


@pytest.fixture
def scene(api, name):
    scene = Scene(api, name)
    api.action(f"{name}-a", ECHO)
    assert scene.put("trigger", {"annotations": [{"key": "old", "value": 1}]}).status == 200
    assert scene.rule().status == 200
    return scene


def test_a_trigger_is_stored_with_its_parameters_and_rules(scene):
    name = scene.name
    made = scene.put("trigger", {"parameters": [{"key": "k", "value": 1}], "annotations": [{"key": "new", "value": 1}]})
    assert made.status == 200
    assert made.json["version"] == "0.0.2"
    assert made.json["annotations"] == [{"key": "new", "value": 1}]
    assert made.json["limits"] == {}
    assert scene.get("trigger").json["rules"] == {
        f"guest/{name}-r": {"action": {"path": "guest", "name": f"{name}-a"}, "status": "active"},
    }
    kept = scene.put("trigger", {}).json
    assert (kept["version"], kept["parameters"]) == ("0.0.3", [{"key": "k", "value": 1}])


def test_a_rule_is_listed_without_its_status(scene):
    name = scene.name
    expected = {"trigger": {"path": "guest", "name": f"{name}-t"}, "action": {"path": "guest", "name": f"{name}-a"}}
    (listed,) = scene.api.request("GET", f"{BASE}/rules", query="limit=1").json
    assert {key: listed[key] for key in expected} == expected
    assert "status" not in listed
    assert scene.get("rule").json == listed | {"status": "active"}


@pytest.mark.parametrize("collection", ["triggers", "rules"])
def test_listings_are_paged_and_counted_as_all_are(api, scene, collection):
    assert api.request("GET", f"{BASE}/{collection}", query="limit=201").status == 400
    assert len(api.request("GET", f"{BASE}/{collection}", query="limit=1").json) == 1
    count = api.request("GET", f"{BASE}/{collection}", query="count=true").json[collection]
    assert count == len(api.request("GET", f"{BASE}/{collection}", query="limit=0").json) >= 1
    assert api.request("GET", f"{BASE}/{collection}", query=f"count=true&skip={count + 1}").json == {collection: 0}


def test_a_fire_leaves_the_listings_of_triggers_and_the_versions_as_they_are(scene):
    first = scene.put("trigger", {}).json["updated"]
    scene.put("rule", {})
    scene.set_status("inactive")
    stored = scene.get("trigger").json
    assert (stored["version"], stored["updated"]) == ("0.0.2", first)


def test_names_are_shared_by_all_collections(api, scene):
    name = scene.name
    text = "Resource by this name exists but is not in this collection."
    for method, path, body in (
        ("GET", f"triggers/{name}-a", None),
        ("PUT", f"rules/{name}-t", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-a"}),
        ("POST", f"actions/{name}-t", None),
        ("POST", f"triggers/{name}-r", None),
        ("DELETE", f"rules/{name}-a", None),
    ):
        reply = api.request(method, f"{BASE}/{path}", body)
        assert (reply.status, reply.error) == (409, text)


def test_existing_ones_are_replaced_only_on_request_and_missing_ones_are_404(api, scene, name):
    for what, body in (("trigger", {}), ("rule", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-a"})):
        again = scene.put(what, body, query="")
        assert (again.status, again.error) == (409, "resource already exists")
    for path in (f"triggers/{name}-none", f"rules/{name}-none"):
        assert api.request("GET", f"{BASE}/{path}").status == 404
        assert api.request("DELETE", f"{BASE}/{path}").status == 404
        assert api.request("POST", f"{BASE}/{path}", {"status": "active"}).status == 404


@pytest.mark.parametrize(
    ("trigger", "action", "text"),
    [
        ("/_/{}-no", "/_/{}-a", "trigger /guest/{}-no does not exist"),
        ("/_/{}-t", "guest/{}-no", "action /guest/{}-no does not exist"),
        ("/_/{}-t", "/_/{}-r", "action /guest/{}-r does not exist"),
        ("/_/{}-t", None, "rule requires a valid trigger and a valid action"),
        (None, "/_/{}-a", "rule requires a valid trigger and a valid action"),
    ],
)
def test_a_rule_needs_a_trigger_and_an_action_that_exist(api, scene, name, trigger, action, text):
    body = {key: value.format(name) for key, value in (("trigger", trigger), ("action", action)) if value}
    reply = api.request("PUT", f"{BASE}/rules/{name}-new", body)
    assert (reply.status, reply.error) == (400, text.format(name))
    assert reply.headers["access-control-allow-origin"] == "*"


def test_a_rule_in_ones_own_missing_package_is_404_and_of_somebody_else_403(api, scene, name):
    missing = api.request("PUT", f"{BASE}/rules/{name}-new", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-none/a"})
    assert missing.status == 404
    for body in ({"trigger": "/other/t", "action": f"/_/{name}-a"}, {"trigger": f"/_/{name}-t", "action": "/other/a"}):
        assert api.request("PUT", f"{BASE}/rules/{name}-new", body).status == 403


def test_an_inactive_rule_is_told_in_the_record_and_calls_nothing(api, scene, name):
    api.action(f"{name}-b", WHO)
    api.request("PUT", f"{BASE}/rules/{name}-other", {"trigger": f"/_/{name}-t", "action": f"/_/{name}-b"})
    assert scene.set_status("inactive").status == 200
    assert scene.set_status("inactive").body == b"OK"
    inactive, active = scene.lines(scene.fire())
    assert inactive == {
        "statusCode": 1,
        "success": False,
        "rule": f"guest/{name}-r",
        "action": f"guest/{name}-a",
        "error": f"Rule 'guest/{name}-r' is inactive, action 'guest/{name}-a' was not activated.",
    }
    assert api.record(active["activationId"])["name"] == f"{name}-b"


def test_a_rule_whose_action_is_gone_is_told_in_the_record(scene):
    scene.delete("action")
    (line,) = scene.lines(scene.fire())
    assert (line["statusCode"], line["success"], line["error"]) == (1, False, "The requested resource does not exist.")


def test_a_rule_calls_an_action_in_a_package(api, name, scene):
    api.request("PUT", f"{BASE}/packages/{name}-p", {"parameters": [{"key": "of", "value": "package"}]})
    api.action(f"{name}-p/a", ECHO)
    moved = scene.put("rule", {"action": f"/_/{name}-p/a"}).json
    assert moved["action"] == {"path": f"guest/{name}-p", "name": "a"}
    (line,) = scene.lines(scene.fire({"n": 1}))
    assert line["action"] == f"guest/{name}-p/a"
    result = api.record(line["activationId"])["response"]["result"]
    assert (result["of"], result["n"]) == ("package", 1)


def test_a_rule_calls_a_sequence(api, name, scene):
    body = {"exec": {"kind": "sequence", "components": [f"/_/{name}-a"]}}
    api.request("PUT", f"{BASE}/actions/{name}-s", body)
    scene.put("rule", {"action": f"/_/{name}-s"})
    (line,) = scene.lines(scene.fire({"n": 1}))
    record = api.record(line["activationId"])
    assert record["response"]["result"]["n"] == 1
    assert api.record(record["logs"][0])["cause"] == line["activationId"]


def test_a_rule_is_inactive_from_when_its_trigger_is_deleted_until_somebody_says_otherwise(scene):
    scene.delete("trigger")
    assert scene.get("rule").json["status"] == "inactive"
    refused = scene.set_status("active")
    assert (refused.status, refused.error) == (404, "Only rules with existing triggers can be activated")
    assert scene.set_status("inactive").status == 200
    assert scene.put("trigger", {}).status == 200
    assert scene.get("rule").json["status"] == "inactive"
    assert scene.fire().status == 204
    assert scene.set_status("active").status == 200
    assert scene.fire().status == 202


def test_a_rule_keeps_its_status_when_it_is_replaced_and_moved_to_another_trigger(api, scene, name):
    scene.set_status("inactive")
    replaced = scene.put("rule", {"annotations": [{"key": "k", "value": 1}]}).json
    assert (replaced["status"], replaced["version"]) == ("inactive", "0.0.2")
    api.request("PUT", f"{BASE}/triggers/{name}-second", {})
    assert scene.put("rule", {"trigger": f"/_/{name}-second"}).json["status"] == "inactive"
    assert "rules" not in scene.get("trigger").json
    assert list(api.request("GET", f"{BASE}/triggers/{name}-second").json["rules"]) == [f"guest/{name}-r"]


def test_a_deleted_rule_is_inactive_and_gone_from_its_trigger(scene):
    deleted = scene.delete("rule")
    assert (deleted.status, deleted.json["status"]) == (200, "inactive")
    assert "rules" not in scene.get("trigger").json
    assert scene.fire().status == 204


@pytest.mark.parametrize("body", [{}, {"status": "on"}, {"status": 1}, [1]])
def test_a_status_is_active_or_inactive(scene, body):
    reply = scene.api.request("POST", f"{BASE}/rules/{scene.name}-r", body)
    assert reply.status == 400
    assert reply.error.startswith("The request content was malformed:\n")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [([1], {}, 400), (b"{", {"Content-Type": "application/json"}, 400), (b"{}", {"Content-Type": "text/plain"}, 415), (b"", {}, 202)],
)
def test_a_fire_takes_an_object_or_nothing(api, scene, body, headers, status):
    assert api.request("POST", f"{BASE}/triggers/{scene.name}-t", body, headers).status == status


def test_too_large_a_fire_and_too_large_parameters_are_413(scene):
    assert scene.fire({"text": "x" * 1_048_576}).status == 413
    assert scene.put("trigger", {"parameters": [{"key": "k", "value": "x" * 1_048_576}]}).status == 413
    assert scene.put("rule", {"annotations": [{"key": "k", "value": "x" * 1_048_576}]}).status == 413


def test_a_triggers_activation_is_listed_by_its_name_without_an_end(api, scene):
    fired = scene.fire()
    api.record(fired.json["activationId"])
    (listed,) = api.request("GET", f"{BASE}/activations", query=f"name={scene.name}-t").json
    assert listed["activationId"] == fired.json["activationId"]
    assert listed["statusCode"] == 0
    assert not {"end", "duration"} & set(listed)


def test_fires_have_a_limit_of_their_own_and_rules_take_tokens_of_actions(new_platform):
    with new_platform("bench", fires_per_minute=0, invocations_per_minute=10) as api:
        api.request("PUT", f"{BASE}/triggers/t", {})
        refused = api.request("POST", f"{BASE}/triggers/t")
        assert (refused.status, refused.error) == (429, "Too many requests in the last minute (count: 1, allowed: 0).")
        api.action("a", WHO)
        assert api.invoke("a").status == 200
    with new_platform("bench", invocations_per_minute=0) as api:
        api.action("a", WHO)
        scene = Scene(api, "x")
        scene.put("trigger", {})
        scene.put("rule", {"trigger": "/_/x-t", "action": "/_/a"})
        (line,) = scene.lines(scene.fire())
        assert line["statusCode"] == 1
        assert line["error"] == "Too many requests in the last minute (count: 1, allowed: 0)."


def test_a_rule_is_refused_for_what_is_in_flight_and_the_fire_is_not(new_platform, gate):
    with new_platform("bench", concurrent_invocations=1) as api:
        api.action("a", GATED)
        scene = Scene(api, "x")
        scene.put("trigger", {})
        scene.put("rule", {"trigger": "/_/x-t", "action": "/_/a"})
        first = scene.fire({"gate": str(gate)})
        assert eventually(lambda: scene.lines(first))[0]["statusCode"] == 0
        (line,) = scene.lines(scene.fire({"gate": str(gate)}))
        assert line["error"] == "Too many concurrent requests in flight (count: 1, allowed: 1)."
