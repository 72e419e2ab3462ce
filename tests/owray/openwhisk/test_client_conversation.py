"""The client and a platform understand each other."""

import pytest

from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.target import Target

CODE = "def main(args):\n    if args.get('fail'):\n        return {'error': 'as wished'}\n    return {'seen': args}\n"


def action(code=CODE):
    return {"exec": {"kind": "python:default", "code": code}, "limits": {"memory": 128, "logs": 0}}


def test_a_platform_tells_its_limits_and_its_kinds(ask):
    async def conversation(client):
        await client.ping()
        return await client.info(), await client.api(), await client.limits()

    info, api, limits = ask(conversation)
    assert any(runtime["default"] for runtime in info["runtimes"]["python"])
    assert api["api_version_path"] == "v1"
    assert limits["invocationsPerMinute"] > 0


def test_an_action_is_put_read_called_and_deleted(ask, name):
    async def conversation(client):
        stored = await client.put_action(name, action())
        with_code = await client.get_action(name, code=True)
        without_code = await client.get_action(name)
        called = await client.invoke(name, {"x": 1})
        await client.delete_action(name)
        with pytest.raises(OpenWhiskError) as gone:
            await client.get_action(name)
        return stored, with_code, without_code, called, gone.value

    stored, with_code, without_code, called, gone = ask(conversation)
    assert stored["version"] == "0.0.1"
    assert with_code["exec"]["code"] == CODE
    assert "code" not in without_code["exec"]
    assert called.success
    assert called.result == {"seen": {"x": 1}}
    assert called.cold
    assert gone.status == 404


def test_an_action_that_fails_still_has_a_record(ask, name):
    async def conversation(client):
        await client.put_action(name, action())
        return await client.invoke(name, {"fail": True})

    failed = ask(conversation)
    assert (failed.status, failed.success, failed.result) == ("application error", False, {"error": "as wished"})


def test_a_call_brings_the_answer_as_it_came_unless_there_is_nothing_to_call(ask, name):
    async def conversation(client):
        await client.put_action(name, action())
        answers = [await client.call(name, {"x": 1}), await client.call(name, {"fail": True})]
        with pytest.raises(OpenWhiskError) as missing:
            await client.call(f"{name}-missing")
        return answers, missing.value

    ((fine, record), (failed, refusal)), missing = ask(conversation)
    assert (fine, failed, missing.status) == (200, 502, 404)
    assert b'"seen":{"x":1}' in record
    assert b"as wished" in refusal


def test_a_second_put_needs_to_be_told_to_overwrite(ask, name):
    async def conversation(client):
        await client.put_action(name, action())
        with pytest.raises(OpenWhiskError) as refused:
            await client.put_action(name, action())
        return refused.value, await client.put_action(name, action(), overwrite=True)

    refused, stored = ask(conversation)
    assert refused.status == 409
    assert stored["version"] == "0.0.2"


def test_the_record_of_a_submitted_call_can_be_waited_for(ask, name):
    async def conversation(client):
        await client.put_action(name, action())
        activation_id = await client.submit(name, {"x": 2})
        return activation_id, await client.activation(activation_id, patience_s=20), await client.activations(name=name, limit=5)

    activation_id, record, listed = ask(conversation)
    assert record.id == activation_id
    assert record.result == {"seen": {"x": 2}}
    assert [activation.id for activation in listed] == [activation_id]


def test_a_record_that_never_comes_is_given_up(ask):
    async def conversation(client):
        with pytest.raises(OpenWhiskError) as missing:
            await client.activation("0" * 32, patience_s=0.2)
        return missing.value

    assert ask(conversation).status == 404


def test_a_wrong_key_is_refused(ask, platform):
    async def conversation(client):
        with pytest.raises(OpenWhiskError) as refused:
            await client.limits()
        return refused.value

    stranger = Target(platform.target.api_host, "00000000-0000-0000-0000-000000000000:" + "x" * 64)
    assert ask(conversation, stranger).status == 401
