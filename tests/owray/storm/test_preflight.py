"""Preflight and prewarming against real platforms: what is called, what is refused, what is kept."""

import asyncio
import io
import json
from types import SimpleNamespace

import pytest
from rich.console import Console
from support.platform import running_platform

from owray.openwhisk.catalogue import find
from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.target import Target
from owray.plan.mix import Entry, Variant
from owray.plan.shapes import Listed
from owray.storm.choose import Chosen, Selection
from owray.storm.deploying import prepare
from owray.storm.load import Elsewhere, LoadRequest
from owray.storm.parameters import Payload
from owray.storm.preflight import Refused, before_the_storm
from owray.storm.prewarm import MOST_ROUNDS, prewarm
from owray.storm.request import StormRequest
from owray.storm.shares import Share

KIND = "python:default"
BROKEN = {
    "cannot-begin": "import nothing_of_this_name\ndef main(args):\n    return {}",
    "raises": "def main(args):\n    print('on my way')\n    raise ValueError(f\"no base {args['base']}\")",
    "says-error": "def main(args):\n    return {'error': 'out of 12 reads'}",
    "lies": "def main(args):\n    return {'checksum': 'beef'}",
}
HOLDS = "import time\ndef main(args):\n    time.sleep(0.05)\n    return {}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with running_platform(tmp_path_factory.mktemp("bench")) as platform:
        yield platform


@pytest.fixture(scope="module")
def logging_platform(tmp_path_factory):
    """A bench platform that keeps its logs."""
    with running_platform(tmp_path_factory.mktemp("logging"), log_store="file") as platform:
        yield platform


@pytest.fixture
def standalone(tmp_path):
    """A fresh one for each test: its minute is not used up yet."""
    with running_platform(tmp_path / "standalone", profile="standalone") as platform:
        yield platform


def entry(name, **values):
    return Entry("own", name, "", name, variants=(Variant({"base": "Z"}, values.pop("expected", None)),), **values)


def chosen(manifests):
    return Chosen((Selection("main", (Share(tuple(manifests)),)),), Payload())


def check(platform, *entries, **asked):
    """What the preflight of a storm finds: fields of the manifest, and what was printed. Entries default to noop's."""
    manifests = (find("noop"),)
    text = io.StringIO()
    load = {name: asked.pop(name) for name in ("rps", "duration_s", "calls", "arrivals", "concurrency", "elsewhere") if name in asked}
    request = StormRequest(**{"action": "noop", "load": LoadRequest(**{"duration_s": None if "elsewhere" in load else 1, **load}), **asked})

    async def run():
        prepared = await prepare(platform.target, chosen(manifests))
        recipe = request.recipe(entries or chosen(manifests).entries(manifests))
        return await before_the_storm(request, recipe, platform.target, prepared, Console(file=text, width=200))

    try:
        return SimpleNamespace(fields=asyncio.run(run()), text=text.getvalue(), refusal=None)
    except Refused as refused:
        return SimpleNamespace(fields=None, text=text.getvalue(), refusal=str(refused))


def put(platform, **actions):
    async def run():
        async with OpenWhisk(platform.target) as client:
            for name, code in actions.items():
                await client.put_action(name, {"exec": {"kind": KIND, "code": code}}, overwrite=True)

    asyncio.run(run())


def test_a_storm_that_fits_is_told_in_one_line_and_kept(bench):
    put(bench, fresh=HOLDS)
    found = check(bench, entry("fresh"))
    kept = found.fields["preflight"]
    assert found.text.startswith("preflight  fresh: cold ")
    assert found.text.count("\n") == 1
    assert "binds first: " in found.text
    assert (kept["calls"], kept["forced"], kept["actions"][0]["calls"]) == (6, False, 6)
    assert kept["actions"][0]["cold_ms"] > 0
    assert len(kept["actions"][0]["duration_ms"]) == 5  # the cold one is no measure of the others
    assert kept["actions"][0]["memory_mb"] == 256
    json.dumps(kept, allow_nan=False)


@pytest.mark.parametrize("load", [{"concurrency": 2}, {"elsewhere": Elsewhere("--plan", Listed(8, 1.0, 8.0, ""), names_actions=True)}])
def test_actions_of_a_closed_loop_and_of_a_list_have_their_shares(bench, load):
    put(bench, fresh=HOLDS)
    streams = ("main", "main") if "concurrency" in load else ("steady", "rush")
    entries = [entry(name, weight=weight, stream=stream) for name, weight, stream in zip(("fresh", "noop"), (3, 1), streams, strict=True)]
    kept = check(bench, *entries, **load).fields["preflight"]
    assert [action["share"] for action in kept["actions"]] == [0.75, 0.25]


@pytest.mark.parametrize(("name", "rps", "duration_s"), [("align", 20, 20), ("noop", 5000, 60), ("noop", 200, 30)])
def test_everyday_storms_are_not_refused(bench, name, rps, duration_s):
    async def deploy():
        return await prepare(bench.target, chosen((find(name),)))

    asyncio.run(deploy())
    found = check(bench, *chosen((find(name),)).entries((find(name),)), rps=rps, duration_s=duration_s)
    assert found.refusal is None
    assert found.fields["preflight"]["forced"] is False


def test_a_second_preflight_meets_a_warm_container_and_says_so(bench):
    put(bench, again=HOLDS)
    check(bench, entry("again"))
    found = check(bench, entry("again"))
    assert "cold" not in found.text
    assert found.fields["preflight"]["actions"][0]["cold_ms"] is None


REFUSED = {
    "cannot-begin": "fails to initialise: developer_error: ",
    "raises": "raises fails: application_error: no base Z",
    "says-error": "says-error fails: application_error: out of 12 reads",
    "lies": "lies fails: wrong: the checksum differs from the expected one",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_action_that_fails_is_refused_with_its_own_error(logging_platform, name):
    put(logging_platform, **{name: BROKEN[name]})
    found = check(logging_platform, entry(name, expected="f00d"))
    assert found.refusal.startswith(f"not played: {name} fails")
    assert REFUSED[name] in found.refusal
    assert found.refusal.endswith("(--force plays it all the same)")
    assert "\n" not in found.refusal


def test_the_last_line_of_its_log_is_told(logging_platform):
    put(logging_platform, raises=BROKEN["raises"])
    refusal = check(logging_platform, entry("raises")).refusal
    assert "stderr: ValueError: no base Z.  (" in refusal.partition("; its log ends: ")[2]


def test_a_failing_action_can_be_forced(bench):
    put(bench, **{"says-error": BROKEN["says-error"]})
    found = check(bench, entry("says-error"), force=True)
    assert "forced     says-error fails: application_error: out of 12 reads\n" in found.text
    assert found.fields["preflight"]["forced"] is True
    assert found.fields["preflight"]["actions"][0]["calls"] == 1  # it is not called again


def test_a_storm_above_the_namespaces_limit_is_refused_with_the_cure(standalone):
    found = check(standalone, rps=100, duration_s=60)
    assert found.refusal.startswith("not played: calls a minute: 6,000 asked for, 60 there.")
    assert "owray up local --profile standalone --invocations-per-minute 6100" in found.refusal
    assert "binds first  calls a minute" in found.text


def test_a_minute_that_is_used_up_is_told_after_what_refuses_the_storm_in_any_minute(tmp_path):
    with running_platform(tmp_path / "closed", invocations_per_minute=0) as closed:
        found = check(closed, rps=100, duration_s=60)
    assert found.refusal.startswith("not played: calls a minute: 6,000 asked for, 0 there, and 1 more.")
    assert "refused    the limit of calls a minute is used up: 1 calls, 0 allowed\n" in found.text


def test_forced_it_goes_on_and_says_so(standalone):
    found = check(standalone, rps=100, duration_s=60, force=True)
    assert "forced     calls a minute: 6,000 asked for, 60 there\n" in found.text
    assert found.fields["preflight"]["forced"] is True


def test_a_tight_limit_is_not_used_up_by_the_calls_beforehand(standalone):
    put(standalone, **dict.fromkeys("abc", HOLDS))
    found = check(standalone, *map(entry, "abc"), rps=1, duration_s=10)
    assert found.fields["preflight"]["calls"] == 6  # a tenth of sixty, for three actions


def test_a_payload_over_the_limit_is_refused(bench):
    big = Entry("own", "noop", "", "noop", variants=(Variant({"pad": "x" * (1 << 20)}),))
    found = check(bench, big)
    assert "noop: not called" in found.text
    assert "payload of noop: 1,048,586 bytes asked for, 1,048,576 bytes there" in found.text
    assert "--payload 1048586b" in found.text


def test_wrong_credentials_are_no_matter_of_force(bench):
    wrong = Target(bench.target.api_host, f"{bench.users[0].uuid}:{'x' * 64}", source="here")
    with pytest.raises(OpenWhiskError, match="the key is not accepted"):
        check(SimpleNamespace(target=wrong), force=True)


def test_without_a_preflight_nothing_is_called(bench):
    found = check(bench, preflight=False)
    assert (found.fields, found.text) == ({}, "")


def test_prewarming_makes_as_many_containers_warm_and_proves_it(bench):
    put(bench, held=HOLDS)
    found = check(bench, entry("held"), preflight=False, prewarm=5)
    assert found.text == "prewarm    held: 5 of 5 containers warm; 5 calls at once started none anew\n"
    (kept,) = found.fields["prewarm"]
    assert (kept["wanted"], kept["started_anew"], kept["problem"]) == (5, 0, "")


def test_a_fast_action_is_warmed_too(bench):
    found = check(bench, preflight=False, prewarm=4)
    assert found.text == "prewarm    noop: 4 of 4 containers warm; 4 calls at once started none anew\n"


def test_containers_that_the_platform_has_no_memory_for_are_a_warning(bench):
    put(bench, many=HOLDS)
    found = check(bench, entry("many"), preflight=False, prewarm=10)
    assert found.text.startswith("warning    many: 8 of 10 containers warm; 10 calls at once started ")


def test_no_more_calls_are_under_way_than_there_are_connections_for(bench):
    async def run():
        async with OpenWhisk(bench.target) as client:
            return await prewarm(client, entry("held"), 5, 2)

    put(bench, held=HOLDS)
    done = asyncio.run(run())
    assert done.problem == "only 2 calls can be under way at once here  (ulimit -n)"
    assert done.calls <= 2 * MOST_ROUNDS
    assert not done.is_enough


def test_a_throttle_ends_the_warming(standalone):
    async def run():
        async with OpenWhisk(standalone.target) as client:
            return await prewarm(client, entry("held"), 40, 1_000)

    put(standalone, held=HOLDS)
    done = asyncio.run(run())
    assert done.problem.startswith("throttled_concurrency: Too many concurrent requests in flight")
    assert done.calls == 40
    assert not done.is_enough
