"""What the tests of actions share."""

import importlib.util
from pathlib import Path

import pytest

from owray.openwhisk.catalogue import catalogue

ACTIONS = Path(__file__).parents[2] / "actions"


@pytest.fixture(scope="session")
def load_action():
    """Imports a Python action afresh, as a container does."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"fresh_{name}", ACTIONS / name / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def manifests():
    return catalogue()


@pytest.fixture(scope="session")
def source_of(manifests):
    """The source file of an action."""
    return lambda name: ACTIONS / name / (f"{name}.js" if manifests[name].kind.startswith("nodejs") else f"{name}.py")
