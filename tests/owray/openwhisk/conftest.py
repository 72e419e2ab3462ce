"""One platform for all tests of the control plane: each names its actions for itself."""

import asyncio
import itertools

import pytest
from support.platform import running_platform

from owray.openwhisk.client import OpenWhisk

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    with running_platform(tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def ask(platform):
    """Runs a coroutine function with a client of the platform."""

    def run(conversation, target=None):
        async def talk():
            async with OpenWhisk(target or platform.target) as client:
                return await conversation(client)

        return asyncio.run(talk())

    return run


@pytest.fixture
def name():
    """A name that no other test has used."""
    return f"action-{next(_numbers)}"
