"""The bounded store of records."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cluster.openwhisk.embedded.activations import OVERHEAD_BYTES, Activations, Stored
from cluster.openwhisk.embedded.counters import Counters

RECORD = b"x" * 600


def stored(number, start, namespace="guest", path="guest/a"):
    return Stored(f"{number:032x}", namespace, path, start, 0, RECORD)


ALL = 10**9

entries = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["guest", "other"]), st.sampled_from(["a", "p/a"])), max_size=60)
instants = st.none() | st.integers(0, 50)


@given(
    entries,
    instants,
    instants,
    st.sampled_from(["guest", "guest/a", "other/p/a", "nobody"]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_a_selection_is_what_a_scan_of_all_would_give_newest_first(made, since, upto, place, skip, limit, full):
    counters = Counters()
    activations = Activations(30 * (len(RECORD) + OVERHEAD_BYTES) if full else 10**9, counters)
    for number, (start, namespace, name) in enumerate(made):
        activations.add(stored(number, start, namespace, f"{namespace}/{name}"))
    kept = [one for one in (activations.get(made[number][1], f"{number:032x}") for number in range(len(made))) if one]
    assert (len(kept), counters.records_dropped) == (len(activations), len(made) - len(activations))
    matching = sorted(
        (
            one
            for one in kept
            if place in (one.namespace, one.path) and (since is None or one.start >= since) and (upto is None or one.start <= upto)
        ),
        key=lambda one: one.start,  # stable: of two that started together the one that came later is the newer
    )[::-1]
    assert activations.count(place, since, upto) == len(matching)
    assert activations.select(place, since, upto, skip=skip, limit=limit) == matching[skip : skip + limit]


def test_the_oldest_are_dropped_when_the_bound_is_reached():
    bound = 100 * (len(RECORD) + OVERHEAD_BYTES)
    counters = Counters()
    activations = Activations(bound, counters)
    for number in range(1000):
        activations.add(stored(number, number))
        assert len(activations) <= 100
        assert activations.bytes_kept <= bound
    kept = [one.start for one in activations.select("guest", None, None, skip=0, limit=ALL)]
    assert kept == list(range(999, 999 - len(kept), -1))
    assert len(kept) >= 95
    assert counters.records_dropped == 1000 - len(kept)
    assert activations.get("guest", f"{0:032x}") is None
    assert activations.get("guest", f"{999:032x}") is not None


@given(st.lists(st.integers(0, 50_000), max_size=80))
def test_the_bound_holds_whatever_the_sizes(sizes):
    activations = Activations(40_000, Counters())
    for number, size in enumerate(sizes):
        activations.add(msgspec.structs.replace(stored(number, number), record=b"x" * size))
        assert activations.bytes_kept <= 40_000


def test_nothing_is_left_of_an_action_whose_records_are_gone():
    activations = Activations(100 * (len(RECORD) + OVERHEAD_BYTES), Counters())
    for number in range(1000):
        activations.add(stored(number, number, path=f"guest/a{number}"))
    assert len(activations._by_place) == len(activations) + 1


def test_a_record_is_its_namespaces_own():
    activations = Activations(10**9, Counters())
    activations.add(stored(1, 1))
    assert activations.get("guest", f"{1:032x}") is not None
    assert activations.get("other", f"{1:032x}") is None
