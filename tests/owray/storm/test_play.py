"""What becomes of a run whose storm does not begin: it goes, whatever struck and whenever."""

import os
import signal
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from rich.console import Console
from support.commands import owray
from support.runs import new_run, recipe

import cli
from owray.fleet.cluster import FleetLost, StartFailed
from owray.fleet.spec import Gateway, StormSpec
from owray.storm import play
from owray.wire.invoker import Limits


def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)


def fail(*_):
    raise StartFailed("the target cannot be reached")


class Fleet:
    """A driver without a cluster. What strikes it, and when, is up to the test; it keeps what it was told."""

    def __init__(self, told, **strikes):
        self.told = told
        self._strikes = strikes
        self._strike("made")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def __getattr__(self, name):
        def tell(*arguments):
            self.told.append((name, *arguments))
            self._strike(name)

        return tell

    def has_ended(self, within_s):
        return any(name == "stop" for name, *_ in self.told)

    def progress(self):
        return SimpleNamespace(elapsed_us=-1, planned=0, counters=SimpleNamespace(finished=0))

    def _strike(self, name):
        self._strikes.get(name, lambda: None)()


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Plays on such a fleet: the run's folder, and what the fleet was told."""
    folder, told = new_run(tmp_path / "runs"), []
    spec = StormSpec(folder.path, recipe(), Gateway("127.0.0.1", 1, "a:b"), Limits())

    def run(**strikes):
        driver = SimpleNamespace(Driver=lambda spec, name: Fleet(told, **strikes))
        monkeypatch.setitem(sys.modules, "owray.fleet.driver", driver)
        with play.noted() as interruptions:
            return play._play(spec, folder, Console(quiet=True), 1.0, interruptions)

    return SimpleNamespace(run=run, folder=folder, told=told)


@pytest.mark.parametrize(
    ("strikes", "raised"),
    [
        ({"made": interrupt}, KeyboardInterrupt),
        ({"made": fail}, StartFailed),
        ({"prepare": interrupt}, KeyboardInterrupt),
        ({"prepare": fail}, StartFailed),
        ({"prepare": fail, "end": interrupt}, StartFailed),
    ],
)
def test_a_storm_that_does_not_begin_leaves_no_run(played, strikes, raised):
    with pytest.raises(raised):
        played.run(**strikes)
    assert not played.folder.path.exists()
    assert not any(name == "play" for name, *_ in played.told)


def test_a_signal_just_after_the_start_ends_the_storm_in_order(played):
    played.run(play=interrupt)
    assert [name for name, *_ in played.told] == ["prepare", "play", "stop", "result", "end"]
    assert played.folder.path.exists()


def lose(*_, **__):
    raise FleetLost("the storm's coordinator has not answered for 60 s")


def test_a_coordinator_that_is_lost_is_ended_and_the_run_stays_with_the_cure(played):
    with pytest.raises(FleetLost) as told:
        played.run(play=lose)
    run = played.folder.run
    assert str(told.value) == f"the storm's coordinator has not answered for 60 s.  (owray recover {run} accounts for every call)"
    assert played.told[-1] == ("end",)
    assert played.folder.path.exists()


def test_the_command_then_ends_with_exit_code_4_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "_lend_ground", lambda asked, console: nullcontext())
    monkeypatch.setattr(play, "play", lose)
    ended = owray("storm", "--action", "noop", "--runs-dir", tmp_path)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (4, "", "owray: the storm's coordinator has not answered for 60 s\n")
