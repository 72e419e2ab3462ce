"""What is chosen for a storm, and what would have no effect on it."""

import pytest

from owray.openwhisk.catalogue import UnknownNameError
from owray.storm.bad_request import BadRequest
from owray.storm.choose import choose
from owray.storm.request import CallRequest, StormRequest


def notes(**asked):
    return choose(StormRequest(**asked)).notes()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"action": "noop", "size": "huge"}, "no size of noop named 'huge'.  (it has small)"),
        ({"action": "noop", "size": "large"}, "no size of noop named 'large'.  (it has small)"),
        ({"action": "align", "size": "lage"}, "no size of align named 'lage'. Did you mean 'large'?  (it has small, medium, large)"),
        ({"workload": "genomics", "size": "huge"}, "no size of align named 'huge'.  (it has small, medium, large)"),
    ],
)
def test_a_size_that_there_is_not_is_refused_with_those_there_are(asked, words):
    with pytest.raises(UnknownNameError) as refused:
        choose(StormRequest(**asked))
    assert str(refused.value) == words


def test_an_action_of_a_workload_that_lacks_the_size_is_named():
    assert notes(workload="micro", size="large") == ("noop has no size 'large' and is played at its only one, small",)
    assert notes(workload="micro", size="small") == ()


NO_EFFECT = {
    "--size is one of a catalogue's action": {"call": CallRequest(web="/api/v1/web/guest/default/x"), "size": "small"},
    "--size is one of a catalogue's action;": {"call": CallRequest(trigger="x"), "size": "small"},
    "a trigger has no result": {"call": CallRequest(trigger="x", expect="1")},
    "--method is for --web": {"action": "noop", "call": CallRequest(method="GET")},
    "--prewarm is for actions": {"call": CallRequest(trigger="x"), "prewarm": 2},
    "--prewarm is for actions:": {"call": CallRequest(web="/api/v1/web/guest/default/x"), "prewarm": 2},
    "--force plays what the preflight would refuse, and --no-preflight leaves": {"action": "noop", "force": True, "preflight": False},
    "--param n is given twice": {"action": "noop", "call": CallRequest(param=("n=1", "n=2"))},
}


@pytest.mark.parametrize("words", NO_EFFECT)
def test_an_option_that_would_have_no_effect_is_refused(words):
    with pytest.raises(BadRequest, match=words):
        choose(StormRequest(**NO_EFFECT[words]))


def test_a_parameter_that_no_manifest_names_is_sent_and_said(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"ms": 5}\n{"mss": 5}\n')
    told = notes(action="sleep", call=CallRequest(params=rows, param=("seed=1",), expect="{}"))
    assert told == ("no manifest names a parameter 'mss', only size, seed, ms: it is sent all the same, and may be ignored",)
    assert notes(action="/_/mine", call=CallRequest(param=("mss=1",))) == ()


def test_an_expected_result_holds_for_every_action_of_a_workload():
    entries = choose(StormRequest(workload="micro", call=CallRequest(expect='{"ok": true}')))
    assert {entry.check.expect for entry in entries.entries(entries.manifests)} == {'{"ok": true}'}
