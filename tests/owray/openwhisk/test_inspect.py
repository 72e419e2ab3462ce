"""What can be told of an OpenWhisk from outside; and one line with cause and cure for each that cannot be used."""

import asyncio
import itertools
import socket
import ssl
from functools import partial

import pytest
from aiohttp import web
from support.tls_front import own_openwhisk

from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.inspect import Range, capacity, check, generation, inspect, namespace_limits
from owray.openwhisk.reach import reach
from owray.openwhisk.target import Target

SECRET = "k" * 64
AUTH = f"uuid:{SECRET}"
API = {"description": "OpenWhisk API", "api_version": "1.0.0", "build": "2026-01-02", "buildno": "20260102"}
LIMITS = {"invocationsPerMinute": 60, "concurrentInvocations": 30, "firesPerMinute": 60}
INVOKERS = {"invoker0/0": "up", "invoker1/1": "up", "invoker2/2": "unhealthy"}


def ticking():
    """A clock that stands a millisecond further each time it is looked at."""
    times_ns = itertools.count(0, 1_000_000)
    return lambda: next(times_ns)


def against(answers, ask, namespace="_"):
    """What `ask` gives of a server with these answers, by path; everything else is not found there."""

    async def answer(request):
        found = answers.get(request.path)
        if callable(found):
            return found()
        return web.json_response(found) if found is not None else web.json_response({"error": "not found"}, status=404)

    async def run():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return await ask(Target(f"http://127.0.0.1:{runner.addresses[0][1]}", AUTH, namespace, source="a test"))
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def openwhisk(**changed):
    """A cluster's answers, where its front lets everything through but metrics."""
    answers = {
        "/api/v1": API,
        "/api/v1/namespaces": ["team"],
        "/api/v1/namespaces/_/limits": LIMITS,
        "/": {
            "limits": {"min_action_memory": 128 << 20, "max_action_memory": 512 << 20, "default_action_memory": 256 << 20},
            "runtimes": {
                "nodejs": [{"kind": "nodejs:14", "default": True}, {"kind": "nodejs:10", "deprecated": True}],
                "python": [{"kind": "python:3", "default": True}, {"kind": "python:2"}],
            },
        },
        "/invokers": INVOKERS,
    }
    return {**answers, **changed}


async def inspected(target):
    return await inspect(target, ticking())


def test_a_cluster_is_told_as_far_as_it_shows_itself():
    seen = against(openwhisk(), inspected)
    assert (seen.namespace, seen.api_version, seen.build, seen.build_number) == ("team", "1.0.0", "2026-01-02", "20260102")
    assert (seen.kinds, seen.default_kinds) == (("nodejs:14", "python:3", "python:2"), ("nodejs:14", "python:3"))
    assert seen.invokers == {"unhealthy": 1, "up": 2}
    assert seen.limits.memory_mb == Range(128, 512)
    assert seen.limits.timeout_ms == Range(None, None)
    assert seen.generation.name is None
    assert (seen.capacity.containers, seen.capacity.memory_mb) == (None, 256)
    assert "2 healthy OpenWhisk invokers" in seen.capacity.because
    assert "it would be 16" in seen.capacity.because
    assert (seen.round_trip.count, seen.round_trip.least_ms, seen.round_trip.median_ms) == (9, 1.0, 1.0)
    assert (seen.reach.name_ms, seen.reach.connect_ms, seen.reach.tls) == (1.0, 1.0, None)


def test_what_a_front_keeps_to_itself_is_not_told():
    seen = against(openwhisk(**{"/": None, "/invokers": None}), inspected)
    assert (seen.kinds, seen.default_kinds, seen.invokers) == (None, None, None)
    assert (seen.generation.name, seen.capacity.containers) == (None, None)
    assert seen.limits.calls_per_minute == 60


def test_the_embedded_platform_is_told_whole(platform):
    seen = asyncio.run(inspected(platform.target))
    assert (seen.namespace, seen.build, seen.generation.name) == ("guest", "embedded", "v1, lean balancer")
    assert seen.capacity.containers == 2048 // 256
    assert seen.limits.timeout_ms == Range(100, 300_000)
    assert any(kind.startswith("python:") for kind in seen.kinds)


@pytest.mark.parametrize(
    ("info", "invokers", "metrics", "name"),
    [
        ({"embedded": {}}, {}, None, "v1, lean balancer"),
        ({}, {"up": 1}, "# HELP\ncounter_scheduler_queueActivation_total 4\n", "FPC"),
        ({}, {"up": 1}, "scheduler_waitTime 4\n", "FPC"),
        ({}, {}, "containerPool_idlesCount_counter 4\n", "v1, lean balancer"),
        ({}, {"up": 1}, "counter_loadbalancer0_activationsInflight_counter 1\n", None),
        ({}, {"up": 1}, "not_scheduler_at_all 1\n", None),
        ({}, {}, None, None),
        ({}, None, None, None),
    ],
)
def test_the_generation_is_told_only_by_what_gives_it_away(info, invokers, metrics, name):
    told = generation(info, invokers, metrics)
    assert told.name == name
    assert told.because


def test_limits_of_the_namespace_go_before_those_of_the_system():
    mine = {**LIMITS, "minActionMemory": 128, "maxActionMemory": 1024, "maxPayloadSize": "1 MB", "allowedKinds": ["python:3"]}
    told = namespace_limits(mine, {"limits": {"min_action_memory": 1 << 20, "max_action_memory": 1 << 20, "max_action_duration": 300_000}})
    assert (told.memory_mb, told.timeout_ms) == (Range(128, 1024), Range(None, 300_000))
    assert (told.payload, told.allowed_kinds) == ("1 MB", ("python:3",))
    assert namespace_limits({"invocationsPerMinute": "many"}, {"limits": "none"}).calls_per_minute is None


def test_capacity_is_told_by_the_memory_for_containers_alone():
    assert capacity({"embedded": {"knobs": {"user_memory_mb": 1000}}}, {}).containers == 3
    assert capacity({}, None).containers is None
    assert "1 healthy OpenWhisk invoker," in capacity({}, {"up": 1}).because


# --- what cannot be used


def refusal(answers, namespace="_"):
    """The one line that both `owray target` and a storm say, the latter before it brings anything up."""
    said = []
    for ask in (inspected, check):
        with pytest.raises(OpenWhiskError) as caught:
            against(answers, ask, namespace)
        said.append(str(caught.value).replace(str(caught.value).partition("127.0.0.1:")[2][:5], "PORT"))
    assert said[0] == said[1]
    assert SECRET not in said[0]
    assert "\n" not in said[0]
    return said[0]


def test_a_wrong_key_is_said_with_the_place_it_came_from():
    wrong = '{"error":"The supplied authentication is invalid","code":"x"}'
    assert refusal(openwhisk(**{"/api/v1/namespaces": partial(web.Response, status=401, text=wrong)})) == (
        "GET http://127.0.0.1:PORT/api/v1/namespaces answered 401: The supplied authentication is invalid.  "
        "(the key is not accepted; check it in a test, and that it belongs to this host)"
    )


def test_a_redirect_is_not_followed():
    away = partial(web.Response, status=308, headers={"Location": "https://elsewhere.example/api/v1"})
    assert refusal(openwhisk(**{"/api/v1": away})) == (
        "GET http://127.0.0.1:PORT/api/v1 answered 308: it sends elsewhere: https://elsewhere.example/api/v1.  "
        "(if that is your OpenWhisk, name it as the API host in a test; a key goes nowhere by itself)"
    )


@pytest.mark.parametrize("answer", [None, {"hello": "world"}, ["a", "list"], partial(web.Response, status=400, text="<html>\nplain")])
def test_who_is_no_openwhisk_is_said_so(answer):
    said = refusal(openwhisk(**{"/api/v1": answer}))
    assert said.startswith("http://127.0.0.1:PORT is no OpenWhisk: it ")
    assert said.endswith(".  (check the address in a test)")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            200,
            "PORT is no OpenWhisk: it answers GET /api/v1 with 200: no JSON: a web page, Hello.  (check the address in a test)",
        ),
        (404, "http://127.0.0.1:PORT is no OpenWhisk: it answers GET /api/v1 with 404: a web page, Hello.  (check the address in a test)"),
        (401, "answered 401: a web page, Hello.  (the key is not accepted; check it in a test, and that it belongs to this host)"),
        (403, "answered 403: a web page, Hello.  (that is no answer of OpenWhisk's: what stands before it forbids this; ask whoever runs"),
        (503, "answered 503: a web page, Hello.  (what stands before OpenWhisk gets no answer from it; is it running?)"),
    ],
)
def test_a_web_page_is_told_from_an_openwhisk(status, said):
    page = partial(web.Response, status=status, text="<html><title>Hello</title>", content_type="text/html")
    assert said in refusal(openwhisk(**{"/api/v1": page}))


def test_an_openwhisk_without_a_healthy_invoker_is_said_so():
    busy = partial(web.json_response, {"error": "none healthy", "code": "x"}, status=503)
    assert "answered 503: none healthy.  (no OpenWhisk invoker is healthy yet; wait a minute" in refusal(openwhisk(**{"/api/v1": busy}))


@pytest.mark.parametrize("runtimes", ["many", {"python": None}, {"python": ["python:3"]}, {"python": [{"image": "x"}]}])
def test_runtimes_of_another_form_are_none_that_could_be_told(runtimes):
    seen = against(openwhisk(**{"/": {"runtimes": runtimes, "limits": ["none"]}}), inspected)
    assert not seen.kinds


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("owray.openwhisk.inspect.TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(OpenWhiskError) as caught:
            asyncio.run(inspected(Target(host, AUTH, source="a test")))
    assert str(caught.value) == f"GET {host}/api/v1 was not answered within 0.1 s.  (is the address right? It is from a test)"


def test_an_address_of_ipv6_is_one_like_any_other():
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        host = f"http://[::1]:{taken.getsockname()[1]}"
        with pytest.raises(OpenWhiskError) as caught:
            asyncio.run(inspected(Target(host, AUTH, source="a test")))
    assert str(caught.value).startswith(f"connection refused by {host}.  (is OpenWhisk running there?")


def test_a_key_for_another_namespace_is_said_so():
    assert refusal(openwhisk(), namespace="guest") == (
        "the key is accepted at http://127.0.0.1:PORT, but it is for team, not for guest.  "
        "(take NAMESPACE out of a test, or have the key that goes with it)"
    )


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("https://no-such-host.invalid", "the name of https://no-such-host.invalid cannot be resolved.  (check the address in a test)"),
        (
            "http://127.0.0.1:{closed}",
            "connection refused by http://127.0.0.1:{closed}.  (is OpenWhisk running there? The address is from a",
        ),
        ("http://127.0.0.1:{mute}", "http://127.0.0.1:{mute} answers, but not in HTTP.  (check the address in a test)"),
    ],
)
def test_who_cannot_be_talked_to_is_said_so(host, said):
    async def talk(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run():
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        with socket.socket() as taken:  # bound but not listening: nobody answers there
            taken.bind(("127.0.0.1", 0))
            ports = {"closed": taken.getsockname()[1], "mute": server.sockets[0].getsockname()[1]}
            async with server:
                with pytest.raises(OpenWhiskError) as caught:
                    await inspect(Target(host.format(**ports), AUTH, source="a test"), ticking())
            assert str(caught.value).startswith(said.format(**ports))

    asyncio.run(run())


# --- over TLS


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with own_openwhisk(tmp_path_factory.mktemp("own")) as running:
        yield running


def test_a_certificate_nobody_vouches_for_is_said_with_reason_and_cure(own):
    with pytest.raises(OpenWhiskError) as caught:
        asyncio.run(inspected(Target(own.api_host, own.auth, source="a test")))
    assert str(caught.value) == (
        f"{own.api_host} shows a certificate that nobody known here vouches for: self-signed certificate.  "
        "(SSL_CERT_FILE=FILE names its authority; --insecure takes any certificate)"
    )


def test_insecure_takes_any_certificate_and_says_so(own):
    seen = asyncio.run(inspected(Target(own.api_host, own.auth, insecure=True)))
    assert (seen.namespace, seen.reach.tls.checked, seen.reach.tls.subject) == ("guest", False, "")
    assert seen.reach.tls.version.startswith("TLSv1.")
    assert seen.reach.tls_ms == 1.0


def test_a_trusted_certificate_is_shown(own, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own.certificate))
    tls = asyncio.run(reach(Target(own.api_host, own.auth), ticking())).tls
    assert (tls.checked, tls.subject, tls.issuer) == (True, "127.0.0.1", "127.0.0.1")
    assert tls.until.endswith(" GMT")


def test_plain_http_to_a_tls_port_is_suspected(own):
    with pytest.raises(OpenWhiskError, match="https:// instead of http:// in a test"):
        asyncio.run(inspected(Target(own.api_host.replace("https", "http"), own.auth, source="a test")))


def test_a_connection_that_cannot_be_made_is_an_os_error(own):
    with pytest.raises(ssl.SSLError):
        asyncio.run(reach(Target(own.platform.target.api_host.replace("http", "https"), own.auth), ticking()))


def test_what_the_namespace_does_not_say_of_its_calls_is_the_systems():
    told = namespace_limits({"concurrentInvocations": 7}, {"limits": {"actions_per_minute": 60, "concurrent_actions": 30}})
    assert (told.calls_per_minute, told.concurrent_calls) == (60, 7)
