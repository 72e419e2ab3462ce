"""However the platform, its zygote or a container ends: nothing stays behind, and what can go on goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.api import PATIENCE_S, WHO, eventually, serving

STARTS_ANOTHER = """
import os, subprocess, time
def main(args):
    child = subprocess.Popen(["sleep", "1000"])
    if args.get("leave"):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)
    open(args["started"], "w").close()
    while args.get("stay"):
        time.sleep(1)
    return {"pid": os.getpid(), "child": child.pid}
"""


def gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return not [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_when_the_platform_ends_nothing_stays(new_platform, tmp_path, number):
    with new_platform() as api:
        api.action("starter", STARTS_ANOTHER)
        api.action("node", "function main () { return {} }", kind="nodejs:default")
        api.invoke("node")
        api.invoke("starter", {"started": str(tmp_path / "a"), "leave": True})
        accepted = api.invoke("starter", {"started": str(tmp_path / "b"), "stay": True, "leave": True}, query="")
        assert accepted.status == 202
        eventually((tmp_path / "b").exists)
        everything = api.processes()
        assert len(everything) >= 7  # platform, zygote, three containers, two sleeps
        os.kill(api.platform.pid, number)
        assert gone(everything)
        if number != signal.SIGKILL:
            assert not (api.platform.state_dir / "listening.json").exists()
            assert not (api.platform.state_dir / "containers").exists()


def test_a_time_out_ends_everything_that_the_action_started(api, name, tmp_path):
    api.action(name, STARTS_ANOTHER, limits={"timeout": 3000})
    call = api.start(name, {"started": str(tmp_path / "a"), "stay": True})
    eventually((tmp_path / "a").exists)
    started = [process for process in api.processes() if process.name() == "sleep"]
    assert started
    assert call.result().annotation("timeout") is True
    assert gone(started)


def test_a_container_that_is_killed_in_a_call_fails_that_call_only(api, name, tmp_path):
    api.action(name, STARTS_ANOTHER)
    marker = tmp_path / "a"
    call = api.start(name, {"started": str(marker), "stay": True})
    eventually(marker.exists)
    child = next(process for process in api.processes() if process.name() == "sleep")
    os.kill(child.ppid(), signal.SIGKILL)
    reply = call.result()
    assert reply.status == 502
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == {"error": "The action did not produce a valid response and exited unexpectedly."}
    assert gone([child])
    assert api.invoke(name, {"started": str(marker)}).cold


def test_a_container_that_is_killed_while_idle_is_missed_by_nobody(api, name):
    api.action(name, "import os\ndef main(args):\n    return {'pid': os.getpid(), 'folder': os.getcwd()}\n")
    first = api.invoke(name)
    os.kill(first.result["pid"], signal.SIGKILL)
    eventually(lambda: not Path(first.result["folder"]).exists())
    again = api.invoke(name)
    assert again.status == 200
    assert again.cold
    assert not api.invoke(name).cold


def test_a_zygote_that_is_killed_is_replaced_and_its_containers_are_gone(new_platform):
    with new_platform() as api:
        api.action("who", WHO)
        first = api.invoke("who")
        zygote = psutil.Process(first.result["pid"]).parent()
        assert zygote is not None
        below = [zygote, *zygote.children(recursive=True)]
        zygote.kill()
        assert gone(below)
        api.action("other", WHO)
        other = api.invoke("other")
        assert other.status == 200, "a start waits for the next zygote"
        assert other.cold
        again = eventually(lambda: reply if (reply := api.invoke("who")).status == 200 else None)
        assert again.cold
        assert "has ended" in (api.platform.state_dir / "platform.log").read_text()


def test_a_platform_that_starts_where_another_was_killed_begins_afresh(tmp_path):
    folder = tmp_path / "state"
    with serving(folder) as api:
        api.action("who", WHO)
        api.invoke("who")
        everything = api.processes()
        os.kill(api.platform.pid, signal.SIGKILL)
        assert gone(everything)
    (folder / "listening.json").unlink()
    with serving(folder) as api:
        assert api.request("GET", "/api/v1/namespaces/_/actions").json == []
        assert list((folder / "containers").iterdir()) == []


def test_a_configuration_that_cannot_be_used_is_named_in_one_line(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    command = [sys.executable, "-m", "cluster.openwhisk.embedded", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"owray: {path} is not a configuration")
    assert len(ended.stderr.splitlines()) == 1
