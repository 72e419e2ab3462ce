"""Deploying changes what has to change and keeps warm what has not."""

import asyncio
from dataclasses import replace

import pytest

from owray.openwhisk.catalogue import catalogue, find
from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.deploy import deploy, deploy_all, digest, is_supported


@pytest.mark.parametrize("action", catalogue())
def test_what_is_not_there_is_created_and_answers_as_expected(ask, name, action):
    manifest = find(action)
    parameters, checksum = manifest.variants("small")[0]

    async def conversation(client):
        if not is_supported(manifest, await client.info()):
            pytest.skip(f"this machine has no {manifest.kind.partition(':')[0]} (Debian: nodejs)")
        return await deploy(client, manifest, name), await client.invoke(name, parameters)

    deployed, called = ask(conversation)
    assert (deployed.path, deployed.changed, deployed.version) == (name, True, "0.0.1")
    assert deployed.kind.partition(":")[0] == manifest.kind.partition(":")[0]
    assert deployed.kind == called.kind != manifest.kind
    assert called.result["checksum"] == checksum
    assert called.result["ok"]


def test_a_second_deployment_leaves_warm_containers_warm(ask, name):
    async def conversation(client):
        await deploy(client, find("noop"), name)
        first = await client.invoke(name)
        again = await deploy(client, find("noop"), name)
        return first, again, await client.invoke(name)

    first, again, second = ask(conversation)
    assert (again.changed, again.version) == (False, "0.0.1")
    assert first.cold
    assert not second.cold
    assert second.result["k"] == 2


@pytest.mark.parametrize("change", [{"memory_mb": 256}, {"timeout_ms": 7000}, {"logs_mb": 1}, {"code": "def main(args):\n    return {}\n"}])
def test_a_changed_action_is_deployed_anew(ask, name, change):
    async def conversation(client):
        await deploy(client, find("noop"), name)
        return await deploy(client, replace(find("noop"), **change), name)

    deployed = ask(conversation)
    assert (deployed.changed, deployed.version) == (True, "0.0.2")


def test_two_who_deploy_the_same_at_once_have_one_action(ask, name):
    async def conversation(client):
        return await asyncio.gather(*(deploy(client, find("noop"), name) for _ in range(8)))

    deployed = ask(conversation)
    assert {one.version for one in deployed} == {"0.0.1"}
    assert [one.changed for one in deployed].count(True) == 1


def test_a_change_of_words_is_no_change_of_the_action(ask, name):
    async def conversation(client):
        await deploy(client, find("noop"), name)
        return await deploy(client, replace(find("noop"), description="does less", weight=9.0), name)

    assert not ask(conversation).changed


def test_code_changed_behind_owrays_back_is_put_right(ask, name):
    async def conversation(client):
        await deploy(client, find("noop"), name)
        await client.put_action(name, {"exec": {"kind": "python:default", "code": "def main(args):\n    return {}\n"}}, overwrite=True)
        return await deploy(client, find("noop"), name), await client.get_action(name, code=True)

    deployed, present = ask(conversation)
    assert deployed.changed
    assert present["exec"]["code"] == find("noop").code


def test_an_action_of_somebody_else_is_not_touched(ask, name):
    theirs = {"exec": {"kind": "python:default", "code": "def main(args):\n    return {'theirs': True}\n"}}

    async def conversation(client):
        await client.put_action(name, theirs)
        with pytest.raises(OpenWhiskError, match=f"'{name}' is there already, and owray did not make it"):
            await deploy(client, find("noop"), name)
        untouched = await client.invoke(name)
        return untouched, await deploy(client, find("noop"), name, overwrite_foreign=True)

    untouched, forced = ask(conversation)
    assert untouched.result == {"theirs": True}
    assert forced.changed


def test_several_actions_are_deployed_at_once_in_the_order_given(ask):
    actions = [catalogue()[name] for name in ("sleep", "noop", "align")]

    async def conversation(client):
        return await deploy_all(client, actions), await deploy_all(client, actions)

    first, second = ask(conversation)
    assert [deployed.path for deployed in first] == ["sleep", "noop", "align"]
    assert all(deployed.changed for deployed in first)
    assert not any(deployed.changed for deployed in second)


def test_when_one_of_several_fails_the_others_are_still_deployed(ask, name):
    good, bad = replace(find("noop"), name=name), replace(find("noop"), name=f"{name}-bad", kind="cobol:1959")

    async def conversation(client):
        with pytest.raises(OpenWhiskError, match="cobol:1959"):
            await deploy_all(client, [bad, good])
        return await client.get_action(name)

    assert ask(conversation)["name"] == name


def test_a_platform_says_by_its_runtimes_whether_it_can_run_an_action(ask):
    info = ask(lambda client: client.info())
    assert is_supported(find("align"), info)
    assert is_supported(replace(find("align"), kind=info["runtimes"]["python"][0]["kind"]), info)
    assert not is_supported(replace(find("align"), kind="python:2.7"), info)
    assert not is_supported(replace(find("align"), kind="cobol:default"), info)
    assert is_supported(find("align"), {})


def test_the_digest_covers_what_is_deployed_and_nothing_else():
    noop = find("noop")
    assert digest(noop) == digest(replace(noop, weight=3.0, description="", sizes={}))
    others = [replace(noop, **change) for change in ({"code": "x = 1"}, {"kind": "python:3.11"}, {"main": "run"}, {"memory_mb": 512})]
    assert len({digest(manifest) for manifest in (noop, *others)}) == 5
