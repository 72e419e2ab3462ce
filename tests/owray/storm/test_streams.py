"""`--streams FILE`: several streams, each with its actions, its shape and its time."""

import pytest

from owray.plan.recipe import Plan, Stream
from owray.plan.shapes import Bursts, Ramp
from owray.storm.bad_request import BadRequest
from owray.storm.choose import choose
from owray.storm.load import LoadRequest
from owray.storm.objectives import check_samples, read_objectives
from owray.storm.preflight import _asked, _shares
from owray.storm.request import CallRequest, StormRequest
from owray.storm.streams import read_streams

TWO = """
[[stream]]
name = "steady"
mix = "micro=3,align=1"
rps = 20
duration = "10s"
arrivals = "poisson"

[[stream]]
name = "rush"
action = "sleep"
size = "large"
burst = "30,60"
gap = "2s"
start = "3s"
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "load.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def one(**keys):
    """A file of one stream, which calls noop unless it says otherwise; a value is TOML as it is."""
    lines = {"name": '"a"', "action": '"noop"'} | keys
    return "[[stream]]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items() if value)


def test_each_stream_has_its_shape_its_time_and_its_actions(file):
    request = StormRequest(several=read_streams(file(TWO)), seed=3)
    chosen = choose(request)
    recipe = request.recipe(chosen.entries(chosen.manifests))
    assert recipe.streams == (
        Stream(Ramp(20, 20, 10), "poisson", "steady"),
        Stream(Bursts((30, 60), 2), "constant", "rush", 3.0),
    )
    assert {(entry.stream, entry.action, entry.size) for entry in recipe.entries} == {
        ("steady", "matmul_js", "small"),
        ("steady", "noop", "small"),
        ("steady", "sleep", "small"),
        ("steady", "align", "small"),
        ("rush", "sleep", "large"),
    }
    assert [manifest.name for manifest in chosen.manifests] == ["matmul_js", "noop", "sleep", "align"]
    assert (request.planned, request.planned_s) == (290, 10)
    assert Plan(recipe).count() > 200


def test_a_stream_may_call_what_is_there_already(file):
    text = one(action='"/_/mine"') + "\n" + one(name='"b"')
    chosen = choose(StormRequest(several=read_streams(file(text)), call=CallRequest(param=("n=1",))))
    assert [own.name for own in chosen.owns] == ["/_/mine"]
    assert [(entry.stream, entry.workload, entry.action) for entry in chosen.entries(chosen.manifests)] == [
        ("a", "own", "/_/mine"),
        ("b", "micro", "noop"),
    ]


def test_calls_end_all_streams_together(file):
    request = StormRequest(several=read_streams(file(TWO)), load=LoadRequest(calls=50))
    assert (request.planned, request.recipe(choose(request).entries(choose(request).manifests)).calls) == (50, 50)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stream = [", "it is no TOML ("),
        (b"\xff", "it is no UTF-8"),
        ("", "it has nothing where a [[stream]] is to be; each is a table of that name"),
        ("[stream]\nname = 'a'", "it has nothing where a [[stream]] is to be"),
        ("[[streem]]\nname = 'a'", "it has 'streem' where a [[stream]] is to be"),
        ("stream = []", "a storm has 1 to 64 streams, not 0"),
        ("stream = [3]", "stream 1: Expected 'object', got 'int'"),
        (one(name=None), "stream 1: it lacks 'name'"),
        (one(name='""'), "stream 1 (''): a name has 1 to 64 characters that can be printed"),
        (one(rsp="5"), "stream 1 ('a'): no key named 'rsp'. Did you mean 'rps'?  (there are name, workload,"),
        (one(rps='"5"'), "stream 1 ('a'): Expected 'float | null', got 'str'  (at rps)"),
        (one(rps="-5"), "stream 1 ('a'): rps is to be above zero and at most 1,000,000, not -5"),
        (one(duration="60"), "stream 1 ('a'): duration: '60' has no unit; 60 seconds are 60s"),
        (one(start='"soon"'), "stream 1 ('a'): start: 'soon' is no duration"),
        (one(ramp='"0:5:5s"', duration='"5s"'), "stream 1 ('a'): duration: ramp says itself how long it lasts"),
        (one(ramp='"0:5:5s"', rps="5"), "stream 1 ('a'): rps and ramp: one of them says how many calls are due when"),
        (one(burst="[1, 2]"), "stream 1 ('a'): Expected"),
        (one(arrivals='"random"'), "stream 1 ('a'): Invalid enum value 'random'"),
        (one(workload='"micro"'), "stream 1 ('a'): name what is to be called: one of workload, action, mix"),
        (one(action=None, mix='"noop=0"'), "stream 1 ('a'): mix: the weight of 'noop' is above zero"),
        (one(action=None), "stream 1 ('a'): name what is to be called"),
        (one() + "\n" + one(), "2 streams are named 'a'; rows tell them apart by their names"),
        (one(rps="1000000", duration='"900s"') + "\n" + one(name='"b"', rps="1000000", duration='"900s"'), "1,800,000,000 calls are more"),
    ],
)
def test_what_is_wrong_is_named_by_file_stream_and_key(file, text, said):
    path = file(text)
    with pytest.raises(BadRequest) as refused:
        read_streams(path)
    told = str(refused.value)
    assert told.removeprefix(f"--streams {path}").lstrip(",: ").startswith(said)
    assert "\n" not in told


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(BadRequest, match=r"none\.toml: No such file or directory"):
        read_streams(tmp_path / "none.toml")


def test_a_name_that_nothing_has_is_told_with_its_stream(file):
    with pytest.raises(BadRequest, match=r"stream 'a': no action named 'nop'\. Did you mean 'noop'"):
        choose(StormRequest(several=read_streams(file(one(action='"nop"')))))
    with pytest.raises(BadRequest, match="stream 'a': no size of noop named 'huge'"):
        choose(StormRequest(several=read_streams(file(one(size='"huge"')))))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "noop"}, "--streams FILE says what is called; leave out --workload, --action, --mix, --web and --trigger"),
        ({"call": CallRequest(web="/x")}, "--streams FILE says what is called"),
        ({"size": "small"}, "--streams FILE says the size of each stream; leave out --size"),
        ({"load": LoadRequest(rps=5, duration_s=5)}, "--streams FILE says when calls are due; leave out --rps, --duration"),
        ({"load": LoadRequest(burst="5,6", gap_s=5)}, "leave out --burst, --gap"),
        ({"load": LoadRequest(arrivals="poisson")}, "leave out --arrivals"),
        ({"warmup_s": 10.0}, "a warm-up of 10 s leaves nothing of a storm of 10 s to measure"),
    ],
)
def test_an_option_that_the_file_stands_for_is_refused(file, asked, said):
    with pytest.raises(BadRequest, match=said):
        StormRequest(several=read_streams(file(TWO)), **asked)


def test_a_preflight_looks_at_all_streams_that_are_under_way_together(file):
    asked = _asked(StormRequest(several=read_streams(file(TWO))), 0)
    assert (asked.rps, asked.planned, asked.length_s, asked.burst, asked.is_random) == (20 + 60, 290, 10, 60, True)


def test_streams_one_after_another_do_not_add_up(file):
    text = one(rps="50", duration='"5s"') + "\n" + one(name='"b"', rps="70", duration='"5s"', start='"5s"')
    assert _asked(StormRequest(several=read_streams(file(text))), 0).rps == 70


def test_an_action_has_its_part_of_its_own_streams_calls(file):
    text = one(rps="30") + "\n" + one(name='"b"', action=None, mix='"align=1,sleep=1"', rps="10")
    request = StormRequest(several=read_streams(file(text)))
    chosen = choose(request)
    recipe = request.recipe(chosen.entries(chosen.manifests))
    assert dict(zip((entry.action for entry in recipe.entries), _shares(recipe), strict=True)) == pytest.approx(
        {"noop": 0.75, "align": 0.125, "sleep": 0.125}
    )


@pytest.mark.parametrize(
    ("asked", "cure"),
    [
        ({"action": "noop", "load": LoadRequest(rps=10, duration_s=10)}, "--calls 1000, or a --duration of 100s"),
        ({"action": "noop", "load": LoadRequest(ramp="0:20:10s")}, "a plan of 1,000 calls or more"),
        ({}, "a plan of 1,000 calls or more"),
    ],
)
def test_too_few_calls_are_cured_by_an_option_only_where_it_makes_more(file, asked, cure):
    several = () if asked else read_streams(file(TWO))
    with pytest.raises(BadRequest) as refused:
        check_samples(StormRequest(several=several, objectives=read_objectives(["p99<1s"]), **asked))
    assert str(refused.value).endswith(f"  ({cure}; --force plays it all the same)")
