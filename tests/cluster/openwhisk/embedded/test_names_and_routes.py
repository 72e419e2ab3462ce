"""Names, ids, versions, and where a path leads."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.openwhisk.embedded.actions import is_binary
from cluster.openwhisk.embedded.answers import Refused
from cluster.openwhisk.embedded.ids import activation_id, checked_name, next_version, transaction_id
from cluster.openwhisk.embedded.routes import parse


@pytest.mark.parametrize("name", ["a", "_", "9", "a b", "a@b", "a.b&c-d", "a-", "a@", "x" * 256])
def test_names_that_openwhisk_allows_are_allowed(name):
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a ", "-a", "@a", ".a", "a/b", "a\n", "é", "a?b", "x" * 257])
def test_names_that_openwhisk_refuses_are_refused(name):
    with pytest.raises(Refused) as refused:
        checked_name(name)
    assert refused.value.status == 400


def test_activation_ids_are_random_uuids_of_version_4():
    made = {activation_id() for _ in range(1000)}
    assert len(made) == 1000
    for one in made:
        assert re.fullmatch("[0-9a-f]{32}", one)
        assert uuid.UUID(one).version == 4
        assert uuid.UUID(one).variant == uuid.RFC_4122


@given(st.text(min_size=1))
def test_a_callers_transaction_id_is_kept_unless_it_is_the_platforms(given_id):
    assert (transaction_id(given_id) == given_id) == (not given_id.startswith("sid_"))


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_the_next_version_differs_by_one_in_the_last_place(major, minor, patch):
    assert next_version(f"{major}.{minor}.{patch}") == f"{major}.{minor}.{patch + 1}"


@pytest.mark.parametrize(
    ("path", "place", "names"),
    [
        ("/", "root", ()),
        ("/ping", "ping", ()),
        ("/api/v1", "api", ()),
        ("/api/v1/namespaces", "namespaces", ()),
        ("/api/v1/namespaces/", "namespaces", ()),
        ("/api/v1/namespaces/_/actions", "actions", ()),
        ("/api/v1/namespaces/_/actions/", "actions", ()),
        ("/api/v1/namespaces/_/actions/a%20b", "action", ("a b",)),
        ("/api/v1/namespaces/_/actions/a%2Fb", "action", ("a/b",)),
        ("/api/v1/namespaces/_/actions/p/a", "packaged action", ("p", "a")),
        ("/api/v1/namespaces/_/actions/p/", "package actions", ("p",)),
        ("/api/v1/namespaces/_/activations/x", "activation", ("x",)),
        ("/api/v1/namespaces/_/activations/x/result", "activation result", ("x",)),
        ("/api/v1/namespaces/_/activations/x/logs", "activation logs", ("x",)),
        ("/api/v1/namespaces/_/limits", "limits", ()),
        ("/api/v1/namespaces/_/limits/", "limits", ()),
        ("/api/v1/namespaces/_/limits/x", "below limits", ()),
        ("/api/v1/namespaces/_/actions/a/b/c", "nowhere", ()),
        ("/api/v1/other", "nowhere", ()),
        ("/api/v2/namespaces", "outside", ()),
        ("/foo", "outside", ()),
    ],
)
def test_paths_lead_to_places(path, place, names):
    route = parse(path + "?blocking=true&x=&x=2")
    assert (route.place, route.names) == (place, names)
    assert dict(route.query) == {"blocking": "true", "x": "2"}


@given(st.text())
def test_any_path_leads_somewhere(path):
    assert parse(path).place


@pytest.mark.parametrize(
    ("code", "binary"),
    [("abcd", True), ("YQ==", True), (" YWI= \n", True), ("abc", False), ("", False), ("====", False), ("ab\ncd", False)],
)
def test_code_is_binary_where_openwhisk_takes_it_for_base64(code, binary):
    assert is_binary(code) is binary
