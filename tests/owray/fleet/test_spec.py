"""How a storm is shared out, and what of it must not be seen."""

import ssl
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.certificates import self_signed
from support.runs import recipe

from owray.fleet.spec import Gateway, StormSpec
from owray.plan.closed import Closed
from owray.plan.mix import Entry
from owray.plan.recipe import Recipe, Stream
from owray.wire.invoker import Limits


def spec(**values):
    chosen = {"invokers": 1, "cores": (), "limits": Limits(), **values}
    return StormSpec(Path("/runs/run=1"), chosen.pop("recipe", recipe()), Gateway("127.0.0.1", 80, "uuid:secret"), **chosen)


@given(st.integers(1, 64), st.integers(0, 1000))
def test_the_cap_is_shared_out_whole_and_everybody_gets_some(invokers, more):
    storm = spec(invokers=invokers, limits=Limits(max_in_flight=invokers + more))
    caps = [storm.of_invoker(invoker, "0").limits.max_in_flight for invoker in range(invokers)]
    assert sum(caps) == invokers + more
    assert max(caps) - min(caps) <= 1
    assert min(caps) >= 1


@given(st.integers(1, 64), st.integers(0, 1000))
def test_the_users_of_a_closed_loop_are_shared_out_whole_and_each_has_its_connection(invokers, more):
    loop = Recipe((Stream(Closed(invokers + more)),), (Entry("micro", "noop", "", "noop"),))
    players = [spec(invokers=invokers, recipe=loop).of_invoker(invoker, "0") for invoker in range(invokers)]
    assert sum(player.users for player in players) == invokers + more
    assert min(player.users for player in players) >= 1
    assert all(player.warm_connections == min(player.users, 1024) for player in players)


def test_invokers_take_the_cores_in_turn_and_any_core_where_none_is_set_aside():
    assert [spec(invokers=3, cores=(6, 7)).of_invoker(invoker, "0").core for invoker in range(3)] == [6, 7, 6]
    assert spec().of_invoker(0, "0").core is None


@given(st.floats(0.1, 1e6), st.integers(1, 64), st.one_of(st.none(), st.integers(1, 500)))
def test_no_more_connections_are_warmed_than_calls_may_be_in_flight(rps, invokers, cap):
    storm = spec(invokers=invokers, recipe=recipe(rps=rps), limits=Limits(max_in_flight=None if cap is None else cap * invokers))
    warm = storm.of_invoker(0, "0").warm_connections
    assert 1 <= warm <= 1024
    assert cap is None or warm <= cap


def test_a_gateways_key_is_in_no_repr():
    assert "secret" not in repr(spec().of_invoker(0, "0"))


def test_authorities_that_are_named_are_trusted_beside_the_machines_own(tmp_path, monkeypatch):
    named, own = tmp_path / "named", tmp_path / "own"
    for folder in (named, own):
        folder.mkdir()
    certificates = [self_signed(folder)[1].read_text() for folder in (named, own)]
    monkeypatch.setenv("SSL_CERT_FILE", str(own / "certificate.pem"))
    context = Gateway("127.0.0.1", 443, "", tls=True, authorities=certificates[0]).address().tls
    assert set(context.get_ca_certs(binary_form=True)) == {ssl.PEM_cert_to_DER_cert(text) for text in certificates}
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_the_host_header_leaves_out_only_the_schemes_own_port():
    assert Gateway("ow.example", 443, "", tls=True).host_header == "ow.example"
    assert Gateway("ow.example", 80, "", tls=True).host_header == "ow.example:80"
    assert Gateway("ow.example", 80, "").host_header == "ow.example"
    assert Gateway("::1", 3233, "").host_header == "[::1]:3233"
