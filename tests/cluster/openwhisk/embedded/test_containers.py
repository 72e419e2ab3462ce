"""What a container weighs beside others, and how many start at once."""

from pathlib import Path

import psutil
import pytest
from support.api import WHO, eventually

from cluster.openwhisk.embedded.containers import SPARES, niceness


@pytest.mark.parametrize(
    ("memory_mb", "user_memory_mb", "expected"),
    [
        (2048, 2048, 0),  # alone it weighs what any process weighs
        (1024, 2048, 3),  # 512 shares: 1024 / 1.25^3 = 524
        (256, 2048, 9),  # 128 shares
        (128, 2048, 12),  # 64 shares
        (128, 1_000_000, 19),  # docker's least, 2 shares, is below the kernel's least
        (512, 256, 0),  # more than there is: not more than any other process
    ],
)
def test_a_container_weighs_what_dockers_cpu_shares_would_give_it(memory_mb, user_memory_mb, expected):
    assert niceness(memory_mb, user_memory_mb) == expected


def test_containers_lead_groups_but_share_one_session_so_that_they_share_one_part_of_the_core(api, name):
    api.action(name, WHO)
    zygote, containers = _below(api, [api.invoke(name).result["pid"]])
    assert all(process.nice() == niceness(256, 2048) for process in containers)
    ids = [_group_and_session(process.pid) for process in containers]
    assert [group for group, _ in ids] == [process.pid for process in containers]
    assert {session for _, session in ids} == {zygote.pid}


def test_spares_wait_for_their_order_and_are_used_up_by_starts(new_platform, name):
    with new_platform() as api:
        zygote = next(process for process in api.processes() if "zygote" in " ".join(process.cmdline()))
        eventually(lambda: len(zygote.children()) == SPARES)
        before = {process.pid for process in zygote.children()}
        api.action(name, WHO)
        assert api.invoke(name).result["pid"] in before
        assert len(zygote.children()) == SPARES  # one of them is a container now


def test_a_spare_that_was_killed_is_passed_over(new_platform, name):
    with new_platform() as api:
        zygote = next(process for process in api.processes() if "zygote" in " ".join(process.cmdline()))
        eventually(lambda: len(zygote.children()) == SPARES)
        spares = zygote.children()
        for spare in spares:
            spare.kill()
        psutil.wait_procs(spares)
        api.action(name, WHO)
        assert api.invoke(name).status == 200


def test_no_more_containers_are_made_at_once_than_docker_runs_in_parallel(new_platform, name):
    """Twelve cold calls, ten of which may begin at once: the others wait for the whole of a start."""
    with new_platform(container_start_delay_ms=1500) as api:
        api.action(name, "import time\ndef main(args):\n    time.sleep(2)\n    return {}\n", limits={"memory": 128})
        waits = sorted(reply.result().annotation("waitTime") for reply in [api.start(name) for _ in range(12)])
        assert waits[0] >= 1400
        assert waits[9] - waits[0] < 1400  # together
        assert waits[10] - waits[0] >= 1400  # after one of the others was made; timers of the loop end a little early


def _below(api, pids):
    containers = [psutil.Process(pid) for pid in pids]
    zygote = containers[0].parent()
    assert zygote is not None
    return zygote, containers


def _group_and_session(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[2]), int(fields[3])
