"""What is printed of a storm, on a run whose every figure is known."""

import io
import json

import pytest
from rich.console import Console
from support.golden import is_golden
from support.runs import finished_run, recipe

from owray.fleet.cluster import FleetLost
from owray.fleet.spec import FleetReport, PlayerReport
from owray.record.layout import Outcome
from owray.storm.play import judged
from owray.storm.report import as_json_text, exit_code, findings, render
from owray.wire.counters import Counters


def report(invoker=0, **values):
    counters = Counters(attempted=100, finished=100)
    told = {"node": "0", "pid": 4711, "core": 1, "priority": "normal", "counters": counters, "cpu_us": 4200, "wall_us": 1_000_000}
    rest = {"memory_mb": 90.5, "gc_pauses": 0, "gc_longest_us": 0, "connections_opened": 5, "connections_failed": 0, "started_late_us": 0}
    return PlayerReport(**{"invoker": invoker, **told, **rest, **values})


def fleet(**values):
    return FleetReport(**{"reports": (report(),), "lost": (), "late": (), "aborted": None, **values})


@pytest.fixture
def played(tmp_path):
    """A played storm: one row per planned call, as `change` would have it, and this fleet."""

    def play(change=dict, plan=None, of_fleet=None, **values):
        folder = finished_run(tmp_path, plan or recipe(), change, **values)
        return judged(folder, of_fleet or fleet())

    return play


def printed(storm):
    text = io.StringIO()
    render(storm, Console(file=text, width=120, no_color=True))
    return "\n".join(line.rstrip() for line in text.getvalue().replace(storm.folder.run, "RUN").splitlines()) + "\n"


def stormy(row):
    """Every tenth call is cold, every seventh held, every twentieth refused."""
    if row["seq"] % 20 == 19:
        refused = {"outcome": Outcome.THROTTLED_RATE, "http_status": 429, "error": "Too many requests", "checked": None}
        return {name: value for name, value in (row | refused).items() if value is not None and name not in ("wait_ms", "duration_ms")}
    if row["seq"] % 10 == 0:
        return row | {"init_ms": 30, "duration_ms": 39, "service_us": 45_000}
    return row | {"held_us": 5_000} if row["seq"] % 7 == 0 else row


@pytest.mark.parametrize(
    ("service_us", "told"), [(10_930, "run 9.00, overhead under 1"), (11_000, "run 9.00"), (12_460, "run 9.00, overhead 1.46")]
)
def test_what_whole_milliseconds_leave_below_zero_is_less_than_one(played, service_us, told):
    assert f"time went  lag 0.02, wait 2.00, {told}  (ms, mean of ok calls)" in printed(
        played(lambda row: row | {"service_us": service_us})
    )


def test_the_summary_of_a_quiet_storm(played):
    assert is_golden("storm_quiet.txt", printed(played()))


def test_the_summary_of_a_stormy_one_tells_of_refusals_cold_starts_and_the_cap(played):
    storm = played(stormy, recipe(rps=1000, duration_s=2, warmup_s=0.5), options={"max_in_flight": 50})
    assert is_golden("storm_stormy.txt", printed(storm))


def test_the_summary_of_a_storm_that_lost_an_invoker_says_so(played):
    lost = fleet(reports=(), lost=(0,), aborted="invoker 0 was lost")
    storm = played(lambda row: row | {"outcome": Outcome.LOST} if row["seq"] > 40 else row, of_fleet=lost)
    assert is_golden("storm_lost.txt", printed(storm))
    assert exit_code(findings(storm)) == 4


def test_the_summary_as_json(played):
    storm = played()
    text = as_json_text(storm).replace(str(storm.folder.path.parent), "RUNS").replace(storm.folder.run, "RUN")
    data = json.loads(text)
    del data["invokers"][0]["counters"]["responses"]
    assert is_golden("storm.json", json.dumps(data, indent=2) + "\n")


def test_json_writes_a_percentile_that_no_call_reached_as_inf(played):
    storm = played(lambda row: row | {"outcome": Outcome.TIMEOUT} if row["seq"] % 2 else row)
    assert json.loads(as_json_text(storm))["summary"]["response_all"]["p90_us"] == "inf"
    assert "never" in printed(storm)


@pytest.mark.parametrize(
    ("of_fleet", "outcome", "code"),
    [
        (fleet(), Outcome.OK, 0),
        (fleet(), Outcome.PLATFORM_ERROR, 3),
        (fleet(late=(0,)), Outcome.OK, 3),
        (fleet(aborted="Ctrl-C"), Outcome.OK, 4),
        (fleet(aborted="Ctrl-C"), Outcome.PLATFORM_ERROR, 4),
    ],
)
def test_an_early_end_outweighs_the_verdict_in_the_exit_code(played, of_fleet, outcome, code):
    assert exit_code(findings(played(lambda row: row | {"outcome": outcome}, of_fleet=of_fleet))) == code


@pytest.mark.parametrize("broken", ["a part", "run.json"])
def test_a_run_that_cannot_be_judged_after_its_storm_is_said_with_the_cure(tmp_path, broken):
    folder = finished_run(tmp_path)
    (folder.parts()[0] if broken == "a part" else folder.path / "run.json").write_bytes(b"{")
    with pytest.raises(FleetLost) as told:
        judged(folder, fleet())
    assert str(told.value).startswith("the run could not be judged: ")
    assert str(told.value).endswith(f".  (owray recover {folder.run} judges the run)")
