"""Sequences beyond the conformance checklist: what may be stored, and how they end."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

import msgspec
import pytest
from support.api import BASE, GATED, Api, annotation, eventually
from support.virtual import VirtualLoop

from cluster.openwhisk.embedded.actions import CodeAction, Exec
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.components import Components
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Name
from cluster.openwhisk.embedded.invocation import Invocation
from cluster.openwhisk.embedded.kinds import Kind
from cluster.openwhisk.embedded.limits import default_limits
from cluster.openwhisk.embedded.outcomes import Status
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.sequence_runs import SequenceRun, SequenceRuns
from cluster.openwhisk.embedded.sequences import PreparedSequence, Sequence

ECHO = "def main(args):\n    return args\n"
ADD = "def main(args):\n    return {'n': args.get('n', 0) + 1}\n"


@pytest.fixture
def named(name):
    """Names of components and sequences that no other test uses: `named("a")`."""
    return lambda *parts: "-".join((name, *parts))


def put(api, name, components, query="overwrite=true", **fields):
    """`components` without their namespace."""
    body = {"exec": {"kind": "sequence", "components": [f"/_/{component}" for component in components]}} | fields
    return api.request("PUT", f"{BASE}/actions/{name}", body, query=query)


def refused(reply):
    return reply.status, reply.error


# --- storing


def test_a_sequence_is_stored_with_its_components_resolved(api, named):
    api.action(named("a"), ADD)
    made = put(api, named("s"), [named("a")], parameters=[{"key": "mine", "value": 1}], annotations=[{"key": "k", "value": 1}])
    assert made.status == 200
    components = [f"/guest/{named('a')}"]
    assert made.json["exec"] == {"kind": "sequence", "components": components}
    assert made.json["parameters"] == [{"key": "_actions", "value": components}]
    assert annotation(made.json, "exec") == "sequence"
    assert annotation(made.json, "provide-api-key") is False
    assert api.request("GET", f"{BASE}/actions/{named('s')}").json == made.json
    assert api.request("GET", f"{BASE}/actions/{named('s')}", query="code=false").json == made.json
    (listed,) = api.request("GET", f"{BASE}/actions", query="limit=1").json
    assert (listed["name"], listed["exec"]) == (named("s"), {"binary": False})


def test_an_update_without_exec_keeps_the_components_and_deletes_no_annotation(api, named):
    api.action(named("a"), ADD)
    before = put(api, named("s"), [named("a")], annotations=[{"key": "k", "value": 1}]).json
    body = {"limits": {"timeout": 1000}, "parameters": [{"key": "x", "value": 1}], "delAnnotations": ["k"]}
    after = api.request("PUT", f"{BASE}/actions/{named('s')}", body, query="overwrite=true").json
    assert after["version"] == "0.0.2"
    assert after["limits"]["timeout"] == 1000
    for field in ("exec", "parameters", "annotations"):
        assert after[field] == before[field]


def test_an_action_becomes_a_sequence_and_code_again(api, named):
    api.action(named("a"), ADD)
    api.action(named("x"), ECHO, parameters=[{"key": "p", "value": 1}])
    assert put(api, named("x"), [named("a")], query="").status == 409
    assert put(api, named("x"), [named("a")]).json["version"] == "0.0.2"
    assert api.invoke(named("x"), {"n": 1}).result == {"n": 2}
    again = api.action(named("x"), ECHO).json
    assert (again["version"], again["parameters"], annotation(again, "exec")) == ("0.0.3", [], again["exec"]["kind"])
    assert api.invoke(named("x"), {"n": 1}).result == {"n": 1}
    assert api.request("DELETE", f"{BASE}/actions/{named('x')}").status == 200


def test_components_that_make_no_sequence_are_refused(api, named):
    api.action(named("a"), ADD)
    assert refused(put(api, named("s"), [])) == (400, "No component specified for the sequence.")
    assert refused(put(api, named("s"), [named("none")])) == (400, "Sequence component does not exist.")
    assert refused(put(api, named("s"), [named("a"), named("s")])) == (400, "Sequence may not refer to itself.")
    assert refused(put(api, named("s"), [named("a")] * 51)) == (400, "Too many actions in the sequence.")
    assert put(api, named("s"), [named("a")] * 50).status == 200
    malformed = api.request("PUT", f"{BASE}/actions/{named('n')}", {"exec": {"kind": "sequence"}})
    assert malformed.status == 400
    assert malformed.error.startswith("The request content was malformed:\n")
    assert api.request("GET", f"{BASE}/actions/{named('n')}").status == 404


def test_a_component_in_a_missing_package_is_404_and_in_somebody_elses_403(api, named):
    assert put(api, named("s"), [f"{named('none')}/a"]).status == 404
    body = {"exec": {"kind": "sequence", "components": ["/other/a"]}}
    assert api.request("PUT", f"{BASE}/actions/{named('s')}", body).status == 403


def test_a_sequence_that_comes_back_to_itself_through_another_is_refused(api, named):
    api.action(named("inner"), ADD)
    put(api, named("outer"), [named("inner")])
    assert refused(put(api, named("inner"), [named("outer")])) == (400, "Sequence may not refer to itself.")


def test_what_is_in_an_inner_sequence_counts(api, named):
    api.action(named("a"), ADD)
    put(api, named("inner"), [named("a")] * 25)
    assert put(api, named("two"), [named("inner")] * 2).status == 200
    assert refused(put(api, named("more"), [named("inner"), named("a"), named("inner")])) == (400, "Too many actions in the sequence.")
    # What an inner sequence becomes later is met on the way.
    put(api, named("inner"), [named("a")] * 26)
    reply = api.invoke(named("two"))
    assert reply.status == 502
    assert reply.json["response"]["status"] == "application error"
    assert reply.result == {"error": "Too many actions in the sequence."}
    assert len(reply.json["logs"]) == 2


# --- running


def test_a_sequence_ends_with_the_first_component_that_fails(api, named):
    api.action(named("a"), ADD)
    api.action(named("bad"), "def main(args):\n    return {'error': args['n'], 'n': 7}\n")
    put(api, named("s"), [named("a"), named("bad"), named("a")])
    reply = api.invoke(named("s"), {"n": 1})
    assert (reply.status, reply.json["response"]["status"], reply.result) == (502, "application error", {"error": 2})
    assert len(reply.json["logs"]) == 2
    assert api.record(reply.json["logs"][1])["response"] == reply.json["response"]
    bare = api.invoke(named("s"), {"n": 1}, "blocking=true&result=true")
    assert (bare.status, bare.json) == (502, {"error": 2})


def test_an_array_between_components_replaces_everything(api, named):
    api.action(named("list"), "def main(args):\n    return [1, args]\n")
    api.action(named("seen"), "def main(args):\n    return {'seen': args}\n", parameters=[{"key": "p", "value": 1}])
    put(api, named("s"), [named("list"), named("seen")])
    assert api.invoke(named("s"), {"x": 1}).result == {"seen": [1, {"x": 1}]}
    put(api, named("t"), [named("seen"), named("list")])
    bare = api.invoke(named("t"))
    assert (bare.status, bare.json) == (200, [1, {"seen": {"p": 1}}])


def test_parameters_of_components_lie_below_what_they_are_given(api, named):
    api.action(named("a"), "def main(args):\n    return {'x': 2}\n", parameters=[{"key": "x", "value": 1}])
    api.action(named("b"), ECHO, parameters=[{"key": "x", "value": 0}, {"key": "y", "value": 0}])
    put(api, named("s"), [named("a"), named("b")])
    assert api.invoke(named("s")).result == {"x": 2, "y": 0}


def test_parameters_of_packages_are_merged_and_the_record_names_the_package(api, named):
    api.request("PUT", f"{BASE}/packages/{named('p')}", {"parameters": [{"key": "of", "value": "package"}]})
    api.action(f"{named('p')}/a", ECHO)
    put(api, f"{named('p')}/s", [f"{named('p')}/a"])
    reply = api.invoke(f"{named('p')}/s", {"n": 1})
    assert reply.result == {"of": "package", "n": 1}
    assert reply.annotation("path") == f"guest/{named('p')}/s"
    api.record(reply.json["activationId"])
    (listed,) = api.request("GET", f"{BASE}/activations", query=f"name={named('p')}/s").json
    assert listed["duration"] == reply.json["end"] - reply.json["start"]


def test_a_component_that_is_gone_is_an_application_error(api, named):
    api.action(named("a"), ADD)
    api.action(named("b"), ADD)
    put(api, named("s"), [named("a"), named("b")])
    api.request("DELETE", f"{BASE}/actions/{named('b')}")
    reply = api.invoke(named("s"))
    assert (reply.status, reply.json["response"]["status"]) == (502, "application error")
    assert reply.result == {"error": "Sequence component does not exist."}
    assert len(reply.json["logs"]) == 1


def test_a_sequence_in_a_sequence_has_a_record_between_the_two(api, named):
    api.action(named("a"), ADD, limits={"memory": 128})
    api.action(named("b"), ADD, limits={"memory": 384})
    put(api, named("inner"), [named("b"), named("a")], limits={"timeout": 5000})
    put(api, named("outer"), [named("inner"), named("a")])
    outer = api.invoke(named("outer")).json
    assert outer["response"]["result"] == {"n": 3}
    inner, last = map(api.record, outer["logs"])
    assert annotation(outer, "topmost") is True
    assert annotation(inner, "topmost") is False
    assert annotation(outer, "causedBy") is None
    assert annotation(inner, "causedBy") == "sequence"
    assert inner["cause"] == last["cause"] == outer["activationId"]
    assert outer["duration"] == inner["duration"] + last["duration"]
    assert annotation(outer, "limits") == {"timeout": 60000, "memory": 384, "logs": 10, "concurrency": 1}
    assert annotation(inner, "limits") == {"timeout": 5000, "memory": 384, "logs": 10, "concurrency": 1}
    components = [api.record(activation_id) for activation_id in inner["logs"]]
    assert {component["cause"] for component in components} == {inner["activationId"]}
    assert inner["duration"] == sum(component["duration"] for component in components)


def test_a_caller_who_waits_no_longer_leaves_the_sequence_going_on(api, named, gate):
    api.action(named("gated"), GATED)
    api.action(named("a"), ADD)
    put(api, named("s"), [named("gated"), named("a")])
    reply = api.invoke(named("s"), {"gate": str(gate)}, "blocking=true&timeout=100")
    assert (reply.status, set(reply.json)) == (202, {"activationId"})
    also = api.invoke(named("s"), {"gate": str(gate)}, "")
    assert also.status == 202
    assert api.request("GET", f"{BASE}/activations/{reply.json['activationId']}").status == 404
    gate.touch()
    for accepted in (reply, also):
        record = api.record(accepted.json["activationId"])
        assert record["response"]["result"] == {"n": 1}
        assert len(record["logs"]) == 2


def test_components_count_in_flight_and_the_sequence_does_not(new_platform, gate):
    with new_platform("bench", concurrent_invocations=1) as api:
        api.action("a", ECHO)
        api.action("gated", GATED)
        put(api, "s", ["a", "a", "gated"])
        running = api.start("s", {"gate": str(gate)}, "blocking=true&result=true")
        # What is let in before the sequence has begun waits for the gate as it does.
        refused = eventually(lambda: found if (found := api.invoke("s", {"gate": str(gate)}, "")).status == 429 else None)
        assert refused.error.startswith("Too many concurrent requests in flight (count: ")
        gate.touch()
        assert running.result().status in (200, 429)
        assert eventually(lambda: api.invoke("s", {"gate": str(gate)}).status == 200)


def test_a_final_parameter_of_the_package_may_not_be_given_to_a_sequence(api, named):
    api.request("PUT", f"{BASE}/packages/{named('p')}", {"parameters": [{"key": "fixed", "value": 1}]})
    api.action(named("a"), ECHO)
    put(api, f"{named('p')}/s", [named("a")], annotations=[{"key": "final", "value": True}])
    assert api.invoke(f"{named('p')}/s", {"fixed": 2}).status == 400
    assert api.invoke(f"{named('p')}/s", {"free": 2}).result == {"fixed": 1, "free": 2}


def test_components_may_be_in_anybodys_public_package(new_platform):
    with new_platform(namespaces=("guest", "other")) as guest, contextlib.closing(Api(guest.platform, "other")) as other:
        for package, publish in (("shared", True), ("private", False)):
            other.request("PUT", f"{BASE}/packages/{package}", {"publish": publish})
            other.action(f"{package}/a", ADD)
        put(other, "shared/s", ["shared/a", "shared/a"])

        def stored(*components):
            body = {"exec": {"kind": "sequence", "components": components}}
            return guest.request("PUT", f"{BASE}/actions/mine", body, query="overwrite=true").status

        assert stored("/other/private/a") == stored("/other/missing/a") == 403
        assert stored("/other/shared/missing") == 400
        assert stored("/other/shared/a", "/other/shared/s") == 200
        called = guest.invoke("mine")
        assert called.result == {"n": 3}
        component = guest.record(called.json["logs"][0])
        assert (component["namespace"], annotation(component, "path")) == ("guest", "other/shared/a")
        direct = guest.request("POST", "/api/v1/namespaces/other/actions/shared/s", query="blocking=true")
        assert (direct.status, direct.json["namespace"], direct.annotation("path")) == (200, "guest", "other/shared/s")
        other.request("PUT", f"{BASE}/packages/shared", {"publish": False}, query="overwrite=true")
        assert guest.invoke("mine").status == 403


def test_a_platform_that_is_stopped_ends_its_sequences_without_a_word(new_platform, gate):
    with new_platform() as api:
        api.action("gated", GATED)
        put(api, "inner", ["gated"])
        put(api, "s", ["inner", "gated"])
        assert api.invoke("s", {"gate": str(gate)}, "").status == 202
        log = api.platform.state_dir / "platform.log"
    assert not re.search("Traceback|never retrieved|destroyed", log.read_text())


# --- what takes minutes, or cannot be brought about from outside


class Silent:
    """A pipeline that takes calls and answers none, or cannot even take them."""

    def __init__(self, failure=None):
        self.failure = failure
        self.stored = []

    def call(self, prepared, user, arguments, transaction_id, **options):
        if self.failure:
            raise self.failure
        acked = asyncio.get_running_loop().create_future()
        return Invocation(prepared, user, arguments, "c" * 32, transaction_id, 0, acked, cause=options["cause"])

    def store(self, record, *_, **__):
        self.stored.append(record)


def run_one(pipeline, *, timeout_ms=60_000):
    """What a sequence of one action comes to, and how many seconds it takes."""
    knobs = Knobs()
    entities = Entities()
    common = {"namespace": "guest", "version": "0.0.1", "publish": False, "annotations": (), "updated": 0, "parameters": ()}
    limits = msgspec.structs.replace(default_limits(knobs), timeout=timeout_ms)
    kind = Kind("python:3", "python", Path("python"), "3")
    entities.put(CodeAction(name="a", exec=Exec("python:3", "", binary=False), runtime=kind, limits=limits, **common))
    sequence = Sequence(name="s", components=(Name("guest", None, "a"),), limits=default_limits(knobs), **common)

    async def carried_out():
        loop = asyncio.get_running_loop()
        runs = SequenceRuns(Components(knobs, Resolver(entities)), pipeline, Clock())
        acked, begun = loop.create_future(), loop.time()
        user = User("guest", "u", "k" * 64)
        runs.start(SequenceRun(PreparedSequence(sequence), user, b"{}", "5" * 32, "t", 0, acked, blocking=True, always_stored=False))
        return await acked, loop.time() - begun

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(carried_out())


def test_a_component_is_waited_for_a_minute_longer_than_its_limit():
    pipeline = Silent()
    ack, took_s = run_one(pipeline, timeout_ms=5_000)
    assert took_s == pytest.approx(65)
    assert ack.outcome.status is Status.PLATFORM_ERROR
    text = f"Timeout reached when retrieving activation {'c' * 32} for sequence component."
    assert json.loads(ack.outcome.result) == {"error": text}
    (record,) = pipeline.stored
    assert (record.logs, record.duration) == (["c" * 32], 0)


def test_a_defect_leaves_a_record_too(caplog):
    pipeline = Silent(RuntimeError("a defect"))
    ack, _ = run_one(pipeline)
    assert ack.outcome.status is Status.PLATFORM_ERROR
    assert json.loads(ack.outcome.result) == {"error": "Sequence failed."}
    assert len(pipeline.stored) == 1
    assert "a defect" in caplog.text
