"""Whatever goes wrong becomes one line with its cause; against a server that answers as it is told."""

import asyncio
import base64
import socket

import pytest
from aiohttp import web

from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.target import Target

SECRET = "k" * 64
AUTH = f"uuid:{SECRET}"


def talk(handler, conversation, timeout_s=5.0):
    """What `conversation` gives with a client of a server that answers everything by `handler`."""

    async def run():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            async with OpenWhisk(Target(f"http://127.0.0.1:{port}", AUTH, source="a test"), timeout_s) as client:
                return await conversation(client)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def answering(status, **answer):
    async def handler(request):
        return web.json_response(status=status, **answer) if "data" in answer else web.Response(status=status, **answer)

    return handler


def refusal_of(handler, conversation, **options):
    with pytest.raises(OpenWhiskError) as caught:
        talk(handler, conversation, **options)
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_platforms_own_words_are_kept():
    refused = refusal_of(
        answering(413, data={"error": "exec larger than allowed: 60 > 50 bytes.", "code": "x"}), lambda client: client.put_action("big", {})
    )
    assert refused.status == 413
    assert refused.text == "exec larger than allowed: 60 > 50 bytes."
    assert "PUT http://127.0.0.1" in str(refused)
    assert "/namespaces/_/actions/big answered 413: exec larger" in str(refused)


def test_words_on_several_lines_become_one():
    malformed = {"error": "The request content was malformed:\nrequirement failed", "code": "x"}
    assert refusal_of(answering(400, data=malformed), lambda client: client.put_action("a", {})).text == (
        "The request content was malformed: requirement failed"
    )


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<html>\n<h1>504 Gateway Time-out</h1>", "a web page, 504 Gateway Time-out"),
        ("<!DOCTYPE html>\n<html><head><TITLE>\n Welcome\n to nginx! </TITLE>", "a web page, Welcome to nginx!"),
        ("<html></html>", "a web page"),
        ("upstream connect error\nreset", "upstream connect error"),
    ],
)
def test_a_page_of_a_proxy_is_told_by_its_title(page, said):
    assert refusal_of(answering(504, text=page, content_type="text/html"), lambda client: client.limits()).text == said


@pytest.mark.parametrize(
    ("status", "of_openwhisk", "of_a_front"),
    [
        (403, "the key is good, but not for this namespace", "what stands before it forbids this; ask whoever runs http://127.0.0.1:"),
        (503, "no OpenWhisk invoker is healthy yet", "what stands before OpenWhisk gets no answer from it; is it running?"),
        (401, "check it in a test", "check it in a test"),
        (500, "OpenWhisk's own logs tell why", "OpenWhisk's own logs tell why"),
    ],
)
def test_what_openwhisk_refuses_is_told_from_what_stands_before_it(status, of_openwhisk, of_a_front):
    assert of_openwhisk in str(refusal_of(answering(status, data={"error": "no", "code": "x"}), lambda client: client.limits()))
    assert of_a_front in str(refusal_of(answering(status, text="<html>"), lambda client: client.limits()))


def test_an_answer_without_a_body_says_nothing_more():
    assert "answered 503: nothing more.  (" in str(refusal_of(answering(503), lambda client: client.limits()))


def test_a_wrong_key_says_where_the_key_is_from():
    refused = refusal_of(answering(401, data={"error": "The supplied authentication is invalid"}), lambda client: client.limits())
    assert "check it in a test" in str(refused)


def test_an_answer_that_is_no_json_is_said_to_be_none():
    assert refusal_of(answering(200, text="hello"), lambda client: client.info()).text == "no JSON: hello"
    assert refusal_of(answering(200, data=[1]), lambda client: client.info()).text == "no JSON object: [1]"


def test_a_redirect_is_not_followed_with_the_key():
    asked = []

    async def handler(request):
        asked.append(request.path)
        return web.Response(status=308, headers={"Location": "/elsewhere"})

    assert refusal_of(handler, lambda client: client.ping()).status == 308
    assert asked == ["/ping"]


def test_a_platform_that_does_not_answer_is_given_up_after_the_time_out():
    async def handler(request):
        await asyncio.sleep(60)

    refused = refusal_of(handler, lambda client: client.ping(), timeout_s=0.1)
    assert refused.status is None
    assert "was not answered within 0.1 s" in str(refused)


def test_a_connection_that_breaks_off_leaves_the_outcome_open():
    async def handler(request):
        request.transport.abort()
        return web.Response()

    assert "may or may not have been served" in str(refusal_of(handler, lambda client: client.ping()))


def test_a_refused_connection_names_the_host():
    with socket.socket() as taken:  # bound but not listening: nothing else gets this port, and nobody answers
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"

        async def ping():
            async with OpenWhisk(Target(host, AUTH, source="lab 'local'")) as client:
                await client.ping()

        with pytest.raises(OpenWhiskError) as caught:
            asyncio.run(ping())
    assert str(caught.value) == (f"connection refused by {host}.  (is OpenWhisk running there? The address is from lab 'local')")


def test_a_host_that_does_not_speak_tls_is_suspected_of_plain_http():
    async def converse(client):
        secure = Target(client.target.api_host.replace("http://", "https://"), AUTH, source="a test")
        async with OpenWhisk(secure) as other:
            await other.ping()

    assert "http:// instead of https:// in a test?" in str(refusal_of(answering(200), converse))


def test_a_blocking_call_that_outlives_the_platforms_patience_is_no_success():
    refused = refusal_of(answering(202, data={"activationId": "a" * 32}), lambda client: client.invoke("slow"))
    assert refused.status == 202
    assert f"it runs on as activation {'a' * 32}" in str(refused)


def test_an_error_without_a_record_is_a_refusal():
    refused = refusal_of(answering(500, data={"error": "Internal error.", "code": "x"}), lambda client: client.invoke("a"))
    assert (refused.status, refused.text) == (500, "Internal error.")


def test_a_platform_may_answer_a_put_without_a_payload():
    async def handler(request):
        if request.method == "PUT":
            return web.Response(text="OK")
        return web.json_response({"name": "a", "version": "0.0.1"})

    assert talk(handler, lambda client: client.put_action("a", {}))["version"] == "0.0.1"


def test_a_client_that_was_not_entered_says_so():
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(OpenWhisk(Target("http://127.0.0.1:1", AUTH)).ping())


@pytest.mark.parametrize("status", [200, 302, 400, 401, 500, 503])
def test_a_key_that_an_answer_quotes_is_shown_to_nobody(status):
    async def quoting(request):
        sent = request.headers["Authorization"]
        text = f"who is {sent}, that is {base64.b64decode(sent.removeprefix('Basic ')).decode()}, with {SECRET}?"
        return web.Response(status=status, text=text, headers={"Location": f"https://{AUTH}@elsewhere.example/?{SECRET}"})

    refused = refusal_of(quoting, lambda client: client.limits())
    assert "(the key)" in str(refused)
    assert base64.b64encode(AUTH.encode()).decode() not in str(refused)


def test_an_answer_moves_no_cursor_and_changes_no_colour():
    refused = refusal_of(answering(400, data={"error": "\x1b[2Jgone\x07"}), lambda client: client.limits())
    assert refused.text == "\\x1b[2Jgone\\x07"
    assert str(refusal_of(answering(502, text="\x1b]0;mine"), lambda client: client.limits())).isprintable()
