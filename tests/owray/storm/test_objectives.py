"""Objectives before load and after it: what is refused, what the summary shows, which exit code they give."""

import io
import json

import pytest
from rich.console import Console
from support.golden import is_golden
from support.runs import finished_run, recipe

from owray.fleet.spec import FleetReport
from owray.openwhisk.catalogue import UnknownNameError
from owray.record.layout import Outcome
from owray.storm.bad_request import BadRequest
from owray.storm.load import LoadRequest
from owray.storm.objectives import check_actions, check_samples, read_objectives
from owray.storm.play import judged
from owray.storm.report import as_json_text, exit_code, findings, render
from owray.storm.request import StormRequest

FINE = FleetReport(reports=(), lost=(), late=(), aborted=None)
STOPPED = FleetReport(reports=(), lost=(), late=(), aborted="Ctrl-C")
LATE = FleetReport(reports=(), lost=(), late=(0,), aborted=None)

MET, MISSED, UNDECIDED = "p90<50ms", "align:p50<1ms", "p99.9<1s"


def stormy(row):
    """Every tenth call is refused."""
    return row | {"outcome": Outcome.THROTTLED, "http_status": 429, "checked": 0} if row["seq"] % 10 == 9 else row


@pytest.fixture
def played(tmp_path):
    def play(*objectives, fleet=FINE, change=dict, plan=None):
        folder = finished_run(tmp_path, plan or recipe(), change)
        return judged(folder, fleet, read_objectives(objectives))

    return play


def storm_of(calls, objective="p99<1s", **asked):
    return StormRequest(action="noop", load=LoadRequest(rps=100.0, calls=calls), objectives=read_objectives([objective]), **asked)


def test_too_few_calls_for_an_objective_are_refused_by_the_plan_alone():
    with pytest.raises(BadRequest) as refused:
        check_samples(storm_of(400, warmup_s=1.0))
    assert str(refused.value) == (
        "too few calls: an objective takes 1,000 after the warm-up, and 300 are planned.  "
        "(--calls 1100, or a --duration of 11s; --force plays it all the same)"
    )


def test_as_many_calls_as_that_or_force_are_played():
    for storm in (storm_of(1_000), storm_of(400, force=True), storm_of(400, preflight=False), storm_of(1, "ok>99%")):
        check_samples(storm)


def objectives_section(storm):
    text = io.StringIO()
    render(storm, Console(file=text, width=120, no_color=True))
    shown = text.getvalue()
    return shown[shown.index("objectives ") :].replace(storm.folder.run, "RUN")


def test_the_summary_has_a_line_for_each_objective_with_its_value(played):
    asked = ("p50<500ms", "p99<500ms", "ok>=90%", "align:service.p50<=10ms", "cold<1%", "rps>95", "in-flight<20000", UNDECIDED)
    storm = played(*asked, change=stormy, plan=recipe(rps=1000))
    assert is_golden("storm_objectives.txt", objectives_section(storm))


def test_the_summary_of_an_invalid_run_says_that_its_objectives_mean_nothing(played):
    assert is_golden("storm_objectives_invalid.txt", objectives_section(played(MET, fleet=LATE)))


def test_an_action_with_a_name_like_markup_is_shown_as_it_is(played):
    assert "[bold]:p50<1s" in objectives_section(played("[bold]:p50<1s"))


def test_a_storm_without_objectives_does_not_speak_of_them(played):
    text = io.StringIO()
    render(played(), Console(file=text))
    assert "objectives" not in text.getvalue()


def test_results_are_in_the_json_and_kept_with_the_run(played):
    storm = played(MET, MISSED, UNDECIDED)
    results = json.loads(as_json_text(storm))["objectives"]
    assert [(result["objective"], result["state"]) for result in results] == [(MET, "met"), (MISSED, "missed"), (UNDECIDED, "undecided")]
    assert [dict(result) for result in storm.folder.load().objectives] == results


def test_a_time_that_never_came_is_inf_in_json_and_in_the_run(played):
    storm = played("max<1s", change=stormy)
    assert json.loads(as_json_text(storm))["objectives"][0]["value"] == storm.folder.load().objectives[0]["value"] == "inf"


@pytest.mark.parametrize(
    ("objectives", "fleet", "code"),
    [
        ((), FINE, 0),
        ((MET,), FINE, 0),
        ((MISSED,), FINE, 2),
        ((UNDECIDED,), FINE, 2),
        ((MET, MISSED), FINE, 2),
        ((MET,), LATE, 3),
        ((MISSED,), LATE, 3),
        ((MET,), STOPPED, 4),
        ((MISSED,), STOPPED, 4),
    ],
)
def test_an_early_end_outweighs_the_verdict_and_the_verdict_an_objective(played, objectives, fleet, code):
    assert exit_code(findings(played(*objectives, fleet=fleet))) == code


@pytest.mark.parametrize("objectives", [(), ("error>99%",), ("lag.p50<1s", "throttled>=100%")])
def test_a_storm_without_one_ok_call_never_exits_0_whatever_it_met(played, objectives):
    storm = played(*objectives, change=lambda row: row | {"outcome": Outcome.THROTTLED})
    assert all(result.state == "met" for result in storm.judged.objectives)
    assert exit_code(findings(storm)) == 3


def test_nor_does_one_whose_calls_were_all_in_the_warm_up(played):
    assert exit_code(findings(played(plan=recipe(duration_s=2, warmup_s=1.999)))) == 3


def test_an_objective_that_is_given_twice_is_judged_once():
    assert [str(objective) for objective in read_objectives(["p99<0.5s", "ok>99%", "p99 < 500ms"])] == ["p99<500ms", "ok>99%"]


def test_what_is_no_objective_is_refused_with_its_option_and_place():
    with pytest.raises(BadRequest, match=r"^--slo: cannot read 'p99<500', column 8: a time needs a unit"):
        read_objectives(["ok>99%", "p99<500"])


def test_an_action_that_the_storm_does_not_call_is_refused_with_the_one_that_was_meant():
    entries = recipe().entries
    check_actions(read_objectives(["align:p99<1s", "p99<1s"]), entries)
    with pytest.raises(UnknownNameError) as raised:
        check_actions(read_objectives(["algin:p99<1s"]), entries)
    assert str(raised.value) == "no action named 'algin'. Did you mean 'align'?  (--slo 'algin:p99<1s': the storm calls noop, align)"
