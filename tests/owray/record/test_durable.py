"""Files that are whole or not there, and stay."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from owray.record.durable import write_atomically
from owray.record.samples import Sampler


@pytest.fixture
def synced(monkeypatch):
    """What has been put on disk, in order."""
    paths = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: paths.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    return paths


def test_a_file_and_its_name_are_on_disk_before_it_counts_as_written(tmp_path, synced):
    write_atomically(tmp_path / "run.json", "{}")
    assert synced == [tmp_path / "run.json.tmp", tmp_path]


def test_samples_of_a_machine_are_on_disk_under_their_name(tmp_path, synced):
    sampler = Sampler("0")
    sampler.sample()
    sampler.write(tmp_path)
    assert synced == [tmp_path / "0.parquet.tmp", tmp_path]
    assert pq.read_table(tmp_path / "0.parquet").num_rows == 1


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"run.json": "old"}
