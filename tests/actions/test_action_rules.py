"""Every action keeps the rules of actions/__init__.py, on every interpreter that this machine has."""

import os
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.interpreters import node, pythons

from actions.runner import ActionFailedError, replies

PYTHON_ACTIONS = ("noop", "sleep", "align")
NODE_ACTIONS = ("matmul_js",)
EVERY_ACTION = PYTHON_ACTIONS + NODE_ACTIONS


@pytest.fixture(scope="session")
def interpreter_of():
    """The interpreter an action is tried with, this Python or the machine's Node."""

    def choose(name):
        if name in PYTHON_ACTIONS:
            return sys.executable
        return node() or pytest.skip("Node is not installed (Debian: nodejs)")

    return choose


def expected_of(manifest, sizes):
    return [(parameters, checksum) for size in sizes if size in manifest.sizes for parameters, checksum in manifest.variants(size)]


def test_these_are_all_the_actions(manifests):
    assert set(manifests) == set(EVERY_ACTION)


@pytest.mark.parametrize("version", pythons())
@pytest.mark.parametrize("name", PYTHON_ACTIONS)
def test_a_python_action_computes_what_its_manifest_expects(name, version, manifests, source_of):
    wanted = expected_of(manifests[name], ["small"]) + expected_of(manifests[name], ["medium"])[-1:]
    answered = replies(source_of(name), [parameters for parameters, _ in wanted], pythons()[version])
    assert [reply["checksum"] for reply in answered] == [checksum for _, checksum in wanted]
    assert all(reply["ok"] for reply in answered)
    assert all(reply["py"].startswith(version) for reply in answered)


@pytest.mark.parametrize("version", sorted({min(pythons(), key=lambda v: int(v[2:])), max(pythons(), key=lambda v: int(v[2:]))}))
def test_the_oldest_and_the_newest_python_agree_on_a_large_alignment(version, manifests, source_of):
    parameters, checksum = manifests["align"].variants("large")[-1]
    assert replies(source_of("align"), [parameters], pythons()[version])[0]["checksum"] == checksum


@pytest.mark.parametrize("name", NODE_ACTIONS)
def test_a_node_action_computes_what_its_manifest_expects(name, manifests, source_of, interpreter_of):
    wanted = expected_of(manifests[name], ["small", "medium"]) + expected_of(manifests[name], ["large"])[-1:]
    answered = replies(source_of(name), [parameters for parameters, _ in wanted], interpreter_of(name))
    assert [reply["checksum"] for reply in answered] == [checksum for _, checksum in wanted]
    assert all(reply["ok"] for reply in answered)


@pytest.mark.parametrize("salt", ["0", "1", "777"])
def test_a_checksum_does_not_depend_on_how_the_process_salts_its_hashes(salt, manifests, source_of):
    wanted = expected_of(manifests["align"], ["small"])[:2]
    environment = {**os.environ, "PYTHONHASHSEED": salt}
    answered = replies(source_of("align"), [parameters for parameters, _ in wanted], sys.executable, environment)
    assert [reply["checksum"] for reply in answered] == [checksum for _, checksum in wanted]


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_a_size_is_only_a_name_for_the_parameters_in_the_manifest(name, manifests, source_of, interpreter_of):
    manifest = manifests[name]
    named = [{"size": size, "seed": 7} for size in ("small", "medium") if size in manifest.sizes]
    spelled_out = [{**manifest.sizes[call["size"]], "seed": 7} for call in named]
    answered = replies(source_of(name), named + spelled_out, interpreter_of(name))
    checksums = [reply["checksum"] for reply in answered]
    assert checksums[: len(named)] == checksums[len(named) :]


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_without_arguments_an_action_is_called_at_size_small_with_seed_42(name, manifests, source_of, interpreter_of):
    assert manifests[name].default_size == "small"
    assert replies(source_of(name), [{}], interpreter_of(name))[0]["checksum"] == manifests[name].expected["small"][42]


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_a_reply_is_small_and_complete(name, source_of, interpreter_of):
    (reply,) = replies(source_of(name), [{"seed": 1}], interpreter_of(name))
    language = "py" if name in PYTHON_ACTIONS else "node"
    assert {"checksum", "ok", "t", "n", "c", "boot", "k", language} <= set(reply)
    assert len(reply["checksum"]) == 8
    assert len(reply["c"]) == 16
    assert set(reply["checksum"] + reply["c"]) <= set(string.hexdigits.lower())
    assert 0 <= time.time() * 1000 - reply["boot"] < 3_600_000
    assert len(str(reply)) < 2048


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_the_parts_of_the_time_are_whole_microseconds_and_no_more_than_the_total(name, source_of, interpreter_of):
    for reply in replies(source_of(name), [{"seed": 1}, {"seed": 2}], interpreter_of(name)):
        times = reply["t"]
        assert set(times) == {"gen", "compute", "io", "total"}
        assert all(isinstance(value, int) and value >= 0 for value in times.values())
        assert times["gen"] + times["compute"] + times["io"] <= times["total"]


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_a_container_keeps_its_fingerprint_and_counts_its_calls(name, source_of, interpreter_of):
    first, second, third = replies(source_of(name), [{}, {}, {}], interpreter_of(name))
    (other,) = replies(source_of(name), [{}], interpreter_of(name))
    assert first["c"] == second["c"] == third["c"] != other["c"]
    assert first["boot"] == third["boot"]
    assert [reply["k"] for reply in (first, second, third, other)] == [1, 2, 3, 1]


@pytest.mark.parametrize("name", [name for name in PYTHON_ACTIONS if name != "noop"])
def test_an_unknown_size_is_refused_by_naming_the_known_ones(name, source_of):
    with pytest.raises(ActionFailedError, match="no size 'huge', only small, medium, large"):
        replies(source_of(name), [{"size": "huge"}], sys.executable)


def test_a_node_action_answers_bad_arguments_as_an_error_and_lives_on(source_of, interpreter_of):
    calls = [{"size": "huge"}, {"order": 0}, {"order": 2.5}, {}]
    huge, zero, half, good = replies(source_of("matmul_js"), calls, interpreter_of("matmul_js"))
    assert huge == {"error": "matmul_js has no size 'huge', only small, medium, large"}
    assert set(zero) == set(half) == {"error"}
    assert good["ok"]
    assert good["k"] == 4


@pytest.mark.parametrize("name", PYTHON_ACTIONS)
def test_a_python_action_needs_nothing_newer_than_python_3_7(name, source_of):
    vermin = Path(sys.executable).parent / "vermin"
    checked = subprocess.run(
        [vermin, "--target=3.7-", "--no-tips", "--violations", str(source_of(name))], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_no_platform_takes_the_source_for_base64(name, source_of):
    """OpenWhisk guesses that from the text: one that holds anything else is safe."""
    assert " " in source_of(name).read_text().strip()
