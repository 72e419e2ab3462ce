"""The catalogue reads manifests, deals variants, and helps those who mistype."""

import pytest

from owray.openwhisk.catalogue import ManifestError, UnknownNameError, catalogue, find, load, workload, workloads

MANIFEST = """
workload = "zoo"
description = "counts legs"
kind = "python:default"
source = "legs.py"
weight = 2
default_size = "small"
[limits]
memory_mb = 128
timeout_ms = 1000
logs_mb = 0
[sizes]
small = { legs = 2 }
large = { legs = 8 }
[expected]
small = { 1 = "0000000a", 42 = "0000000b" }
"""


@pytest.fixture
def zoo(tmp_path):
    """A folder with one action in it; `write(manifest)` changes that."""
    folder = tmp_path / "legs"
    folder.mkdir()
    (folder / "legs.py").write_text("def main(args):\n    return {}\n")

    def write(manifest):
        (folder / "manifest.toml").write_text(manifest)
        return tmp_path

    write(MANIFEST)
    return write


def test_an_action_is_its_folder(zoo):
    legs = find("legs", zoo(MANIFEST))
    assert (legs.name, legs.workload, legs.weight, legs.main) == ("legs", "zoo", 2.0, "main")
    assert legs.code.startswith("def main(args)")
    assert (legs.memory_mb, legs.timeout_ms, legs.logs_mb) == (128, 1000, 0)


def test_variants_are_the_calls_whose_answer_is_known(zoo):
    legs = find("legs", zoo(MANIFEST))
    assert legs.variants("small") == [({"size": "small", "seed": 1}, "0000000a"), ({"size": "small", "seed": 42}, "0000000b")]
    assert legs.variants() == legs.variants("small")


def test_a_size_without_known_answers_is_still_called(zoo):
    assert find("legs", zoo(MANIFEST)).variants("large") == [({"size": "large"}, None)]


def test_an_unknown_size_names_the_known_ones(zoo):
    with pytest.raises(UnknownNameError, match=r"no size of legs named 'larg'. Did you mean 'large'\?  \(it has small, large\)"):
        find("legs", zoo(MANIFEST)).variants("larg")


def test_an_action_of_a_single_size_has_that_one_for_all():
    assert find("noop").size("large") == "small"


def test_a_mistyped_action_is_recognised():
    with pytest.raises(UnknownNameError) as caught:
        find("algin")
    assert str(caught.value) == (
        "no action named 'algin'. Did you mean 'align'?  (owray workloads lists them; one that is there already is written /_/algin)"
    )


def test_a_name_like_no_other_gets_no_suggestion():
    with pytest.raises(UnknownNameError) as caught:
        workload("xyzzy")
    assert str(caught.value) == "no workload named 'xyzzy'.  (owray workloads lists them)"


def test_a_workload_is_all_actions_that_name_it():
    assert [action.name for action in workload("genomics").actions] == ["align"]
    assert [action.name for action in workload("micro").actions] == ["matmul_js", "noop", "sleep"]
    assert sum(len(known.actions) for known in workloads().values()) == len(catalogue())


@pytest.mark.parametrize(
    ("manifest", "cause"),
    [
        (MANIFEST.replace('workload = "zoo"', ""), "manifest.toml: it lacks 'workload'$"),
        (MANIFEST.replace("memory_mb = 128", ""), "it lacks 'memory_mb'  \\(at limits\\)"),
        (MANIFEST.replace("weight = 2", "weight = 0"), "'float' > 0.0  \\(at weight\\)"),
        (MANIFEST.replace('default_size = "small"', 'default_size = "tiny"'), "'tiny' is not among the sizes small, large"),
        (MANIFEST.replace("[expected]\nsmall", "[expected]\nhuge"), "'huge' is not among the sizes small, large"),
        (MANIFEST.replace("legs.py", "arms.py"), "arms.py"),
        ("workload =", "Invalid value"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(zoo, manifest, cause):
    with pytest.raises(ManifestError, match=cause):
        catalogue(zoo(manifest))


def test_a_mistyped_name_of_an_own_folder_points_to_that_folder(zoo):
    folder = zoo(MANIFEST)
    with pytest.raises(UnknownNameError) as caught:
        find("lega", folder)
    assert f"Did you mean 'legs'?  (owray workloads --actions-dir {folder} lists them;" in str(caught.value)
    with pytest.raises(UnknownNameError, match=f"no workload named 'micro'.  \\(owray workloads --actions-dir {folder} lists them\\)"):
        workload("micro", folder)


def test_a_folder_that_has_no_actions_is_said_so(tmp_path):
    with pytest.raises(ManifestError, match="an action is a folder in it"):
        catalogue(tmp_path)
    with pytest.raises(ManifestError, match="No such file or directory"):
        catalogue(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match="Not a directory"):
        catalogue(tmp_path / "file")


def test_folders_without_a_manifest_are_no_actions(zoo):
    root = zoo(MANIFEST)
    (root / "notes").mkdir()
    (root / "readme.txt").write_text("")
    assert list(catalogue(root)) == ["legs"]
    with pytest.raises(ManifestError, match=r"manifest\.toml"):
        load(root / "notes")


def test_the_actions_of_owray_all_have_answers_to_check_at_every_size():
    for action in catalogue().values():
        for size in action.sizes:
            seeds = [parameters["seed"] for parameters, checksum in action.variants(size) if checksum]
            assert len(seeds) >= 8, (action.name, size)
        assert action.logs_mb == 0
