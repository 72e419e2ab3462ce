"""`--mix`: several workloads and actions by weight."""

import pytest

from owray.openwhisk.catalogue import UnknownNameError, find
from owray.storm.bad_request import BadRequest
from owray.storm.choose import choose
from owray.storm.request import CallRequest, StormRequest
from owray.storm.shares import read_mix


def weights(mix, **asked):
    chosen = choose(StormRequest(mix=mix, **asked))
    return {entry.action: entry.weight for entry in chosen.entries(chosen.manifests)}


def test_actions_are_called_by_their_weights_in_the_mix():
    assert weights("align=2,noop=1") == {"align": 2, "noop": 1}
    assert weights(" noop = 0.5 ") == {"noop": 0.5}


def test_a_workload_deals_its_weight_to_its_actions():
    dealt = weights("genomics=3,micro=6")
    assert dealt == pytest.approx({"align": 3, "matmul_js": 1, "noop": 4, "sleep": 1})


def test_an_action_may_also_come_with_its_workload():
    assert weights("micro=6,noop=2") == pytest.approx({"matmul_js": 1, "noop": 6, "sleep": 1})


def test_what_cannot_be_played_leaves_its_weight_to_others_of_its_workload():
    chosen = choose(StormRequest(mix="micro=5,align=5"))
    played = [find("noop"), find("sleep"), find("align")]
    assert {entry.action: entry.weight for entry in chosen.entries(played)} == pytest.approx({"noop": 4, "sleep": 1, "align": 5})


def test_a_workload_alone_keeps_the_weights_of_its_manifests():
    chosen = choose(StormRequest(workload="micro"))
    assert {entry.action: entry.weight for entry in chosen.entries(chosen.manifests)} == {"matmul_js": 1, "noop": 4, "sleep": 1}


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("", "--mix: '' is no part of a mix; one looks like genomics=3,noop=1"),
        ("genomics", "--mix: 'genomics' is no part of a mix"),
        ("genomics=3,,noop=1", "--mix: '' is no part of a mix"),
        ("=3", "--mix: '=3' is no part of a mix"),
        ("noop=", "--mix: the weight of 'noop' is a number, not ''"),
        ("noop=many", "--mix: the weight of 'noop' is a number, not 'many'"),
        ("noop=1=2", "--mix: the weight of 'noop' is a number, not '1=2'"),
        ("noop=0", "--mix: the weight of 'noop' is above zero and at most 1,000,000,000, not 0"),
        ("noop=-1", "--mix: the weight of 'noop' is above zero"),
        ("noop=nan", "--mix: the weight of 'noop' is above zero"),
        ("noop=inf", "--mix: the weight of 'noop' is above zero"),
        ("noop=1,align=1,noop=2", "--mix: 'noop' has two weights"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_with_its_place(mix, said):
    with pytest.raises(BadRequest) as refused:
        read_mix(mix)
    assert str(refused.value).startswith(said)


def test_a_name_that_nothing_has_is_guessed_among_workloads_and_actions():
    with pytest.raises(UnknownNameError, match=r"no workload or action named 'genomic'. Did you mean 'genomics'\?  \(owray workloads"):
        weights("genomic=3,noop=1")
    with pytest.raises(UnknownNameError, match="Did you mean 'align'"):
        weights("algin=1")


def test_a_size_holds_for_all_of_a_mix_and_one_of_them_has_to_have_it():
    chosen = choose(StormRequest(mix="align=1,noop=1", size="large"))
    assert [entry.size for entry in chosen.entries(chosen.manifests)] == ["large", "small"]
    with pytest.raises(UnknownNameError, match="no size of align named 'huge'"):
        choose(StormRequest(mix="align=1,noop=1", size="huge"))


def test_a_mix_is_instead_of_a_workload():
    with pytest.raises(BadRequest, match="name what is to be called: one of"):
        StormRequest(mix="noop=1", workload="micro")
    with pytest.raises(BadRequest, match="name what is to be called: one of"):
        StormRequest(mix="noop=1", call=CallRequest(trigger="tick"))
