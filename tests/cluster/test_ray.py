"""The temp folder of a lab's Ray, and how its processes are told apart from a dead one's."""

import os
import secrets
import shutil

import pytest

from cluster import ray
from cluster.state import Service


@pytest.fixture
def lab_id():
    name = f"test-{secrets.token_hex(6)}"
    yield name
    for folder in ray.temp_dirs(name):
        ray.remove_temp_dir(folder)


def test_a_temp_folder_is_closed_short_and_found_by_its_owner(lab_id):
    folder = ray.new_temp_dir()
    ray.make_temp_dir(folder, lab_id)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(str(folder)) < 25, "a path of a Unix socket has 107 characters, of which Ray needs about 75"
    assert ray.temp_dirs(lab_id) == [folder]
    assert ray.temp_dirs(f"{lab_id}-other") == []
    ray.remove_temp_dir(folder)
    assert ray.temp_dirs(lab_id, str(folder)) == []


def test_a_temp_folder_that_somebody_made_already_is_not_taken(lab_id):
    folder = ray.new_temp_dir()
    ray.make_temp_dir(folder, lab_id)
    with pytest.raises(FileExistsError):
        ray.make_temp_dir(folder, lab_id)


def test_a_recorded_folder_counts_also_before_its_owner_was_written(lab_id):
    folder = ray.new_temp_dir()
    folder.mkdir(mode=0o700)
    assert ray.temp_dirs(lab_id, str(folder)) == [folder]
    shutil.rmtree(folder)


@pytest.mark.parametrize("recorded", ["", "/", "/srv", "{made}-", "{made}/../../srv", "relative"])
def test_a_record_that_names_another_place_is_not_believed(lab_id, recorded):
    assert ray.temp_dirs(lab_id, recorded.format(made=ray.new_temp_dir())) == []


def test_a_link_is_never_a_temp_folder(lab_id, tmp_path):
    link = ray.new_temp_dir()
    link.symlink_to(tmp_path)
    try:
        assert ray.temp_dirs(lab_id, str(link)) == []
    finally:
        link.unlink()


@pytest.mark.parametrize("address", ["", "127.0.0.1:1", "nonsense"])
def test_a_ray_that_nobody_can_connect_to_does_not_answer(tmp_path, address):
    assert not ray.answers(Service("ready", (), address), tmp_path)


def test_a_driver_is_told_where_the_token_is_and_never_the_token(tmp_path):
    token = tmp_path / "ray-token"
    token.write_text("f" * 64)
    environment = ray.driver_environment(token)
    assert environment["RAY_AUTH_TOKEN_PATH"] == os.fspath(token)
    assert "f" * 64 not in environment.values()
