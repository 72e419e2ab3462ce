"""A process takes all the descriptors that it may have."""

import resource
from pathlib import Path

import pytest

from owray.http1.descriptors import connections_left, raise_descriptor_limit


@pytest.fixture
def hard():
    """The hard limit, of which a process was given a part; afterwards all is as before."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] // 2, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_becomes_the_hard_one(hard):
    assert raise_descriptor_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_connections_have_what_is_left_of_it(hard):
    left = connections_left()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    with Path("/dev/null").open():
        assert connections_left() == left - 1
    assert hard // 2 < left < hard
