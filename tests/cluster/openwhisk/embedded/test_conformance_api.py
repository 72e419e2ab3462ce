"""The API's conventions: credentials, ids, actions and their limits, listings. Numbers are those of the conformance checklist."""

import os

import pytest
from support.api import BASE


def test_conformance_01_without_a_key_or_with_a_wrong_one_a_call_is_401_and_the_code_is_the_transaction(api):
    missing = api.request("GET", f"{BASE}/actions", auth=None)
    wrong = api.request("GET", f"{BASE}/actions", auth=api.auth[:-1] + "_")
    short = api.request("GET", f"{BASE}/actions", auth=api.auth[:-1])
    assert [reply.status for reply in (missing, wrong, short)] == [401, 401, 401]
    assert missing.error == "The resource requires authentication, which was not supplied with the request"
    assert wrong.error == short.error == "The supplied authentication is invalid"
    assert wrong.headers["www-authenticate"].startswith('Basic realm="OpenWhisk secure realm"')
    assert wrong.headers["content-type"] == "application/json"
    for reply in (missing, wrong, short):
        assert set(reply.json) == {"error", "code"}
        assert isinstance(reply.json["code"], str)
        assert reply.json["code"] == reply.headers["x-request-id"]
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + "YQ==", "Bearer abc", "Basic gICA"])
def test_an_authorization_header_that_is_none_is_401(api, header):
    assert api.request("GET", f"{BASE}/actions", headers={"Authorization": header}, auth=None).status == 401


def test_conformance_02_a_request_id_is_echoed_unless_it_pretends_to_be_the_platforms(api):
    echoed = api.request("GET", "/ping", headers={"X-Request-ID": "abc"})
    replaced = api.request("GET", "/ping", headers={"X-Request-ID": "sid_x"})
    made = api.request("GET", "/ping")
    assert echoed.headers["x-request-id"] == "abc"
    assert replaced.headers["x-request-id"] != "sid_x"
    assert all(len(reply.headers["x-request-id"]) == 32 and reply.headers["x-request-id"].isalnum() for reply in (replaced, made))
    listed = api.request("GET", f"{BASE}/actions", headers={"X-Request-ID": "abc"})
    missing = api.request("GET", f"{BASE}/actions/none", headers={"X-Request-ID": "abc"})
    assert (listed.status, listed.headers["x-request-id"]) == (200, "abc")
    assert (missing.status, missing.headers["x-request-id"], missing.json["code"]) == (404, "abc", "abc")


def test_conformance_03_a_second_put_needs_overwrite_and_makes_a_new_version(api, name):
    body = {"exec": {"kind": "python:default", "code": "def main(args):\n    return {}\n"}}
    first = api.request("PUT", f"{BASE}/actions/{name}", body)
    refused = api.request("PUT", f"{BASE}/actions/{name}", body)
    again = api.request("PUT", f"{BASE}/actions/{name}", body, query="overwrite=true")
    assert (first.status, first.json["version"]) == (200, "0.0.1")
    assert (refused.status, refused.error) == (409, "resource already exists")
    assert (again.status, again.json["version"]) == (200, "0.0.2")


def test_a_put_inherits_what_it_does_not_name_and_merges_annotations_and_limits(api, name):
    api.action(
        name,
        "def main(args):\n    return args\n",
        parameters=[{"key": "p", "value": 1}],
        annotations=[{"key": "a", "value": 1}, {"key": "b", "value": 2}],
        limits={"timeout": 1000, "logs": 0},
    )
    body = {"annotations": [{"key": "b", "value": 3}], "limits": {"memory": 128}, "delAnnotations": ["a"], "unknown": [1], "namespace": "x"}
    updated = api.request("PUT", f"{BASE}/actions/{name}", body, query="overwrite=true").json
    assert updated["parameters"] == [{"key": "p", "value": 1}]
    assert updated["limits"] == {"timeout": 1000, "memory": 128, "logs": 0, "concurrency": 1}
    annotations = {pair["key"]: pair["value"] for pair in updated["annotations"]}
    assert annotations == {"b": 3, "provide-api-key": False, "exec": updated["exec"]["kind"]}
    assert updated["exec"]["code"] == "def main(args):\n    return args\n"
    assert updated["namespace"] == "guest"


def test_conformance_04_the_default_kind_comes_back_resolved_and_an_unknown_one_is_refused_with_the_valid_ones(api, name):
    resolved = api.action(name, "def main(args):\n    return {}\n").json
    kinds = {entry["kind"] for family in api.request("GET", "/").json["runtimes"].values() for entry in family}
    assert resolved["exec"]["kind"] in kinds
    assert resolved["exec"]["kind"].startswith("python:3.")
    assert resolved["exec"]["binary"] is False
    refused = api.request("PUT", f"{BASE}/actions/{name}", {"exec": {"kind": "cobol:85", "code": "x"}}, query="overwrite=true")
    assert refused.status == 400
    assert "The specified runtime 'cobol:85' is not supported by this platform. Valid values are: " in refused.error
    assert all(f"'{kind}'" in refused.error for kind in (*kinds, "python:default"))


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"timeout": 99}, "duration 99 milliseconds below allowed threshold of 100 milliseconds"),
        ({"timeout": 300_001}, "duration 300001 milliseconds exceeds allowed threshold of 300000 milliseconds"),
        ({"memory": 127}, "memory size 127 MB below allowed threshold of 128 MB"),
        ({"memory": 513}, "memory size 513 MB exceeds allowed threshold of 512 MB"),
        ({"logs": 11}, "log size 11 MB exceeds allowed threshold of 10 MB"),
        ({"concurrency": 2}, "concurrency 2 exceeds allowed threshold of 1"),
    ],
)
def test_conformance_05_limits_outside_their_range_are_refused(api, name, limits, text):
    reply = api.request("PUT", f"{BASE}/actions/{name}", {"exec": {"kind": "python:default", "code": "x = 1"}, "limits": limits})
    assert (reply.status, reply.error) == (400, text)
    assert api.request("GET", f"{BASE}/actions/{name}").status == 404


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "exec undefined"),
        ({"exec": {"kind": "python:default"}}, "The request content was malformed:\n'code' must be"),
        ({"exec": "x"}, "The request content was malformed:\n"),
        ([], "The request content was malformed:\n"),
        (b"{", "The request content was malformed:\n"),
        (b"\xff", "The request content was malformed:\n"),
        ({"exec": {"kind": "python:default", "code": "x = 1"}, "version": "new"}, "The request content was malformed:\n"),
    ],
)
def test_a_put_that_makes_no_action_is_400(api, name, body, text):
    reply = api.request("PUT", f"{BASE}/actions/{name}", body, headers={"Content-Type": "application/json"})
    assert reply.status == 400
    assert reply.error.startswith(text)


def test_a_put_with_too_much_in_it_is_413(api, name):
    parameters = {"exec": {"kind": "python:default", "code": "x = 1"}, "parameters": [{"key": "p", "value": "x" * 1_048_577}]}
    reply = api.request("PUT", f"{BASE}/actions/{name}", parameters)
    assert reply.status == 413
    assert reply.error.startswith("parameters larger than allowed: ")
    assert reply.error.endswith(" > 1048576 bytes.")


def test_conformance_06_listings_are_newest_first_and_paged(new_platform):
    with new_platform() as api:
        for number in range(33):
            api.action(f"action{number:02}", "def main(args):\n    return {}\n")
        listed = api.request("GET", f"{BASE}/actions").json
        assert [entry["name"] for entry in listed] == [f"action{number:02}" for number in range(32, 2, -1)]
        assert set(listed[0]) == {"namespace", "name", "version", "publish", "annotations", "limits", "updated", "exec"}
        assert listed[0]["exec"] == {"binary": False}
        assert len(api.request("GET", f"{BASE}/actions", query="limit=0").json) == 33
        assert len(api.request("GET", f"{BASE}/actions/", query="limit=200&skip=30").json) == 3
        assert api.request("GET", f"{BASE}/actions", query="count=true&skip=3").json == {"actions": 30}
        assert api.request("GET", f"{BASE}/actions", query="count=yes&skip=99").json == {"actions": 0}
        too_many = api.request("GET", f"{BASE}/actions", query="limit=201")
        assert too_many.status == 400
        assert too_many.error == (
            "The query parameter 'limit' was malformed:\nThe value '201' is not in the range of 0 to 200 for actions."
        )
        for query in ("limit=x", "skip=-1", "skip=x", "count=perhaps"):
            assert api.request("GET", f"{BASE}/actions", query=query).status == 400


def test_an_action_can_be_read_without_its_code_and_deleted_once(api, name):
    made = api.action(name, "def main(args):\n    return {}\n").json
    assert api.request("GET", f"{BASE}/actions/{name}").json == made
    assert "code" not in api.request("GET", f"{BASE}/actions/{name}", query="code=false").json["exec"]
    deleted = api.request("DELETE", f"{BASE}/actions/{name}")
    assert (deleted.status, deleted.json) == (200, made)
    gone = api.request("DELETE", f"{BASE}/actions/{name}")
    assert (gone.status, gone.error) == (404, "The requested resource does not exist.")
    assert gone.headers["access-control-allow-origin"] == "*"


def test_short_code_that_could_be_base64_is_taken_for_an_archive(api, name):
    assert api.action(name, "abcd").json["exec"]["binary"] is True
    assert api.action(name, "ab cd").json["exec"]["binary"] is False


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("actions/%20x", "The name of the entity contains illegal characters."),
        ("actions/x%2Fy", "The name of the entity contains illegal characters."),
        ("actions/x%20", "The name of the entity contains illegal characters."),
        ("actions/" + "x" * 257, "Name segement longer than allowed: 257 > 256."),
        ("activations/123", "Activation id length is 3 but must be 32."),
        ("activations/" + "A" * 32, "The activation id is not valid."),
    ],
)
def test_an_illegal_name_or_id_is_400(api, path, text):
    reply = api.request("GET", f"{BASE}/{path}")
    assert (reply.status, reply.error) == (400, text)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nonsense"),
        ("GET", "/api/v1/namespaces/_"),
        ("GET", f"{BASE}/nonsense"),
        ("GET", f"{BASE}/activations/{'0' * 32}/nonsense"),
        ("PATCH", f"{BASE}/actions/x"),
        ("POST", f"{BASE}/limits"),
        ("HEAD", f"{BASE}/actions"),
    ],
)
def test_an_unknown_path_or_method_under_the_api_is_404_and_401_without_a_key(api, method, path):
    reply = api.request(method, path)
    assert reply.status == 404
    assert "access-control-allow-origin" not in reply.headers
    if method != "HEAD":
        assert reply.error == "The requested resource could not be found."
    assert api.request(method, path, auth=None).status == 401


def test_below_the_limits_there_is_nothing_to_ask_for(api):
    assert api.request("GET", f"{BASE}/limits/actions").status == 400
    assert api.request("POST", f"{BASE}/limits/actions").status == 404


def test_an_unknown_path_or_method_outside_the_api_is_405(api):
    assert api.request("POST", "/ping").error == "HTTP method not allowed, supported methods: GET"
    assert [api.request("GET", "/nowhere").status, api.request("POST", "/ping").status] == [405, 405]


def test_another_namespace_is_403(api):
    assert api.request("GET", "/api/v1/namespaces/somebody/actions").status == 403
    assert api.request("GET", "/api/v1/namespaces/guest/actions").status == 200


def test_conformance_31_options_need_no_key_and_carry_the_cors_headers(api):
    for path in (f"{BASE}/actions/whatever", "/api/v1/nonsense", "/ping", "/nonsense"):
        reply = api.request("OPTIONS", path, auth=None)
        assert (reply.status, reply.body) == (200, b"OK")
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["access-control-allow-methods"] == "GET, DELETE, POST, PUT, HEAD"
        assert "Authorization" in reply.headers["access-control-allow-headers"]


def test_conformance_34_the_root_names_the_configured_limits_and_the_profile(new_platform):
    with new_platform("standalone", invocations_per_minute=77, concurrent_invocations=7) as api:
        root = api.request("GET", "/", auth=None).json
        assert root["description"] == "OpenWhisk"
        assert root["limits"]["actions_per_minute"] == 77
        assert root["limits"]["concurrent_actions"] == 7
        assert root["limits"]["max_action_memory"] == 512 * 1024 * 1024
        assert root["limits"]["min_action_duration"] == 100
        assert root["embedded"]["profile"] == "standalone"
        assert root["embedded"]["container_cores"] == len(os.sched_getaffinity(0))
        assert "not a sandbox" in root["embedded"]["isolation"]
        limits = api.request("GET", f"{BASE}/limits").json
        assert (limits["invocationsPerMinute"], limits["concurrentInvocations"], limits["maxActionInstances"]) == (77, 7, 7)
        assert limits["maxParameterSize"] == "1048576 B"


def test_who_needs_no_key_is_answered_without_one(api):
    assert api.request("GET", "/ping", auth=None).body == b"pong"
    about = api.request("GET", "/api/v1", auth=None).json
    assert (about["description"], about["api_version"], about["api_version_path"]) == ("OpenWhisk API", "1.0.0", "v1")
    assert api.request("GET", "/api/v1/namespaces").json == ["guest"]


def test_a_request_that_is_meant_for_another_host_is_refused(api):
    reply = api.request("GET", "/ping", headers={"Host": "attacker.example"})
    assert reply.status == 403
    assert "attacker.example" in reply.error
    port = api.platform.target.api_host.rpartition(":")[2]
    assert api.request("GET", "/ping", headers={"Host": f"localhost:{port}"}).status == 200
