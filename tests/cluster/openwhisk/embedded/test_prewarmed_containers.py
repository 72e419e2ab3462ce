"""Stem cells of a running platform."""

import contextlib
import uuid

import psutil
from support.api import GATED, WHO, eventually

from cluster.openwhisk.embedded.containers import niceness

NODE = "function main () { return {pid: process.pid} }"
ONE_NODE = {"family": "nodejs", "count": 1, "memory_mb": 256}


def nodes(api):
    found = []
    for process in api.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith(("node", "MainThread")):
                found.append(process)
    return found


def folders(api):
    return {int(folder.name) for folder in (api.platform.state_dir / "containers").iterdir()}


def test_the_standalone_server_starts_two_of_node_which_serve_its_first_calls_and_are_replaced(new_platform, name):
    with new_platform("standalone") as api:
        eventually(lambda: len(nodes(api)) == 2)
        stems = {process.pid for process in nodes(api)}
        api.action(name, NODE, kind="nodejs:default")
        first = api.invoke(name)
        assert first.cold, "it has still to be initialised"
        assert first.result["pid"] in stems
        eventually(lambda: len(nodes(api)) == 3)
        # A call at once may meet the other one: the first is busy until its logs have been read.
        eventually(lambda: api.invoke(name).result == first.result)


def test_beside_its_stem_cells_the_standalone_server_has_room_for_two_of_python(new_platform, name, gate):
    with new_platform("standalone") as api:
        api.action(name, GATED)
        calls = [api.start(name, {"gate": str(gate)}) for _ in range(3)]
        eventually(lambda: len(folders(api)) == 4)
        gate.touch()
        assert len({call.result().result["pid"] for call in calls}) == 2
        eventually(lambda: len(nodes(api)) == 2)  # stem cells are never evicted, but one may be about to become a Node yet


def first_call(api, **fields):
    """Of an action that is new."""
    name = f"a{uuid.uuid4().hex[:12]}"
    api.action(name, WHO, **fields)
    reply = api.invoke(name)
    assert reply.cold
    return reply


def test_a_stem_cell_has_started_before_the_call_that_takes_it(new_platform):
    with new_platform(stem_cells=[{"family": "python", "count": 1, "memory_mb": 256}], container_start_delay_ms=700) as api:
        other = first_call(api, limits={"memory": 128})
        assert other.annotation("waitTime") >= 690, "another memory"
        taken = eventually(lambda: reply if (reply := first_call(api)).annotation("waitTime") < 600 else None)
        started = first_call(api)
        assert started.annotation("waitTime") >= 690, "the replacement is not there yet"
        assert psutil.Process(taken.result["pid"]).nice() == psutil.Process(started.result["pid"]).nice() == niceness(256, 2048)


def test_a_stem_cell_that_is_killed_is_replaced(new_platform):
    with new_platform("standalone", stem_cells=[ONE_NODE]) as api:
        eventually(lambda: len(nodes(api)) == 1)
        (first,) = nodes(api)
        first.kill()
        second = eventually(lambda: next((process for process in nodes(api) if process.pid != first.pid), None))
        assert second.is_running()
        assert not first.is_running()


def test_stem_cells_come_back_with_the_zygote(new_platform):
    with new_platform(stem_cells=[ONE_NODE]) as api:
        (first,) = eventually(lambda: nodes(api) or None)
        zygote = first.parent()
        zygote.kill()
        psutil.wait_procs([zygote, first])
        (second,) = eventually(lambda: nodes(api) or None)
        assert second.pid != first.pid
        assert second.parent().pid != zygote.pid


def test_stem_cells_that_nobody_takes_are_made_anew_from_time_to_time(new_platform):
    with new_platform(stem_cells=[ONE_NODE | {"count": 2, "ttl_ms": 1}], prewarm_upkeep_ms=1500) as api:
        eventually(lambda: len(nodes(api)) == 2)
        first = nodes(api)
        eventually(lambda: [process.is_running() for process in first] == [False, False])
        eventually(lambda: len(nodes(api)) == 1)
        assert folders(api) >= {3}


def test_a_family_that_the_machine_does_not_have_has_no_stem_cells(new_platform, name):
    with new_platform(stem_cells=[{"family": "cobol", "count": 2, "memory_mb": 256}]) as api:
        api.action(name, WHO)
        assert api.invoke(name).status == 200
        assert "cobol" in (api.platform.state_dir / "platform.log").read_text()
