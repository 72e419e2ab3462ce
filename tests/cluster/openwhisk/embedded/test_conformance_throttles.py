"""The two throttles as a client meets them. Numbers are those of the conformance checklist."""

from support.api import BASE, GATED, WHO, eventually
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


def test_conformance_21_real_calls_count_like_missing_ones_and_only_calls_count(new_platform, name):
    def scenario(api):
        api.action(name, WHO, limits={"logs": 0})
        statuses = [api.invoke(name).status for _ in range(60)]
        others = [api.action(name, WHO).status, *(api.request(method, f"{BASE}/actions/{name}").status for method in ("GET", "DELETE"))]
        return statuses, others, api.invoke(name)

    statuses, others, refused = within_one_minute(new_platform, scenario)
    assert statuses == [200] * 60
    assert others == [200] * 3
    assert (refused.status, refused.error) == (429, "Too many requests in the last minute (count: 61, allowed: 60).")


def test_conformance_22_the_thirty_first_call_in_flight_is_refused_and_has_spent_a_rate_token(new_platform, gate):
    def scenario(api):
        gate.unlink(missing_ok=True)
        api.action("gated", GATED)
        accepted = [api.invoke("gated", {"gate": str(gate)}, query="").status for _ in range(15)]
        waiting = [api.start("gated", {"gate": str(gate)}) for _ in range(15)]
        eventually(lambda: api.request("GET", "/activation/count").body == b"30")
        refused = api.invoke("gated", {"gate": str(gate)})
        further = 0
        while "in the last minute" not in api.invoke("gated").error:
            further += 1
        gate.touch()
        return [*accepted, *(call.result().status for call in waiting)], refused, further

    accepted, refused, further = within_one_minute(new_platform, scenario)
    assert accepted == [202] * 15 + [200] * 15
    assert refused.status == 429
    assert refused.error == "Too many concurrent requests in flight (count: 30, allowed: 30)."
    assert further == 60 - 31


def test_conformance_23_no_refusal_says_when_to_come_again(new_platform):
    for limit, text in (("invocations_per_minute", "in the last minute"), ("concurrent_invocations", "in flight")):
        with new_platform("standalone", **{limit: 0}) as api:
            refused = api.invoke("whatever")
            assert refused.status == 429
            assert text in refused.error
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
