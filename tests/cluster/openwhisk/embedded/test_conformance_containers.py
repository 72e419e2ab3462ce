"""Cold and warm, memory and waiting. Numbers are those of the conformance checklist."""

from support.api import BASE, GATED, WHO, eventually


def test_conformance_16_the_first_call_is_cold_and_the_second_is_not(api, name):
    api.action(name, WHO)
    first, second = api.invoke(name), api.invoke(name)
    assert first.cold
    assert not second.cold
    assert first.result == second.result


def test_conformance_17_an_overwrite_with_the_same_code_makes_the_next_call_cold(api, name):
    api.action(name, WHO)
    first = api.invoke(name)
    api.action(name, WHO)
    second = api.invoke(name)
    assert second.cold
    assert second.json["version"] == "0.0.2"
    assert first.result != second.result


def test_conformance_18_an_action_that_is_deleted_and_made_again_alike_finds_its_container(api, name):
    api.action(name, WHO)
    first = api.invoke(name)
    api.request("DELETE", f"{BASE}/actions/{name}")
    api.action(name, WHO)
    again = api.invoke(name)
    assert not again.cold
    assert again.result == first.result
    api.request("DELETE", f"{BASE}/actions/{name}")
    api.action(name, WHO, limits={"logs": 1})
    assert api.invoke(name).cold


def test_conformance_19_parallel_calls_have_containers_of_their_own_and_beyond_the_memory_they_wait(small, name, gate):
    small.action(name, GATED)
    running = [small.start(name, {"gate": str(gate)}) for _ in range(2)]
    eventually(lambda: len(list(gate.parent.glob("gate.*"))) == 2)
    third = small.start(name, {"gate": str(gate)})
    accepted = small.invoke(name, {"gate": str(gate)}, query="")
    assert accepted.status == 202
    assert not third.done()
    gate.touch()
    pids = {future.result().result["pid"] for future in running}
    assert len(pids) == 2
    late = third.result()
    assert late.status == 200
    assert not late.cold
    assert late.result["pid"] in pids
    assert late.annotation("waitTime") >= 0
    assert small.record(accepted.json["activationId"])["response"]["success"]


def test_conformance_20_when_memory_is_full_the_least_recently_used_idle_container_goes(small, name):
    for suffix in ("x", "y", "z"):
        small.action(name + suffix, WHO)
    first = small.invoke(name + "x")
    second = small.invoke(name + "y")
    assert small.invoke(name + "x").result == first.result  # now y is the one unused for longest
    assert small.invoke(name + "z").cold
    assert not small.invoke(name + "x").cold
    again = small.invoke(name + "y")
    assert again.cold
    assert again.result != second.result


def test_a_waiting_call_holds_up_those_behind_it_even_if_a_container_of_theirs_is_idle(small, name, tmp_path, gate):
    other_gate = tmp_path / "other"
    small.action(name + "large", GATED, limits={"memory": 512})
    small.action(name + "busy", GATED)
    small.action(name + "idle", WHO)
    assert small.invoke(name + "idle").cold
    busy = small.start(name + "busy", {"gate": str(gate)})
    eventually(lambda: len(small.processes()) >= 4)
    # Its 512 MB make room of the idle container; while it runs, nothing else has room, and what comes queues in order.
    large = small.start(name + "large", {"gate": str(other_gate)})
    head = small.invoke(name + "busy", {"gate": str(gate)}, query="")
    behind = small.start(name + "idle")
    assert not behind.done()
    other_gate.touch()
    gate.touch()
    assert large.result().status == busy.result().status == behind.result().status == 200
    assert small.record(head.json["activationId"])["response"]["success"]


def test_containers_have_a_folder_of_their_own_that_goes_with_them(small, name):
    code = """
import os, tempfile
def main(args):
    open("left", "w").close()
    return {"cwd": os.getcwd(), "tmp": tempfile.gettempdir()}
"""
    small.action(name + "x", code)
    small.action(name + "y", code)
    first, second = small.invoke(name + "x").result, small.invoke(name + "y").result
    assert first["cwd"] != second["cwd"]
    assert first["tmp"] != second["tmp"]
    folders = small.platform.state_dir / "containers"
    assert folders.stat().st_mode & 0o077 == 0
    assert str(folders) in first["cwd"]
    for suffix in ("p", "q"):
        small.action(name + suffix, WHO)
        small.invoke(name + suffix)
    eventually(lambda: len(list(folders.iterdir())) == 2)


def test_a_container_is_busy_until_its_logs_are_read(new_platform, name):
    with new_platform("standalone", invocations_per_minute=999, log_delay_ms=5000) as api:
        api.action(name, WHO)
        first = api.invoke(name)
        at_once = api.invoke(name)
        assert at_once.cold
        assert at_once.result != first.result
        assert api.request("GET", f"{BASE}/activations/{first.json['activationId']}").status == 404
        api.action(name + "quiet", WHO, limits={"logs": 0})
        first = api.invoke(name + "quiet")
        assert api.invoke(name + "quiet").result == first.result


def test_a_cold_herd_starts_as_many_containers_as_there_is_memory_for_and_serves_all(new_platform, name):
    with new_platform(user_memory_mb=2048) as api:
        api.action(name, WHO, limits={"memory": 128})
        replies = [future.result() for future in [api.start(name) for _ in range(200)]]
        assert {reply.status for reply in replies} == {200}
        pids = {reply.result["pid"] for reply in replies}
        assert 1 <= len(pids) <= 16
        assert sum(reply.cold for reply in replies) == len(pids)


def test_a_container_start_can_be_made_as_slow_as_docker(new_platform, name):
    with new_platform(container_start_delay_ms=400) as api:
        api.action(name, WHO)
        cold, warm = api.invoke(name), api.invoke(name)
        assert cold.annotation("waitTime") >= 399
        assert cold.annotation("initTime") < cold.annotation("waitTime") + 400
        assert not warm.cold
