"""`owray workloads` tells what there is to call."""

import json

import pytest
from support.commands import owray

import cli
from owray.openwhisk.catalogue import catalogue


@pytest.fixture
def printed():
    """What the command prints."""

    def run(*arguments):
        result = owray("workloads", *arguments)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_every_action_is_listed_with_its_memory_and_what_its_sizes_stand_for(printed):
    text = printed()
    for action in catalogue().values():
        assert action.name in text
        assert action.description in text
    assert "genome_bases = 1,000,000  reads = 1,000" in text
    assert "python:default, 256 MB" in text


def test_shares_of_a_workload_add_up(printed):
    assert "python:default, 128 MB, 67 % of the calls" in printed()


def test_as_json_it_says_the_same_and_how_many_seeds_are_checked(printed):
    workloads = {workload["workload"]: workload["actions"] for workload in json.loads(printed("--json"))["workloads"]}
    (align,) = workloads["genomics"]
    assert align["sizes"]["small"] == {"genome_bases": 20_000, "reads": 50}
    assert align["memory_mb"] == 256
    assert align["checked_seeds"]["small"] == [1, 2, 3, 4, 5, 6, 7, 8, 42]


def test_a_folder_of_ones_own_is_listed_instead(printed, tmp_path):
    (tmp_path / "legs").mkdir()
    (tmp_path / "legs" / "legs.py").write_text("")
    (tmp_path / "legs" / "manifest.toml").write_text(
        'workload = "zoo"\ndescription = "counts legs"\nkind = "python:default"\nsource = "legs.py"\nweight = 1\ndefault_size = "small"\n'
        "[limits]\nmemory_mb = 128\ntimeout_ms = 1000\nlogs_mb = 0\n[sizes]\nsmall = { legs = 2 }\n"
    )
    (zoo,) = json.loads(printed("--actions-dir", str(tmp_path), "--json"))["workloads"]
    assert (zoo["workload"], zoo["actions"][0]["action"], zoo["actions"][0]["sizes"]) == ("zoo", "legs", {"small": {"legs": 2}})


def test_a_folder_without_actions_is_said_so(capsys, tmp_path):
    assert cli.main(["workloads", "--actions-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"owray: no actions in {tmp_path}: an action is a folder in it, with a manifest.toml\n"
