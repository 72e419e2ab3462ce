"""What a container weighs beside others, and how many start at once."""

import base64
import contextlib
import io
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from support.api import WHO, Api, eventually
from support.platform import running_platform

from cluster.openwhisk.embedded.containers import SPARES, niceness
from cluster.openwhisk.embedded.spawner import PYTHON_ACTION, ZYGOTE


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
        zygote = _zygote(api)
        eventually(lambda: len(zygote.children()) == SPARES)
        before = {process.pid for process in zygote.children()}
        api.action(name, WHO)
        assert api.invoke(name).result["pid"] in before
        assert len(zygote.children()) == SPARES  # one of them is a container now


def test_a_spare_that_was_killed_is_passed_over(new_platform, name):
    with new_platform() as api:
        zygote = _zygote(api)
        eventually(lambda: len(zygote.children()) == SPARES)
        spares = zygote.children()
        for spare in spares:
            spare.kill()
        psutil.wait_procs(spares)
        api.action(name, WHO)
        assert api.invoke(name).status == 200


def test_a_zygote_has_the_spares_that_the_last_order_named_and_no_others():
    platform, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-S", "-B", str(ZYGOTE), str(os.getpid()), str(min(os.sched_getaffinity(0))), str(PYTHON_ACTION)]
    with platform, theirs, subprocess.Popen(command, stdin=theirs.fileno()) as started:
        theirs.close()
        zygote = psutil.Process(started.pid)
        platform.sendall(b'{"spares": [null, null, null]}\n')
        eventually(lambda: len(zygote.children()) == 3)
        three = {child.pid for child in zygote.children()}
        platform.sendall(b'{"spares": [null]}\n')
        eventually(lambda: len(zygote.children()) == 1)
        assert {child.pid for child in zygote.children()} < three
        platform.close()


def test_no_more_containers_are_made_at_once_than_docker_runs_in_parallel(new_platform, name):
    """Twelve cold calls, ten of which may begin at once: the others wait for the whole of a start."""
    with new_platform(container_start_delay_ms=1500) as api:
        api.action(name, "import time\ndef main(args):\n    time.sleep(2)\n    return {}\n", limits={"memory": 128})
        waits = sorted(reply.result().annotation("waitTime") for reply in [api.start(name) for _ in range(12)])
        assert waits[0] >= 1400
        assert waits[9] - waits[0] < 1400  # together
        assert waits[10] - waits[0] >= 1400  # after one of the others was made; timers of the loop end a little early


def test_a_container_can_be_made_where_the_platform_itself_was_niced_and_none_may_go_below_that(tmp_path, name):
    with running_platform(tmp_path) as platform, contextlib.closing(Api(platform)) as api:
        zygote = _zygote(api)
        zygote.nice(15)  # its children begin with that
        for spare in zygote.children():
            spare.nice(15)
        api.action(name, "import os\ndef main(args):\n    return {'nice': os.nice(0)}\n")
        assert api.invoke(name).result == {"nice": 19}


OPEN = """
import os
def main(args):
    descriptors = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
    return {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in descriptors}
"""


def test_a_container_has_nothing_open_but_its_own(new_platform, name):
    with new_platform() as api, contextlib.ExitStack() as connections:
        for _ in range(300):
            connections.enter_context(socket.create_connection(_address(api)))
        _zygote(api).kill()  # the next one begins while the platform has many descriptors open
        api.action(name, OPEN)
        opened = eventually(lambda: reply.result if (reply := api.invoke(name)).status == 200 else None)
    assert opened.keys() <= {"0", "1", "2", "3", "4"}  # streams, its listener, its connection
    assert {opened["0"], opened["1"], opened["2"]} == {"/dev/null"}


def test_an_archive_finds_its_own_module_before_one_that_is_loaded_ahead(api, name):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(
            "__main__.py", "import platform, string\ndef main(args):\n    return {'mine': platform.MINE, 'digits': string.digits}\n"
        )
        made.writestr("platform.py", "MINE = 'yes'\n")
    api.action(name, base64.b64encode(archive.getvalue()).decode())
    assert api.invoke(name).result == {"mine": "yes", "digits": "0123456789"}


def test_a_container_that_takes_too_long_to_start_fails_its_call_and_costs_no_memory(new_platform, name):
    with new_platform(user_memory_mb=512, start_timeout_ms=1000) as api:
        api.action(name, WHO, limits={"memory": 512})
        zygote = _zygote(api)
        eventually(lambda: len(zygote.children()) == SPARES)
        zygote.suspend()
        try:
            reply = api.invoke(name)
        finally:
            zygote.resume()
        assert reply.status == 500
        assert reply.json["response"]["status"] == "whisk internal error"
        assert reply.result == {"error": "Failed to provision resources to run the action."}
        assert api.record(reply.json["activationId"])["response"] == reply.json["response"]
        assert api.invoke(name).status == 200
        eventually(lambda: len(list((api.platform.state_dir / "containers").iterdir())) == 1)


def _below(api, pids):
    containers = [psutil.Process(pid) for pid in pids]
    zygote = containers[0].parent()
    assert zygote is not None
    return zygote, containers


def _address(api):
    address = urlsplit(api.platform.target.api_host)
    return address.hostname, address.port


def _zygote(api):
    return next(process for process in api.processes() if "zygote" in " ".join(process.cmdline()))


def _group_and_session(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[2]), int(fields[3])
