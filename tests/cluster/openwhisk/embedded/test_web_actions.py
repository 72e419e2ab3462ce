"""Web actions: who may call them, what they are told, and what becomes of what they answer."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.api import BASE, GATED
from support.minutes import within_one_minute

from cluster.openwhisk.embedded.answers import Answer, Refused
from cluster.openwhisk.embedded.web_answers import EXTENSIONS

WEB = "/api/v1/web/guest/default"
ECHO = "def main(args):\n    return {'body': args}\n"
ANSWER = "def main(args):\n    return args['answer']\n"
EXPORTED = {"key": "web-export", "value": True}
METHODS = "OPTIONS, GET, DELETE, POST, PUT, HEAD, PATCH"


def annotated(**annotations):
    return [EXPORTED, *({"key": key.replace("_", "-"), "value": value} for key, value in annotations.items())]


@pytest.fixture
def echo(api, name):
    api.action(name, ECHO, annotations=annotated())
    return f"{WEB}/{name}"


@pytest.fixture
def answered(api, name):
    """How a web action's result is answered."""
    api.action(name, ANSWER, annotations=annotated())
    return lambda result, extension="": api.request("POST", f"{WEB}/{name}{extension}", {"answer": result}, auth=None)


# --- what it is told


def test_a_web_action_is_told_of_the_request(api, echo):
    reply = api.request("GET", f"{echo}.http/more/than%20this", headers={"X-Own": "1"}, auth=None, query="a=1&b=&a=2&c=x%20y")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told = reply.json
    headers = told.pop("__ow_headers")
    assert headers["x-own"] == "1"
    assert "host" in headers
    assert told == {"__ow_method": "get", "__ow_path": "/more/than%20this", "a": "2", "b": "", "c": "x y"}
    assert reply.body.startswith(b'{\n  "')


def test_a_web_action_is_told_who_called_if_somebody_did(api, echo):
    assert "__ow_user" not in api.request("GET", echo, auth=None).json
    assert api.request("GET", echo).json["__ow_user"] == "guest"
    wrong = api.request("GET", echo, auth=api.auth[:-1] + "_")
    assert (wrong.status, wrong.error) == (401, "The supplied authentication is invalid")


def test_fields_of_an_object_or_a_form_go_over_the_query(api, echo):
    posted = api.request("POST", echo, {"a": [1], "b": 2}, auth=None, query="a=0&c=3").json
    assert (posted["a"], posted["b"], posted["c"]) == ([1], 2, "3")
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    posted = api.request("PUT", echo, b"a=1&b=x+y", form, auth=None, query="a=0").json
    assert (posted["__ow_method"], posted["a"], posted["b"]) == ("put", "1", "x y")


@pytest.mark.parametrize(
    ("body", "content_type", "seen"),
    [
        (b"caf\xc3\xa9", "text/plain", "café"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"\xff\x00", "application/octet-stream", base64.b64encode(b"\xff\x00").decode()),
        (b"\xff\x00", "image/png", base64.b64encode(b"\xff\x00").decode()),
        (b"abc", None, base64.b64encode(b"abc").decode()),
        (b"[1]", "application/json", base64.b64encode(b"[1]").decode()),
    ],
)
def test_any_other_body_is_one_argument(api, echo, body, content_type, seen):
    headers = {"Content-Type": content_type} if content_type else {}
    assert api.request("POST", echo, body, headers, auth=None).json["__ow_body"] == seen


def test_a_raw_web_action_gets_query_and_body_as_they_are(api, name):
    api.action(name, ECHO, annotations=annotated(raw_http=True, final=True), parameters=[{"key": "fixed", "value": 1}])
    told = api.request("POST", f"{WEB}/{name}", {"a": 1}, auth=None, query="b=x%20y&fixed=2&__ow_user=me").json
    assert told["__ow_query"] == "b=x%20y&fixed=2&__ow_user=me"
    assert json.loads(base64.b64decode(told["__ow_body"])) == {"a": 1}
    assert told["fixed"] == 1
    assert not {"a", "b", "__ow_user"} & set(told)
    assert api.request("GET", f"{WEB}/{name}", auth=None).json["__ow_body"] == ""


def test_what_only_the_platform_sets_and_what_is_final_cannot_be_given(api, name):
    api.action(name, ECHO, annotations=annotated(final=True), parameters=[{"key": "fixed", "value": 1}])
    for query, body in (("__ow_user=me", None), ("", {"__ow_headers": {}}), ("fixed=2", None), ("", {"fixed": 2})):
        refused = api.request("POST", f"{WEB}/{name}", body, auth=None, query=query)
        assert (refused.status, refused.error) == (400, "Request defines parameters that are not allowed (e.g., reserved properties).")
        assert refused.body.startswith(b'{\n  "error"')
    assert api.request("GET", f"{WEB}/{name}", auth=None, query="other=2").json["fixed"] == 1


def test_broken_json_is_400(api, echo):
    for body in (b"{", b"[", b'{"a":' + b"[" * 50_000, b"\xff"):
        refused = api.request("POST", echo, body, {"Content-Type": "application/json"}, auth=None)
        assert refused.status == 400
        assert refused.error.startswith("The request content was malformed:\n")


# --- who may call


@pytest.mark.parametrize("exported", [None, False, "true", 1])
def test_what_is_not_exported_is_not_there(api, name, exported):
    api.action(name, ECHO, annotations=[] if exported is None else [{"key": "web-export", "value": exported}])
    for path in (f"{WEB}/{name}", f"/api/v1/web/nobody/default/{name}", f"/api/v1/web/guest/nopackage/{name}", f"{WEB}/{name}.png"):
        refused = api.request("GET", path)
        assert (refused.status, refused.error) == (404, "The requested resource does not exist.")


@pytest.mark.parametrize(
    "path", ["/api/v1/web/", "/api/v1/web/guest", "/api/v1/web/guest/default", f"{WEB}/", f"{WEB}/.json", f"{WEB}/%20"]
)
def test_a_path_that_can_name_no_web_action_is_no_route(api, path):
    assert api.request("GET", path, auth=None).status == 401
    refused = api.request("GET", path)
    assert (refused.status, refused.error) == (404, "The requested resource could not be found.")


def test_a_web_action_may_want_a_key(api, name):
    api.action(name, ECHO, annotations=annotated(require_whisk_auth=True))
    refused = api.request("GET", f"{WEB}/{name}", auth=None)
    assert refused.status == 401
    assert refused.headers["access-control-allow-methods"] == METHODS
    assert api.request("GET", f"{WEB}/{name}").status == 200


@pytest.mark.parametrize(("secret", "told"), [("s3cret", "s3cret"), (7, "7")])
def test_a_web_action_may_want_a_secret(api, name, secret, told):
    api.action(name, ECHO, annotations=annotated(require_whisk_auth=secret))
    for headers in ({}, {"X-Require-Whisk-Auth": "other"}):
        assert api.request("GET", f"{WEB}/{name}", headers=headers).status == 401
    assert api.request("GET", f"{WEB}/{name}", headers={"X-Require-Whisk-Auth": told}, auth=None).status == 200


def test_the_owner_pays_once_the_action_is_found(new_platform):
    def scenario(api):
        api.action("open", ECHO, annotations=annotated(require_whisk_auth="x"))
        for _ in range(10):
            assert api.request("GET", f"{WEB}/none", auth=None).status == 404
        paid = [
            api.request("OPTIONS", f"{WEB}/open", auth=None).status,
            api.request("POST", f"{WEB}/open", b"x" * 1001, auth=None).status,
            api.request("GET", f"{WEB}/open", auth=None).status,
            api.request("GET", f"{WEB}/open", headers={"X-Require-Whisk-Auth": "x"}, auth=None).status,
        ]
        return paid, api.request("GET", f"{WEB}/open", auth=None), api.invoke("open")

    paid, refused, invoked = within_one_minute(new_platform, scenario, invocations_per_minute=4, payload_bytes=1000)
    assert paid == [200, 413, 401, 200]
    assert (refused.status, refused.error) == (429, "Too many requests in the last minute (count: 5, allowed: 4).")
    assert "count: 6," in invoked.error


def test_the_record_of_a_web_action_is_its_owners(api, name):
    api.action(name, ECHO, annotations=annotated())
    called = api.request("GET", f"{WEB}/{name}", auth=None)
    record = api.record(called.headers["x-openwhisk-activation-id"])
    assert (record["namespace"], record["name"]) == ("guest", name)


def test_extra_logging_has_the_record_stored_whatever_the_level(new_platform):
    with new_platform(store_blocking="failures") as api:
        api.action("open", ECHO, annotations=annotated())
        api.request("GET", f"{WEB}/open")
        stored = api.request("GET", f"{WEB}/open", headers={"X-OW-EXTRA-LOGGING": "on"})
        assert api.record(stored.headers["x-openwhisk-activation-id"])
        assert api.request("GET", f"{BASE}/activations", query="count=true").json == {"activations": 1}


def test_a_web_action_may_be_in_a_package_and_through_a_binding(api, name):
    for package, body in ((name, {"parameters": [{"key": "a", "value": 1}]}), (f"{name}b", {"binding": {"namespace": "_", "name": name}})):
        assert api.request("PUT", f"{BASE}/packages/{package}", body).status == 200
    api.action(f"{name}/echo", ECHO, annotations=annotated())
    for package in (name, f"{name}b"):
        assert api.request("GET", f"/api/v1/web/guest/{package}/echo", auth=None, query="b=2").json["a"] == 1
    assert api.request("GET", f"{WEB}/echo").status == 404


def test_a_web_action_may_be_a_sequence(api, name):
    api.action(f"{name}1", "def main(args):\n    return {'n': args['n'] + '!'}\n")
    api.action(f"{name}2", "def main(args):\n    return {'text': args['n'] + '?'}\n")
    body = {"exec": {"kind": "sequence", "components": [f"/_/{name}1", f"/_/{name}2"]}, "annotations": annotated()}
    assert api.request("PUT", f"{BASE}/actions/{name}", body).status == 200
    shown = api.request("GET", f"{WEB}/{name}.text", auth=None, query="n=x")
    assert shown.body == b"x!?"
    assert len(api.record(shown.headers["x-openwhisk-activation-id"])["logs"]) == 2


# --- CORS


def test_options_are_answered_for_an_action_that_does_not_want_to(api, echo, name):
    wanted = api.request("OPTIONS", echo, headers={"Access-Control-Request-Headers": "X-Own"}, auth=None)
    assert (wanted.status, wanted.body) == (200, b"")
    assert wanted.headers["access-control-allow-origin"] == "*"
    assert wanted.headers["access-control-allow-methods"] == METHODS
    assert wanted.headers["access-control-allow-headers"] == "X-Own"
    assert "Authorization" in api.request("GET", echo, auth=None).headers["access-control-allow-headers"]
    api.action(
        name, "def main(args):\n    return {'headers': {'Allow': args['__ow_method']}}\n", annotations=annotated(web_custom_options=True)
    )
    own = api.request("OPTIONS", echo, auth=None)
    assert (own.status, own.headers["allow"]) == (204, "options")
    assert "access-control-allow-origin" not in own.headers


# --- what becomes of the result


def test_http_is_what_the_action_says(answered):
    made = answered({"statusCode": 201, "headers": {"X-A": "b", "Set-Cookie": ["a=1", "b=2"], "X-N": 5, "X-T": True}, "body": "<p>"})
    assert (made.status, made.body, made.headers["content-type"]) == (201, b"<p>", "text/html; charset=UTF-8")
    assert (made.headers["x-a"], made.headers["x-n"], made.headers["x-t"]) == ("b", "5", "true")
    assert made.headers["x-openwhisk-activation-id"]


def test_http_without_a_body_is_204_and_has_no_length(answered):
    for result in ({}, {"body": ""}, {"body": None}, {"headers": {"Content-Type": "text/plain"}}):
        empty = answered(result)
        assert (empty.status, empty.body) == (204, b"")
        assert not {"content-length", "content-type"} & set(empty.headers)
    moved = answered({"statusCode": 302, "headers": {"Location": "/there"}})
    assert (moved.status, moved.headers["location"], moved.headers["content-length"]) == (302, "/there", "0")


def test_http_knows_text_json_and_base64_by_their_type(answered):
    typed = lambda content_type, body: answered({"headers": {"content-type": content_type}, "body": body})  # noqa: E731
    picture = typed("image/png", base64.b64encode(b"\xff\x00").decode())
    assert (picture.headers["content-type"], picture.body) == ("image/png", b"\xff\x00")
    text = typed("text/plain; charset=iso-8859-1", "é")
    assert (text.headers["content-type"], text.body) == ("text/plain; charset=UTF-8", "é".encode())
    assert typed("application/json", '{"a":1}').body == b'{"a":1}'
    assert typed("application/json", base64.b64encode(b'{"a":1}').decode()).json == {"a": 1}
    api_json = typed("application/vnd.api+json", {"a": 1})
    assert (api_json.headers["content-type"], api_json.body) == ("application/vnd.api+json", b'{\n  "a": 1\n}')
    assert answered({"body": 0}).body == b"0"
    for content_type, body in (("image/png", "no base64!"), ("text/html", {"a": 1})):
        assert typed(content_type, body).error == "Response type in header did not match generated content type."
    assert typed("nonsense", "x").error == "Response did not specify a known content-type."


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": 799},
        {"statusCode": 100},
        {"statusCode": 200.5},
        {"statusCode": True},
        {"statusCode": "x"},
        {"headers": "x"},
        {"headers": {"X-A": {"b": 1}}},
        {"headers": {"X-A": "b\r\nX-C: d"}},
        {"headers": {"X-A\r\nX-C": "d"}},
        {"headers": {"": "d"}},
        {"headers": {"X-A": "b\x00"}},
    ],
)
def test_http_that_is_none_is_400(answered, result):
    reply = answered(result)
    assert (reply.status, reply.error) == (400, "Response is not valid 'message/http'.")
    assert reply.headers["x-openwhisk-activation-id"]
    assert "x-c" not in reply.headers


def test_an_action_cannot_say_how_its_message_is_sent(answered):
    headers = {"Content-Length": "5000", "Transfer-Encoding": "chunked", "connection": "close", "X-Request-ID": "mine"}
    reply = answered({"headers": headers, "body": "abc"})
    assert (reply.body, reply.headers["content-length"]) == (b"abc", "3")
    assert not {"transfer-encoding", "connection"} & set(reply.headers)
    assert reply.headers["x-request-id"] != "mine"


def test_json_text_html_and_svg_show_what_they_are_of(answered):
    assert answered({"a": [1]}, ".json").body == b'{\n  "a": [\n    1\n  ]\n}'
    for result, text in (
        ({"text": "x"}, "x"),
        ({"body": 1, "text": "x"}, "1"),
        ({"text": None}, "null"),
        ({"text": {"a": 1}}, '{\n  "a": 1\n}'),
    ):
        shown = answered(result, ".text")
        assert (shown.body.decode(), shown.headers["content-type"]) == (text, "text/plain; charset=UTF-8")
    assert answered({"html": "<p>"}, ".html").headers["content-type"] == "text/html; charset=UTF-8"
    assert answered({"body": "<svg/>"}, ".svg").headers["content-type"] == "image/svg+xml"
    nothing = answered({"a": 1}, ".text")
    assert (nothing.status, nothing.error) == (404, "Response does not include requested property.")
    assert answered({"html": 1}, ".html").error == "Response is not valid 'text/html'."
    assert answered({"a": 1}, ".svg").error == "Response is not valid 'image/svg+xml'."


def test_of_an_application_error_its_value_is_shown(answered):
    gone = answered({"error": {"statusCode": 410, "body": "gone"}})
    assert (gone.status, gone.body) == (410, b"gone")
    assert answered({"error": {"a": 1}}, ".json").json == {"a": 1}
    assert answered({"error": "no"}, ".text").body == b"no"
    refused = answered({"error": "no"}, ".json")
    assert (refused.status, refused.error) == (400, "Response is not valid 'application/json'.")


def test_other_failures_are_told_to_nobody(api, answered):
    broken = answered(5)
    assert (broken.status, broken.error) == (400, "There was an error processing your request.")
    assert api.record(broken.headers["x-openwhisk-activation-id"])["response"]["status"] == "action developer error"
    assert answered([1], ".json").status == 500


def test_a_web_action_that_takes_too_long_is_202(new_platform, gate):
    with new_platform(blocking_wait_ms=200) as api:
        api.action("slow", GATED, annotations=annotated())
        late = api.request("GET", f"{WEB}/slow.json", auth=None, query=f"gate={gate}")
        assert (late.status, late.error) == (202, "Response not yet ready.")
        assert len(late.headers["x-openwhisk-activation-id"]) == 32


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
results = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": json_values | st.sampled_from([200, 204, 304, 404, "200"]),
        "headers": json_values | st.dictionaries(st.sampled_from(["Content-Type", "X-A", "Location"]), json_values, max_size=3),
        "body": json_values,
        "text": json_values,
        "html": json_values,
    },
)


@given(results | json_values, st.sampled_from(sorted(EXTENSIONS)))
def test_any_result_has_an_answer_or_a_refusal(result, extension):
    try:
        answer = EXTENSIONS[extension](json.dumps(result, separators=(",", ":")).encode())
    except Refused:
        return
    assert isinstance(answer, Answer)
    for header in answer.headers:
        assert not any(forbidden in "".join(header) for forbidden in "\r\n\0")
