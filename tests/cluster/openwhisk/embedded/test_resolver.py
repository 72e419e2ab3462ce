"""What is called is made once, and made anew only when something changes that it was made of."""

import msgspec
import pytest

from cluster.openwhisk.embedded.answers import Refused
from cluster.openwhisk.embedded.config import PUBLIC_GUEST, Knobs
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.entity import Name, Pair
from cluster.openwhisk.embedded.limits import default_limits
from cluster.openwhisk.embedded.packages import Binding, Package
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.sequences import Sequence

COMMON = {"namespace": "guest", "version": "0.0.1", "publish": False, "annotations": (), "updated": 0, "parameters": ()}
ACTION = Sequence(name="a", components=(Name("guest", None, "b"),), limits=default_limits(Knobs()), **COMMON)
PROVIDER = Package(name="provider", binding=None, **COMMON)
BOUND = Package(name="bound", binding=Binding("guest", "provider"), **COMMON)


@pytest.fixture
def entities():
    entities = Entities()
    for entity in (PROVIDER, BOUND, ACTION, msgspec.structs.replace(ACTION, namespace="guest/provider")):
        entities.put(entity)
    return entities


@pytest.mark.parametrize("names", [("a",), ("provider", "a"), ("bound", "a")])
def test_a_change_of_something_else_makes_nothing_anew(entities, names):
    resolver = Resolver(entities)
    before = resolver.callee(PUBLIC_GUEST, "guest", names)
    entities.put(msgspec.structs.replace(ACTION, name="other"))
    assert resolver.callee(PUBLIC_GUEST, "guest", names) is before


@pytest.mark.parametrize("changed", [PROVIDER, BOUND, msgspec.structs.replace(ACTION, namespace="guest/provider")])
def test_a_change_of_the_action_or_of_a_package_on_the_way_makes_it_anew(entities, changed):
    resolver = Resolver(entities)
    before = resolver.callee(PUBLIC_GUEST, "guest", ("bound", "a"))
    entities.put(msgspec.structs.replace(changed, parameters=(Pair("x", 1),)))
    after = resolver.callee(PUBLIC_GUEST, "guest", ("bound", "a"))
    assert after is not before
    assert resolver.callee(PUBLIC_GUEST, "guest", ("bound", "a")) is after


def test_what_was_deleted_is_found_no_more_and_not_kept(entities):
    resolver = Resolver(entities)
    resolver.callee(PUBLIC_GUEST, "guest", ("a",))
    entities.delete("guest/a", Sequence)
    with pytest.raises(Refused, match="does not exist"):
        resolver.callee(PUBLIC_GUEST, "guest", ("a",))
