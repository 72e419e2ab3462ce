"""Which activations get a record: a deployment can turn some of them off."""

import pytest
from support.api import BASE

CODE = """
def main(args):
    if args.get("how") == "dies":
        raise SystemExit
    return {"error": "no"} if args.get("how") == "fails" else {}
"""
ALL = {"works", "fails", "dies"}


@pytest.fixture(scope="module")
def choosy(new_platform):
    """Room for one container, and so one call after another."""
    single = {"least": 512, "default": 512, "greatest": 512}
    levels = {"store_blocking": "failures", "store_non_blocking": "failures-not-application-errors"}
    with new_platform(user_memory_mb=512, memory_mb=single, **levels) as api:
        api.action("mixed", CODE)
        yield api


def stored(api, query, headers=None):
    """Which of the three ways to end leave a record. The last call comes after the others, so what they leave is there by then."""
    ids = {}
    for how in sorted(ALL):
        reply = api.request("POST", f"{BASE}/actions/mixed", {"how": how}, headers, query=query)
        ids[reply.json["activationId"]] = how
    last = api.invoke("mixed", {"how": "fails"})
    api.record(last.json["activationId"])
    found = {how for activation, how in ids.items() if api.request("GET", f"{BASE}/activations/{activation}").status == 200}
    listed = {entry["activationId"] for entry in api.request("GET", f"{BASE}/activations").json}
    assert found == {how for activation, how in ids.items() if activation in listed}
    return found


def test_a_level_may_leave_out_what_went_well(choosy):
    assert stored(choosy, "blocking=true") == {"fails", "dies"}


def test_calls_that_nobody_waits_for_have_a_level_of_their_own(choosy):
    assert stored(choosy, "") == {"dies"}


def test_a_request_with_extra_logging_is_stored_at_any_level(choosy):
    assert stored(choosy, "blocking=true", {"X-OW-EXTRA-LOGGING": "on"}) == ALL
    assert stored(choosy, "blocking=true", {"X-OW-EXTRA-LOGGING": "off"}) == {"fails", "dies"}
