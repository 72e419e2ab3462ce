"""Storms against a gateway that keeps its own log."""

import pytest
from support.storms import scripted_gateway


@pytest.fixture
def gateway(tmp_path):
    """Answers each call after 50 ms: so there is always something under way."""
    with scripted_gateway(tmp_path, {"steps": [{"delay_ms": 50}]}) as witness:
        yield witness


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"
