"""What an operator asks, outside the API and without a key."""

import pytest
from support.api import GATED, eventually


def ask(api, path):
    reply = api.request("GET", path, auth=None)
    return reply.status, reply.json


def test_a_lean_platform_has_no_invokers_and_is_never_ready(api):
    assert ask(api, "/invokers") == (200, {})
    assert ask(api, "/invokers/healthy/count") == (200, 0)
    assert ask(api, "/invokers/ready") == (500, {"unhealthy": "0/0"})


def test_invokers_can_be_made_up_for_who_waits_for_one(new_platform):
    with new_platform(healthy_invokers=2) as api:
        assert ask(api, "/invokers") == (200, {"invoker0/0": "up", "invoker1/1": "up"})
        assert ask(api, "/invokers/healthy/count") == (200, 2)
        assert ask(api, "/invokers/ready") == (200, {"healthy": "2/2"})


def test_what_is_in_flight_can_be_asked_for(small, name, gate):
    small.action(name, GATED)
    small.action(name, GATED)  # a second version
    running = [small.start(name, {"gate": str(gate)}) for _ in range(3)]  # and room for two
    assert eventually(lambda: ask(small, "/activation/count")[1] == 3)
    _, in_flight = ask(small, "/activation")
    gate.touch()
    ids = {future.result().json["activationId"] for future in running}
    assert {activation for activation, _ in in_flight} == ids
    assert {action for _, action in in_flight} == {f"guest/{name}@0.0.2"}
    assert ask(small, "/activation") == (200, [])
    assert ask(small, "/activation/count") == (200, 0)


@pytest.mark.parametrize("path", ["/metrics", "/invokers", "/activation", "/activation/count", "/invokers/ready"])
def test_they_are_asked_by_get_only(api, path):
    reply = api.request("POST", path)
    assert reply.status == 405
    assert reply.error == "HTTP method not allowed, supported methods: GET"
