"""The Python runtime: archives, virtualenvs, other interpreters, odd results, and what it says where nobody but the logs hears it."""

import json
import socket
import subprocess
import sys

import pytest
from support.api import PATIENCE_S
from support.archives import archive
from support.interpreters import pythons

from cluster.openwhisk.embedded.config import PROFILES
from cluster.openwhisk.embedded.spawner import PYTHON_ACTION

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
CANNOT_START = {"error": "Cannot start action. Check logs for details."}
NO_BINARY = {"error": "The action failed to generate or locate a binary. See logs for details."}
EXITED = {"error": "command exited"}
INVALID = "The action did not produce a valid JSON or JSON Array response: "

VERSION = "import sys\ndef main(args):\n    return {'version': '%d.%d' % sys.version_info[:2]}\n"
ACTIVATE = """
import os, sys
base = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(base, "lib", "site-packages"))
"""
VIRTUALENV = {
    "__main__.py": "import wonder\ndef main(args):\n    return {'wonder': wonder.VALUE}\n",
    "virtualenv/bin/activate_this.py": ACTIVATE,
    "virtualenv/lib/site-packages/wonder.py": "VALUE = 7\n",
}


# --- archives


def test_an_archive_brings_its_modules_data_and_permissions(api, name):
    files = {
        "__main__.py": "import os, other\ndef main(args):\n    return [other.N, os.access('tool', os.X_OK), open('data').read()]\n",
        "other.py": "N = 3\n",
        "tool": "#!/bin/sh\n",
        "data": "é",
    }
    api.action(name, archive(files, executable=("tool",)))
    assert api.invoke(name).json == [3, True, "é"]


def test_the_packages_of_an_archives_virtualenv_can_be_imported(api, name):
    api.action(name, archive(VIRTUALENV))
    assert api.invoke(name).result == {"wonder": 7}


def test_a_virtualenv_without_its_script_does_not_start(api, name):
    api.action(name, archive({path: text for path, text in VIRTUALENV.items() if "activate" not in path}))
    assert api.invoke(name).result == CANNOT_START


def test_an_archive_without_a_main_module_has_no_binary(api, name):
    api.action(name, archive({"other.py": ""}))
    reply = api.invoke(name)
    assert (reply.status, reply.result) == (502, NO_BINARY)


def test_code_that_only_looks_like_an_archive_does_not_start(api, name):
    api.action(name, "abcd")
    assert api.invoke(name).result == CANNOT_START


# --- interpreters


def test_every_interpreter_of_this_machine_is_a_kind_and_runs_its_actions(api, name):
    offered = {kind["kind"]: kind for kind in api.request("GET", "/").json["runtimes"]["python"]}
    wanted = [version for version in pythons() if int(version.split(".")[1]) >= 9]
    assert {f"python:{version}" for version in wanted} <= set(offered)
    assert [kind for kind in offered if offered[kind]["default"]] == [f"python:{OWN}"]
    for version in wanted:
        api.action(name, VERSION, kind=f"python:{version}")
        cold, warm = api.invoke(name), api.invoke(name)
        assert (cold.result, cold.cold, warm.cold) == ({"version": version}, True, False)


def test_the_default_python_may_be_called_python_3(new_platform, name):
    assert PROFILES["helm"].python_3
    with new_platform(python_3=True) as api:
        made = api.action(name, VERSION, kind="python:3").json
        assert made["exec"]["kind"] == "python:3"
        assert api.action(name, VERSION, kind="python:default").json["exec"]["kind"] == "python:3"
        assert api.invoke(name).result == {"version": OWN}


# --- arguments and results


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("None", {"error": INVALID + "null"}),
        ("b'x'", EXITED),
        ("{'x': {1, 2}}", EXITED),
        ("{'x': chr(0xd800)}", EXITED),
        ("7", {"error": "The action did not return a dictionary or array."}),
        ("{'x': float('nan')}", {"error": INVALID + '{"x": NaN}'}),
    ],
)
def test_what_is_no_object_and_no_array_is_a_developer_error(api, name, value, result):
    api.action(name, f"def main(args):\n    return {value}\n")
    reply = api.invoke(name)
    assert reply.json["response"]["status"] == "action developer error"
    assert reply.result == result


def test_a_result_nested_deeper_than_an_interpreter_goes_is_a_developer_error(api, name):
    api.action(name, "def main(args):\n    x = []\n    for _ in range(100_000):\n        x = [x]\n    return {'x': x}\n")
    reply = api.invoke(name)
    assert (reply.status, reply.json["response"]["status"]) == (502, "action developer error")


@pytest.mark.parametrize(("value", "result"), [("()", []), ("(1, [2])", [1, [2]]), ("[]", []), ("{}", {})])
def test_tuples_and_empty_results_are_good(api, name, value, result):
    api.action(name, f"def main(args):\n    return {value}\n")
    reply = api.invoke(name, query="blocking=true&result=true")
    assert (reply.status, reply.json) == (200, result)


def test_letters_outside_of_ascii_count_once(api, name):
    api.action(name, "def main(args):\n    return {'x': 'é' * args['n']}\n")
    reply = api.invoke(name, {"n": 400_000})  # 0.8 MB; escaped it would be 2.4
    assert reply.status == 200
    assert reply.json["response"]["size"] == 400_000 + len('{"x": ""}\n')


def test_a_reply_of_any_size_is_counted_and_its_end_not_kept(api, name):
    api.action(name, "def main(args):\n    return {'x': 'y' * (60 * 2**20)}\n")
    reply = api.invoke(name)
    length = 60 * 2**20 + len('{"x": ""}\n')
    assert reply.json["response"]["size"] == length
    assert f'exceeded the allowed length: {length} > 1048576 bytes. The truncated response was: {{"x": "yyy' in reply.result["error"]
    assert not api.invoke(name).cold


def test_every_container_is_told_that_it_gets_one_call_at_a_time(api, name):
    api.action(name, "import os\ndef main(args):\n    return {'value': os.environ['__OW_ALLOW_CONCURRENT']}\n")
    assert api.invoke(name).result == {"value": "false"}


# --- the runtime by itself


@pytest.fixture
def runtime(tmp_path):
    """Post to a runtime that is a process of its own, and have what it wrote to standard error at the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    command = [sys.executable, "-I", "-S", "-B", str(PYTHON_ACTION)]
    starter = f"import os; os.dup2({listener.fileno()}, 3); os.execv({sys.executable!r}, {command!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", starter], pass_fds=[listener.fileno()], stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    )
    listener.close()
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE_S)
    client.connect(str(tmp_path / "s"))

    def post(path, document):
        body = json.dumps(document).encode()
        client.sendall(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body))
        with client.makefile("rb") as reader:
            status = int(reader.readline().split()[1])
            lines = iter(lambda: reader.readline().rstrip(), b"")
            length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
            reader.readline()
            return status, json.loads(reader.read(length))

    def written():
        client.close()
        process.kill()
        return process.communicate()[1].decode()

    yield post, written
    written()


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("def main(args)\n", "SyntaxError"),
        ("import a_module_that_is_not_there\n", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("other = 1\n", "the action has no function 'main'"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ],
)
def test_why_an_action_did_not_load_stands_in_its_logs(runtime, code, detail):
    post, written = runtime
    assert post("/init", {"value": {"code": code}}) == (502, CANNOT_START)
    text = written()
    assert detail in text
    assert text.endswith("XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n")


def test_why_an_action_did_not_load_stands_in_its_record(file_logs, name):
    file_logs.action(name, "import a_module_that_is_not_there\n")
    reply = file_logs.invoke(name)
    assert reply.result == CANNOT_START
    logs = file_logs.record(reply.json["activationId"])["logs"]
    assert any("stderr: ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in line for line in logs)


def test_arguments_arrive_as_they_are_an_empty_array_among_them(runtime):
    post, _ = runtime
    assert post("/init", {"value": {"code": "def main(args):\n    return [args, type(args).__name__]\n"}})[0] == 200
    assert post("/run", {"value": []}) == (200, [[], "list"])
    assert post("/run", {"value": [1]}) == (200, [[1], "list"])
    assert post("/run", {"value": {}}) == (200, [{}, "dict"])
    assert post("/run", {}) == (200, [{}, "dict"])
