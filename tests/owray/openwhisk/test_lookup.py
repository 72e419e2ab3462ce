"""What is there is found, and what is not is helped with."""

import asyncio
from dataclasses import replace

import pytest

from owray.openwhisk.catalogue import UnknownNameError
from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.lookup import look_up

ACTION = {"exec": {"kind": "python:default", "code": "def main(args):\n    return {}\n"}}


@pytest.fixture
def there(ask, name):
    """An action of a name that no other test uses."""
    ask(lambda client: client.put_action(name, ACTION))
    return name


def found(platform, collection, path, namespace=""):
    return asyncio.run(look_up(platform.target, collection, path, namespace))


def test_an_action_is_found_in_the_keys_own_namespace_however_that_is_named(platform, there):
    for namespace in ("", "_", "guest"):
        assert found(platform, "actions", there, namespace)["name"] == there


def test_the_code_is_not_fetched(platform, there):
    assert "code" not in found(platform, "actions", there)["exec"]


def test_a_mistyped_action_is_recognised(platform, there):
    with pytest.raises(UnknownNameError) as caught:
        found(platform, "actions", f"{there}x")
    text = str(caught.value)
    assert text.startswith(f"no action in /_ on {platform.target.api_host} named '{there}x'. Did you mean '{there}'")
    assert text.endswith("  (wsk action list shows what is there)")


def test_a_trigger_that_is_not_there_is_said_so(platform):
    with pytest.raises(UnknownNameError, match=r"no trigger in /_ on .* named 'tock'\.  \(wsk trigger list shows what is there\)"):
        found(platform, "triggers", "tock")


def test_the_nearest_of_many_is_found_beyond_the_first_list(platform, ask, name):
    async def fill(client):
        await client.put_action(f"{name}-first", ACTION)
        await asyncio.gather(*(client.put_action(f"{name}-{number:03}", ACTION) for number in range(210)))

    ask(fill)
    with pytest.raises(UnknownNameError, match=f"Did you mean '{name}-first'"):
        found(platform, "actions", f"{name}-frist")


def test_other_refusals_are_the_platforms_own(platform, there):
    with pytest.raises(OpenWhiskError, match="403"):
        found(platform, "actions", there, "somebody")
    with pytest.raises(OpenWhiskError, match="401"):
        asyncio.run(look_up(replace(platform.target, auth="no:key"), "actions", there))
