"""What tests of whole storms share: one lab for all of them, since bringing one up takes seconds."""

import pytest
from support.labs import running_lab


@pytest.fixture(scope="session")
def lab_home(tmp_path_factory):
    """An OWRAY_HOME in which a lab is up. Tests may damage it and bring it up again; so they look it up anew (support.storms.lab_of)."""
    home = tmp_path_factory.mktemp("storms") / "home"
    with running_lab(home, "local"):
        yield home
