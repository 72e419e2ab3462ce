"""Published traces as plans, from small files in the published formats, and the trace that is made."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from owray.storm.bad_request import BadRequest
from owray.storm.listing import ListingRequest, draw_up
from owray.storm.traces import TraceRequest, window_of

MINUTES = ",".join(map(str, range(1, 1441)))
DURATIONS = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_1,percentile_Average_50\n"


def counts(function, minute):
    """Calls of function 0, 1, 2 in a minute from 0 on: of the last none but in every tenth."""
    return (minute % 7, 30, 5 * (minute % 10 == 0))[function]


@pytest.fixture
def azure2019(tmp_path):
    lines = [f"o,a,f{n},http,{','.join(str(counts(n, minute)) for minute in range(1440))}" for n in range(3)]
    days = [tmp_path / f"invocations_per_function_md.anon.d0{day}.csv" for day in (1, 2)]
    for day in days:
        day.write_text("\n".join([f"HashOwner,HashApp,HashFunction,Trigger,{MINUTES}", *lines, ""]))
    durations = tmp_path / "function_durations_percentiles.anon.d01.csv"
    durations.write_text(DURATIONS + "o,a,f0,12,3,1,1,1,1,1\no,a,f0,24,1,1,1,1,1,1\no,a,f1,150,9,1,1,1,1,1\no,a,nobody,1,1,1,1,1,1,1\n")
    return [str(path) for path in (*days, durations)]


@pytest.fixture
def azure2021(tmp_path):
    """Calls every half second, of three functions in turn that take 10 ms, 200 ms, 2 s; by their end, as published."""
    lines = [f"app,f{n % 3},{100 + n * 0.5 + (0.01, 0.2, 2)[n % 3]},{(0.01, 0.2, 2)[n % 3]}" for n in range(200)]
    path = tmp_path / "AzureFunctionsInvocationTraceForTwoWeeksJan2021.txt"
    path.write_text("\n".join(["app,func,end_timestamp,duration", *lines, ""]))
    return [str(path)]


def drawn(folder, names, *, window="0s..10m", rps=None, form=None, **asked):
    """Due times, (action, size) of each call, and what was drawn up."""
    place = folder / "drawn"
    place.mkdir(exist_ok=True)
    request = ListingRequest(trace=TraceRequest(tuple(names), form, window_of(window), rps), **asked)
    elsewhere, chosen = draw_up(request, place)
    table = pq.read_table(chosen.listed.path)
    called = [chosen.listed.entries[entry] for entry in table["entry"].to_pylist()]
    return table["due_us"].to_numpy(), [(entry.action, entry.size) for entry in called], elsewhere, chosen


def test_counts_per_minute_are_exact_and_calls_lie_somewhere_in_their_minute(tmp_path, azure2019):
    due_us, called, elsewhere, _ = drawn(tmp_path, azure2019, window="20m..40m")
    expected = [sum(counts(function, minute) for function in range(3)) for minute in range(20, 40)]
    assert np.bincount(due_us // 60_000_000).tolist() == expected
    assert (np.diff(due_us) >= 0).all()
    assert called.count(("sleep", "small")) == sum(counts(0, minute) for minute in range(20, 40))
    within_s = due_us % 60_000_000 / 1e6
    assert within_s.mean() == pytest.approx(30, abs=3)
    assert elsewhere.shape.calls == sum(expected)


def test_files_are_days_one_after_another(tmp_path, azure2019):
    due_us, _, _, _ = drawn(tmp_path, azure2019, window="1435m..1445m")
    minutes = [minute % 1440 for minute in range(1435, 1445)]
    assert np.bincount(due_us // 60_000_000).tolist() == [sum(counts(function, minute) for function in range(3)) for minute in minutes]


def test_functions_go_to_the_nearest_size_and_how_near_is_told(tmp_path, azure2019):
    _, called, _, chosen = drawn(tmp_path, azure2019)
    assert set(called) == {("sleep", "small"), ("sleep", "medium"), ("sleep", "large")}
    notes = chosen.notes()
    assert notes[0].endswith("329 calls of 3 functions in 600 s, from 0 s on")
    assert notes[1:] == (
        "sleep small (10 ms) stands for 1 function of 15 ms, off by a factor of 1.5 (median)",
        "sleep medium (100 ms) stands for 1 function of 150 ms, off by a factor of 1.5 (median)",
        "sleep large (1000 ms) stands for 1 function of 684 ms, off by a factor of 1.46 (median)",
        "of 1 function no duration is known: 684 ms is taken for it",
    )


def test_with_an_action_named_nothing_is_mapped(tmp_path, azure2019):
    _, called, elsewhere, _ = drawn(tmp_path, azure2019, action="noop")
    assert set(called) == {("noop", "small")}
    assert not elsewhere.names_actions


@pytest.mark.parametrize("rps", [0.2, 5.0])
def test_a_trace_is_brought_to_a_rate_by_the_seed(tmp_path, azure2019, rps):
    due_us, called, _, _ = drawn(tmp_path, azure2019, rps=rps)
    again, _, _, _ = drawn(tmp_path, azure2019, rps=rps)
    other, _, _, _ = drawn(tmp_path, azure2019, rps=rps, seed=2)
    assert due_us.tolist() == again.tolist() != other.tolist()
    assert abs(len(due_us) - rps * 600) <= 40
    assert called.count(("sleep", "medium")) / len(called) == pytest.approx(300 / 329, abs=0.1)


def test_speed_keeps_the_rate_that_was_asked_for(tmp_path, azure2019):
    due_us, _, _, _ = drawn(tmp_path, azure2019, rps=5.0, speed=10.0)
    assert due_us[-1] <= 60_000_000
    assert len(due_us) == pytest.approx(300, abs=40)


def test_calls_begin_when_they_ended_less_their_duration(tmp_path, azure2021):
    due_us, called, _, _ = drawn(tmp_path, azure2021, window="10s..20s")
    assert due_us.tolist() == [round(n * 500_000) for n in range(20)]
    assert called[:3] == [("sleep", "large"), ("sleep", "small"), ("sleep", "medium")]


def test_a_made_trace_has_its_rate_and_is_the_same_for_a_seed(tmp_path):
    due_us, called, _, chosen = drawn(tmp_path, ["synthetic"], window="0s..5m", rps=40.0)
    again, _, _, _ = drawn(tmp_path, ["synthetic"], window="0s..5m", rps=40.0)
    other, _, _, _ = drawn(tmp_path, ["synthetic"], window="0s..5m", rps=40.0, seed=2)
    assert due_us.tolist() == again.tolist() != other.tolist()
    assert len(due_us) == pytest.approx(40 * 300, rel=0.1)
    assert (np.diff(due_us) >= 0).all()
    assert len(called) == len(due_us)
    assert "of 200 functions in 300 s" in chosen.notes()[0]


BAD = {
    "nothing was called between 172800 s and 172860 s of it.  (--trace-window chooses another)": {"window": "48h..2881m"},
    "--trace-window: it begins at 60 s and ends at 60 s: nothing is between": {"window": "1m..60s"},
    "--trace-window '10m': one looks like 10m..70m": {"window": "10m"},
    "--rps is to be above zero and at most 1,000,000, not 0": {"rps": 0.0},
    "--scale and --rps: a trace is brought to a rate, or its calls are multiplied": {"rps": 5.0, "scale": 2.0},
    "its first line does not have the columns of a trace that is known (azure2021: app, duration, end_timestamp, func)": {
        "form": "azure2021"
    },
}


@pytest.mark.parametrize("words", BAD)
def test_a_trace_that_cannot_be_played_is_refused(tmp_path, azure2019, words):
    with pytest.raises(BadRequest) as refused:
        drawn(tmp_path, azure2019, **BAD[words])
    assert words in str(refused.value)


def test_files_that_are_no_trace_are_refused_in_one_line(tmp_path, azure2019, azure2021):
    refusals = {
        "nope.csv: No such file or directory": [str(tmp_path / "nope.csv")],
        "durations alone; the file with the calls goes with it": azure2019[2:],
        "files of different formats": [azure2019[0], *azure2021],
        "no file and no --trace-format goes with it": ["synthetic", azure2019[0]],
    }
    for words, names in refusals.items():
        with pytest.raises(BadRequest) as refused:
            drawn(tmp_path, names)
        assert words in str(refused.value)


def test_a_broken_line_is_told_in_one_line(tmp_path, azure2021):
    with Path(azure2021[0]).open("a") as file:
        file.write("app,f0,soon,1\n")
    with pytest.raises(BadRequest, match=r"it cannot be read \(.*soon") as refused:
        drawn(tmp_path, azure2021)
    assert "\n" not in str(refused.value)
