"""Packages and bindings: what may be stored, who may read it, and how parameters come together."""

import contextlib

import pytest
from support.api import BASE, WHO, Api, annotation
from support.platform import running_platform

ARGS = "def main(args):\n    return {'args': args}\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with running_platform(tmp_path_factory.mktemp("two"), namespaces=("guest", "other")) as running:
        yield running


@pytest.fixture(scope="module")
def guest(platform):
    with contextlib.closing(Api(platform)) as api:
        yield api


@pytest.fixture(scope="module")
def other(platform):
    with contextlib.closing(Api(platform, "other")) as api:
        yield api


def package(api, name, query="overwrite=true", **body):
    return api.request("PUT", f"{BASE}/packages/{name}", body, query=query)


def pairs(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


def test_a_package_is_stored_versioned_and_deleted(guest, name):
    made = package(guest, name, query="", parameters=pairs(a=1), annotations=pairs(x=1, y=2))
    assert made.status == 200
    assert {key: made.json[key] for key in ("namespace", "name", "version", "publish", "binding", "parameters")} == {
        "namespace": "guest",
        "name": name,
        "version": "0.0.1",
        "publish": False,
        "binding": {},
        "parameters": pairs(a=1),
    }
    again = package(guest, name, query="")
    assert (again.status, again.error) == (409, "resource already exists")
    changed = package(guest, name, annotations=pairs(z=3)).json
    assert (changed["version"], changed["annotations"], changed["parameters"]) == ("0.0.2", pairs(z=3), pairs(a=1))  # replaced as a whole
    assert guest.request("DELETE", f"{BASE}/packages/{name}").json["version"] == "0.0.2"
    assert guest.request("GET", f"{BASE}/packages/{name}").status == 404


def test_the_name_default_is_reserved(guest):
    refused = package(guest, "default")
    assert (refused.status, refused.error) == (400, "Package name 'default' is reserved.")


def test_a_package_shows_its_actions_and_its_feeds_apart(guest, name):
    package(guest, name)
    guest.action(f"{name}/one", WHO)
    guest.action(f"{name}/two", WHO, annotations=pairs(feed=True))
    shown = guest.request("GET", f"{BASE}/packages/{name}").json
    assert [one["name"] for one in shown["actions"]] == ["one"]
    assert [one["name"] for one in shown["feeds"]] == ["two"]
    listed = guest.request("GET", f"{BASE}/actions/{name}/").json
    assert [(one["namespace"], one["name"]) for one in listed] == [(f"guest/{name}", "two"), (f"guest/{name}", "one")]
    assert guest.request("GET", f"{BASE}/actions/{name}/", query="count=true&skip=1").json == {"actions": 1}
    everything = guest.request("GET", f"{BASE}/actions").json
    assert {f"guest/{name}/one", f"guest/{name}/two"} <= {f"{one['namespace']}/{one['name']}" for one in everything}


def test_a_package_that_is_not_empty_goes_only_by_force(guest, name):
    package(guest, name)
    guest.action(f"{name}/one", WHO)
    refused = guest.request("DELETE", f"{BASE}/packages/{name}")
    assert (refused.status, refused.error) == (
        409,
        "Package not empty (contains 1 entity). Set force param or delete package contents.",
    )
    assert guest.request("DELETE", f"{BASE}/packages/{name}", query="force=true").status == 200
    assert guest.request("GET", f"{BASE}/actions/{name}/one").status == 404


def test_an_action_needs_its_package_to_be_there(guest, name):
    body = {"exec": {"kind": "python:default", "code": WHO}}
    assert guest.request("PUT", f"{BASE}/actions/{name}/one", body).status == 404
    assert guest.invoke(f"{name}/one").status == 404


def test_actions_and_packages_share_one_space_of_names(guest, name):
    package(guest, name)
    clash = guest.request("PUT", f"{BASE}/actions/{name}", {"exec": {"kind": "python:default", "code": WHO}}, query="overwrite=true")
    assert (clash.status, clash.error) == (409, "Resource by this name exists but is not in this collection.")
    assert guest.request("GET", f"{BASE}/actions/{name}").status == 409
    assert guest.invoke(name).status == 409
    guest.action(f"{name}a", WHO)
    assert package(guest, f"{name}a").status == 409


def test_parameters_merge_package_binding_action_payload_and_later_wins(guest, name):
    package(guest, name, parameters=pairs(a="package", b="package", c="package", d="package"))
    package(guest, f"{name}b", binding={"namespace": "_", "name": name}, parameters=pairs(b="binding", c="binding", d="binding"))
    guest.action(f"{name}/one", ARGS, parameters=pairs(c="action", d="action"))
    assert guest.invoke(f"{name}b/one", {"d": "payload"}).result["args"] == {"a": "package", "b": "binding", "c": "action", "d": "payload"}
    assert guest.invoke(f"{name}/one").result["args"] == {"a": "package", "b": "package", "c": "action", "d": "action"}
    shown = guest.request("GET", f"{BASE}/actions/{name}b/one", query="code=false").json
    assert shown["binding"] == f"guest/{name}b"
    assert shown["parameters"] == pairs(a="package", b="binding", c="action", d="action")


def test_a_call_through_a_binding_says_so_in_its_record_and_has_containers_of_its_own(guest, name):
    package(guest, name)
    package(guest, f"{name}b", binding={"namespace": "guest", "name": name})
    guest.action(f"{name}/one", WHO)
    direct, bound = guest.invoke(f"{name}/one"), guest.invoke(f"{name}b/one")
    assert (direct.cold, bound.cold) == (True, True)
    assert annotation(bound.json, "binding") == f"guest/{name}b"
    assert annotation(bound.json, "path") == f"guest/{name}/one"
    assert direct.annotation("binding") is None


def test_a_change_of_a_packages_parameters_keeps_its_containers_warm(guest, name):
    package(guest, name, parameters=pairs(a=1))
    guest.action(f"{name}/one", ARGS)
    assert guest.invoke(f"{name}/one").cold
    package(guest, name, parameters=pairs(a=2))
    second = guest.invoke(f"{name}/one")
    assert not second.cold
    assert second.result["args"] == {"a": 2}


@pytest.mark.parametrize(
    ("binding", "status", "text"),
    [
        ({"namespace": "_", "name": "nowhere"}, 400, "Binding references a package that does not exist."),
        ({"namespace": "guest", "name": "{}bound"}, 400, "Cannot bind to another package binding."),
        ({"namespace": "guest", "name": "{}action"}, 409, "Cannot bind to a resource that is not a package."),
        ({"namespace": "_", "name": "{}new"}, 422, "Package binding 'guest/{}new' contains a circular reference."),
        ({"namespace": "other", "name": "private"}, 403, "The supplied authentication is not authorized to access 'other/private'."),
    ],
)
def test_a_binding_that_leads_nowhere_is_refused(guest, other, name, binding, status, text):
    package(other, "private")
    package(guest, name)
    package(guest, f"{name}bound", binding={"namespace": "guest", "name": name})
    guest.action(f"{name}action", WHO)
    refused = package(guest, f"{name}new", binding={key: value.format(name) for key, value in binding.items()})
    assert (refused.status, refused.error) == (status, text.format(name))


def test_a_package_cannot_become_a_binding_and_nothing_is_stored_through_one(guest, name):
    package(guest, name)
    package(guest, f"{name}p")
    refused = package(guest, f"{name}p", binding={"namespace": "guest", "name": name})
    assert (refused.status, refused.error) == (409, "Resource is a package and cannot be converted into a binding.")
    package(guest, f"{name}b", binding={"namespace": "guest", "name": name})
    guest.action(f"{name}/one", WHO)
    for method, body in (("PUT", {"exec": {"kind": "python:default", "code": WHO}}), ("DELETE", None)):
        refused = guest.request(method, f"{BASE}/actions/{name}b/one", body, query="overwrite=true")
        assert (refused.status, refused.error) == (400, "Operation not permitted on package binding.")


def test_others_read_and_list_what_is_published_and_nothing_else(guest, other, name):
    package(guest, name)
    guest.action(f"{name}/one", WHO)
    base = "/api/v1/namespaces/guest"
    for path in (f"packages/{name}", f"actions/{name}/one", f"actions/{name}/", f"packages/{name}x"):
        assert other.request("GET", f"{base}/{path}").status == 403, path
    assert other.request("POST", f"{base}/actions/{name}/one").status == 403
    package(guest, name, publish=True)
    for path in (f"packages/{name}", f"actions/{name}/one", f"actions/{name}/"):
        assert other.request("GET", f"{base}/{path}").status == 200, path
    assert other.request("GET", f"{base}/actions/{name}/missing").status == 404
    assert name in [one["name"] for one in other.request("GET", f"{base}/packages").json]
    assert other.request("PUT", f"{base}/actions/{name}/one", {"exec": {"kind": "python:default", "code": WHO}}).status == 403
    assert other.request("DELETE", f"{base}/packages/{name}").status == 403


def test_conformance_35_two_users_share_an_action_but_no_container(guest, other, name):
    package(guest, name, publish=True)
    guest.action(f"{name}/one", WHO)
    first = guest.invoke(f"{name}/one")
    second = other.request("POST", f"/api/v1/namespaces/guest/actions/{name}/one", query="blocking=true")
    assert (first.cold, second.cold) == (True, True)
    assert first.result["pid"] != second.result["pid"]
    record = other.record(second.json["activationId"])
    assert (record["namespace"], record["subject"], annotation(record, "path")) == ("other", "other", f"guest/{name}/one")
    listed = other.request("GET", f"{BASE}/activations", query=f"name={name}/one").json
    assert [one["activationId"] for one in listed] == [record["activationId"]]
    assert guest.request("GET", f"{BASE}/activations/{record['activationId']}").status == 404


def test_a_conductor_is_refused_rather_than_run_as_a_plain_action(guest, name):
    body = {"exec": {"kind": "python:default", "code": WHO}, "annotations": pairs(conductor=True)}
    refused = guest.request("PUT", f"{BASE}/actions/{name}", body)
    assert (refused.status, refused.error) == (400, "Conductor actions are not supported by this platform.")


def test_an_unknown_kind_is_told_before_that_the_action_exists(guest, name):
    guest.action(name, WHO)
    refused = guest.request("PUT", f"{BASE}/actions/{name}", {"exec": {"kind": "cobol:60", "code": ""}})
    assert refused.status == 400
    assert refused.error.startswith(
        "The request content was malformed:\nThe specified runtime 'cobol:60' is not supported by this platform."
    )
