"""Real platform processes, each with a client."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.api import Api, serving


@pytest.fixture(scope="session")
def new_platform(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., contextlib.AbstractContextManager[Api]]:
    """Start a platform of one's own: `with new_platform("standalone", user_memory_mb=512) as api`."""
    return lambda profile="bench", **overrides: serving(tmp_path_factory.mktemp("platform"), profile, **overrides)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The platform of all tests that need nothing special: profile bench."""
    with serving(tmp_path_factory.mktemp("platform")) as shared:
        yield shared


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One with room for two containers of 256 MB."""
    with serving(tmp_path_factory.mktemp("platform"), user_memory_mb=512) as shared:
        yield shared


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"a{uuid.uuid4().hex[:12]}"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that is not there yet; at the end it is, so that no action waits for ever."""
    path = tmp_path / "gate"
    yield path
    path.touch()


@pytest.fixture(scope="session")
def file_logs(new_platform: Callable[..., contextlib.AbstractContextManager[Api]]) -> Iterator[Api]:
    """One that keeps logs as a cluster does: profile helm."""
    with new_platform("helm", invocations_per_minute=99_999) as shared:
        yield shared
