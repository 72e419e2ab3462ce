"""Files of calls as plans: what they may say, how they are scaled, and what is said of those that cannot be."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from owray.openwhisk.catalogue import UnknownNameError
from owray.plan.recipe import MOST_CALLS
from owray.storm.bad_request import BadRequest
from owray.storm.choose import choose
from owray.storm.listing import ListingRequest, draw_up
from owray.storm.request import CallRequest, StormRequest

CSV = """t_s,action,size,params,stream
0.5,noop,,,b
0.1,sleep,small,,a
0.3,sleep,medium,"{""ms"": 20}",a
0.3,/_/mine,,"{""x"": 1}",a
"""


def drawn(folder, **asked):
    """What is called when, as (due_us, action, size, parameters, stream), and what was drawn up."""
    place = folder / "drawn"
    place.mkdir(exist_ok=True)
    elsewhere, chosen = draw_up(ListingRequest(**asked), place)
    calls = []
    for row in pq.read_table(chosen.listed.path).to_pylist():
        entry = chosen.listed.entries[row["entry"]]
        calls.append((row["due_us"], entry.action, entry.size, dict(entry.variants[row["variant"]].parameters), entry.stream))
    assert len(calls) == elsewhere.shape.calls
    return calls, elsewhere, chosen


def written(folder, text, name="plan.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_says_what_is_called_when_with_what_in_any_order(tmp_path):
    calls, elsewhere, chosen = drawn(tmp_path, plan=written(tmp_path, CSV))
    assert [call[:3] + call[4:] for call in calls] == [
        (100_000, "sleep", "small", "a"),
        (300_000, "sleep", "medium", "a"),
        (300_000, "/_/mine", "", "a"),
        (500_000, "noop", "small", "b"),
    ]
    assert calls[1][3]["ms"] == 20
    assert calls[2][3] == {"x": 1}
    assert calls[0][3]["seed"] in range(43)  # dealt, so that its answer is checked
    assert elsewhere.names_actions
    assert sorted(manifest.name for manifest in chosen.manifests) == ["noop", "sleep"]
    assert [own.name for own in chosen.owns] == ["/_/mine"]


def test_parquet_and_csv_of_the_same_calls_are_the_same_plan(tmp_path):
    columns = {"due_us": [9, 5, 5], "action": ["noop", "sleep", "noop"], "params": [{"a": 1}, None, {"a": 2}]}
    pq.write_table(pa.table(columns), tmp_path / "plan.parquet")
    text = 'due_us,action,params\n9,noop,"{""a"":1}"\n5,sleep,\n5,noop,"{""a"":2}"\n'
    one, of_parquet, _ = drawn(tmp_path, plan=tmp_path / "plan.parquet")
    other, of_csv, _ = drawn(tmp_path, plan=written(tmp_path, text))
    assert one == other
    assert of_parquet.shape == of_csv.shape


def test_without_names_calls_go_to_what_the_options_name(tmp_path):
    path = written(tmp_path, "due_us\n" + "\n".join(str(9 * n) for n in range(1000)))
    calls, elsewhere, chosen = drawn(tmp_path, plan=path, workload="micro")
    assert {call[1] for call in calls} == {"noop", "sleep", "matmul_js"}
    assert not elsewhere.names_actions
    assert chosen.entries(chosen.manifests) == choose(StormRequest(workload="micro")).entries(chosen.manifests)
    named, _, _ = drawn(tmp_path, plan=path, action="align", size="medium")
    assert {call[1:3] for call in named} == {("align", "medium")}


def test_rows_without_an_action_go_to_that_of_the_option(tmp_path):
    path = written(tmp_path, "due_us,action,size\n1,noop,\n2,,large\n")
    calls, _, _ = drawn(tmp_path, plan=path, action="sleep", call=CallRequest(param=("ms=3",)))
    assert [(call[1], call[2], call[3]["ms"]) for call in calls] == [("noop", "small", 3), ("sleep", "large", 3)]


def test_scale_and_speed_and_calls_change_a_plan_by_the_seed(tmp_path):
    path = written(tmp_path, "due_us\n" + "\n".join(str(1000 * n) for n in range(2000)))
    half, _, _ = drawn(tmp_path, plan=path, action="noop", scale=0.5)
    again, _, _ = drawn(tmp_path, plan=path, action="noop", scale=0.5)
    other, _, _ = drawn(tmp_path, plan=path, action="noop", scale=0.5, seed=2)
    assert half == again != other
    assert 900 < len(half) < 1100
    thrice, _, _ = drawn(tmp_path, plan=path, action="noop", scale=3.0, speed=2.0, calls=50)
    assert [call[0] for call in thrice] == [500 * (n // 3) for n in range(50)]


def test_columns_that_mean_nothing_are_told(tmp_path):
    _, _, chosen = drawn(tmp_path, plan=written(tmp_path, "due_us,acton\n1,noop\n"), action="noop")
    assert any(note.endswith("not looked at: acton") for note in chosen.notes())


BAD = {
    "row 2: due_us is -3, before the beginning": ("due_us\n5\n-3\n", {}),
    "row 1: t_s is 'soon', and a time is a number": ("t_s\nsoon\n", {}),
    "row 1: t_s is inf, and a plan lasts at most 100 days": ("t_s\ninf\n", {}),
    "row 2: due_us is empty": ("due_us,x\n5,1\n,1\n", {}),
    "it is empty; a plan has at least one call": ("due_us\n", {}),
    "one column is to say when calls are due, due_us or t_s; it has when": ("when\n3\n", {}),
    "one column is to say when calls are due, due_us or t_s; it has due_us, t_s": ("due_us,t_s\n3,4\n", {}),
    "params are a JSON object, not '[1]'": ("due_us,params\n3,[1]\n", {}),
    "some calls name no action.  (--action says what these go to)": ("due_us,size\n3,small\n", {"action": None}),
    "/_/mine is there already and has no size 'small'": ("due_us,action,size\n3,/_/mine,small\n", {}),
    "--workload: --plan": ("due_us,action\n3,noop\n", {"action": None, "workload": "micro"}),
    "name what is to be called": ("due_us\n3\n", {"action": None}),
    "more than the 1,000,000,000 that one run may have": ("due_us\n" + "3\n" * 2000, {"scale": 1e6}),
    "it plans no call": ("due_us\n3\n", {"scale": 1e-6}),
    "--scale is to be above zero and at most 1,000,000, not 0": ("due_us\n3\n", {"scale": 0.0}),
    "--speed is to be above zero and at most 1,000,000, not -1": ("due_us\n3\n", {"speed": -1.0}),
}


@pytest.mark.parametrize("words", BAD)
def test_a_file_that_cannot_be_a_plan_is_refused_with_its_place(tmp_path, words):
    text, asked = BAD[words]
    with pytest.raises(BadRequest) as refused:
        drawn(tmp_path, **{"plan": written(tmp_path, text), "action": "noop", **asked})
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path):
    with pytest.raises(BadRequest, match=r"it cannot be read \(.*Parquet"):
        drawn(tmp_path, plan=written(tmp_path, "not at all", "plan.parquet"), action="noop")
    with pytest.raises(BadRequest, match=r"nope.csv: No such file or directory"):
        drawn(tmp_path, plan=tmp_path / "nope.csv", action="noop")
    with pytest.raises(BadRequest, match=r"a file of calls ends in .parquet or .csv"):
        drawn(tmp_path, plan=written(tmp_path, CSV, "plan.txt"))


def test_an_action_that_there_is_not_is_guessed(tmp_path):
    with pytest.raises(UnknownNameError, match=r"no action named 'noob'. Did you mean 'noop'?"):
        drawn(tmp_path, plan=written(tmp_path, "due_us,action\n3,noob\n"))


def test_a_bundled_plan_is_one_by_its_name_and_another_name_is_guessed():
    assert ListingRequest(plan=Path("lee2018")).bundled().shape.expected_calls() == 10_005
    with pytest.raises(BadRequest) as refused:
        ListingRequest(plan=Path("lee2019")).bundled()
    assert str(refused.value) == "--plan lee2019: no such file, nor a plan of owray's own. Did you mean 'lee2018'?  (there is lee2018)"


def test_a_plan_is_played_whole_or_not_at_all(tmp_path):
    _, _, chosen = drawn(tmp_path, plan=written(tmp_path, CSV))
    with pytest.raises(BadRequest, match="the plan calls sleep, and the platform has no such runtime"):
        chosen.entries([manifest for manifest in chosen.manifests if manifest.name == "noop"])


def test_more_calls_than_a_run_may_have_are_counted_before_they_are_written(tmp_path):
    assert MOST_CALLS == 1_000_000_000
    path = written(tmp_path, "due_us\n" + "3\n" * 2000)
    with pytest.raises(BadRequest, match="2,000,000,000 calls are more"):
        drawn(tmp_path, plan=path, action="noop", scale=1e6)
    assert list((tmp_path / "drawn").iterdir()) == []
