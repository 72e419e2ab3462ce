"""The two throttles as a client meets them. Numbers are those of the conformance checklist."""

from support.api import BASE, GATED
from support.minutes import within_one_minute


def test_conformance_21_the_sixty_first_call_of_a_minute_is_refused_and_missing_actions_count(new_platform):
    def scenario(api):
        for _ in range(5):
            api.request("GET", f"{BASE}/actions/missing")
            api.request("POST", f"{BASE}/actions/%20illegal")
        statuses = [api.request("POST", f"{BASE}/actions/missing").status for _ in range(60)]
        return statuses, api.request("POST", f"{BASE}/actions/missing"), api.request("POST", f"{BASE}/actions/missing")

    statuses, refused, again = within_one_minute(new_platform, scenario)
    assert statuses == [404] * 60
    assert refused.status == 429
    assert refused.error == "Too many requests in the last minute (count: 61, allowed: 60)."
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "count: 62," in again.error


def test_conformance_22_the_thirty_first_call_in_flight_is_refused_and_has_spent_a_rate_token(new_platform, gate):
    def scenario(api):
        api.action("gated", GATED)
        accepted = [api.invoke("gated", {"gate": str(gate)}, query="").status for _ in range(30)]
        refused = api.invoke("gated", {"gate": str(gate)})
        further = 0
        while "in the last minute" not in api.invoke("gated").error:
            further += 1
        return accepted, refused, further

    accepted, refused, further = within_one_minute(new_platform, scenario)
    assert accepted == [202] * 30
    assert refused.status == 429
    assert refused.error == "Too many concurrent requests in flight (count: 30, allowed: 30)."
    assert further == 60 - 31


def test_conformance_23_no_refusal_says_when_to_come_again(new_platform):
    with new_platform("standalone", invocations_per_minute=0) as api:
        refused = api.invoke("whatever")
        assert refused.status == 429
        assert "retry-after" not in refused.headers


def test_in_flight_work_stops_counting_when_it_is_completed(new_platform, name, gate):
    with new_platform(concurrent_invocations=2) as api:
        api.action(name, GATED)
        running = [api.invoke(name, {"gate": str(gate)}, query="") for _ in range(2)]
        assert api.invoke(name, {"gate": str(gate)}).status == 429
        gate.touch()
        for accepted in running:
            api.record(accepted.json["activationId"])
        assert api.invoke(name, {"gate": str(gate)}).status == 200
