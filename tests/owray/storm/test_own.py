"""Names and URLs of what is there already, as users write them."""

import pytest

from owray.plan.mix import Variant
from owray.storm.bad_request import BadRequest
from owray.storm.own import own_of
from owray.storm.request import CallRequest, StormRequest


def action(name):
    return own_of(name, CallRequest())


def web(url, method=None):
    return own_of(None, CallRequest(web=url, method=method))


def trigger(name):
    return own_of(None, CallRequest(trigger=name))


@pytest.mark.parametrize(
    ("written", "namespace", "path", "name"),
    [
        ("/_/hello", "", "hello", "/_/hello"),
        ("/_/mine/hello", "", "mine/hello", "/_/mine/hello"),
        ("mine/hello", "", "mine/hello", "/_/mine/hello"),
        ("/guest/hello", "guest", "hello", "/guest/hello"),
        ("/guest@x.org/my pkg/a&b", "guest@x.org", "my pkg/a&b", "/guest@x.org/my pkg/a&b"),
    ],
)
def test_an_action_is_named_with_or_without_namespace_and_package(written, namespace, path, name):
    own = action(written)
    assert (own.kind, own.namespace, own.path, own.entity, own.name) == ("action", namespace, path, path, name)
    entry = own.entry((Variant(),), None)
    assert (entry.workload, entry.action, entry.size, entry.path, entry.namespace) == ("own", name, "", path, namespace)


def test_a_bare_name_is_the_catalogues():
    assert action("align") is None
    assert own_of(None, CallRequest()) is None


@pytest.mark.parametrize(
    "written", ["/", "//", "a/", "/_/", "/_", "/_/a/b/c", "a/b/c", "/_/-x", "/_/x ", "/_/x\n", "/_/../x", "/_/a?b", "/_/é"]
)
def test_what_cannot_be_an_action_is_refused_with_an_example(written):
    with pytest.raises(BadRequest, match="cannot be the name of an action; one looks like /_/NAME or /_/PACKAGE/NAME"):
        action(written)


def test_a_trigger_is_named_with_or_without_namespace():
    assert (trigger("tick").namespace, trigger("tick").path, trigger("tick").name) == ("", "tick", "/_/tick")
    assert (trigger("/guest/tick").namespace, trigger("/guest/tick").name) == ("guest", "/guest/tick")


@pytest.mark.parametrize("written", ["", "/tick", "a/b", "/_/a/b"])
def test_what_cannot_be_a_trigger_is_refused(written):
    with pytest.raises(BadRequest, match="cannot be the name of a trigger; one looks like NAME or /NAMESPACE/NAME"):
        trigger(written)


@pytest.mark.parametrize(
    ("url", "origin", "path", "entity", "name"),
    [
        ("/api/v1/web/guest/default/page", None, "/api/v1/web/guest/default/page", "page", "/guest/default/page"),
        ("https://h/api/v1/web/guest/p/x.json", ("https", "h", 443), "/api/v1/web/guest/p/x.json", "p/x", "/guest/p/x.json"),
        ("http://[::1]:80/api/v1/web/g/p/x.http/a/b?c=d", ("http", "::1", 80), "/api/v1/web/g/p/x.http/a/b?c=d", "p/x", "/g/p/x.http/a/b"),
        ("/api/v1/web/g/p/v1.2%20x.svg", None, "/api/v1/web/g/p/v1.2%20x.svg", "p/v1.2 x", "/g/p/v1.2 x.svg"),
    ],
)
def test_a_web_action_is_its_url(url, origin, path, entity, name):
    own = web(url, "GET")
    assert (own.kind, own.method, own.origin, own.path, own.entity, own.name) == ("web", "GET", origin, path, entity, name)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no web action"),
        ("x", "is no web action"),
        ("https://h/", "is no web action; it looks like https://HOST/api/v1/web/NAMESPACE/PACKAGE/NAME.json"),
        ("https://h/api/v1/namespaces/_/actions/x", "is no web action"),
        ("https://h/api/v1/web/guest/x", "is no web action"),
        ("https://h/api/v1/web/guest//x", "is no web action"),
        ("https://h/api/v1/web/guest/default/.json", "is no web action"),
        ("https://h/api/v1/web/guest/default/x#y", "is no web action"),
        ("https://h/api/v1/web/_/default/x", "has the namespace's own name, not _"),
        ("ftp://h/api/v1/web/guest/default/x", "is no URL"),
        ("https://h:port/api/v1/web/guest/default/x", "is no URL"),
        ("https://[h/api/v1/web/guest/default/x", "is no URL"),
        ("https://u:p@h/api/v1/web/guest/default/x", "the URL holds credentials"),
        ("https://u:p@[h/api/v1/web/guest/default/x", "the URL holds credentials"),
        ("/api/v1/web/guest/default/x/../../../../namespaces/_/limits", "is no web action"),
        ("/api/v1/web/guest/default/x.http/a/%2E%2e/b", "is no web action"),
        ("/api/v1/web/guest/default/x?q=a b", "characters that a URL cannot hold as they are"),
        ("/api/v1/web/guest/default/x?q=é", "characters that a URL cannot hold as they are"),
    ],
)
def test_what_cannot_be_a_web_action_is_refused(url, words):
    with pytest.raises(BadRequest) as caught:
        web(url)
    assert words in str(caught.value)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "name what is to be called: one of --workload, --action, --mix, --web, --trigger"),
        ({"action": "noop", "call": CallRequest(trigger="t")}, "one of --workload, --action, --mix, --web, --trigger"),
        ({"call": CallRequest(web="/x", trigger="t")}, "one of --workload, --action, --mix, --web, --trigger"),
        ({"action": "/_/x", "size": "small"}, "--size is one of a catalogue's action"),
        ({"call": CallRequest(trigger="t"), "size": "small"}, "--size is one of a catalogue's action"),
        ({"action": "noop", "call": CallRequest(method="GET")}, "--method is for --web"),
        ({"call": CallRequest(trigger="t", expect="1")}, "a trigger has no result"),
    ],
)
def test_options_that_do_not_go_together_are_refused(asked, words):
    with pytest.raises(BadRequest, match=words):
        StormRequest(**asked)


def test_a_folder_of_actions_is_of_no_use_to_what_is_there_already(tmp_path):
    with pytest.raises(BadRequest, match="--actions-dir is where a --workload or an --action without a / is looked for"):
        StormRequest(action="/_/x", call=CallRequest(actions_dir=tmp_path))
