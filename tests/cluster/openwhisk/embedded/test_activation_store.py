"""The bounded store of records."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.openwhisk.embedded.activations import OVERHEAD_BYTES, Activations, Stored
from cluster.openwhisk.embedded.counters import Counters

RECORD = b"x" * 600


def stored(number, start, namespace="guest", path="guest/a"):
    return Stored(f"{number:032x}", namespace, path, start, 0, RECORD)


entries = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["guest", "other"]), st.sampled_from("ab")), max_size=60)


@given(entries, st.none() | st.integers(0, 50), st.none() | st.integers(0, 50), st.none() | st.sampled_from(["guest/a", "guest/b"]))
def test_a_selection_is_what_a_scan_of_all_would_give_newest_first(made, since, upto, path):
    activations = Activations(10**9, Counters())
    all_of_them = [stored(number, start, namespace, f"{namespace}/{name}") for number, (start, namespace, name) in enumerate(made)]
    for one in all_of_them:
        activations.add(one)
    selected = list(activations.select("guest", path, since, upto))
    expected = {
        one.activation_id
        for one in all_of_them
        if one.namespace == "guest"
        and path in (None, one.path)
        and (since is None or one.start >= since)
        and (upto is None or one.start <= upto)
    }
    assert {one.activation_id for one in selected} == expected
    assert [one.start for one in selected] == sorted((one.start for one in selected), reverse=True)


def test_the_oldest_are_dropped_when_the_bound_is_reached():
    bound = 100 * (len(RECORD) + OVERHEAD_BYTES)
    activations = Activations(bound, Counters())
    for number in range(1000):
        activations.add(stored(number, number))
        assert len(activations) <= 100
    kept = [one.start for one in activations.select("guest")]
    assert kept == list(range(999, 999 - len(kept), -1))
    assert len(kept) >= 95
    assert activations.get("guest", f"{0:032x}") is None
    assert activations.get("guest", f"{999:032x}") is not None


def test_a_record_is_its_namespaces_own():
    activations = Activations(10**9, Counters())
    activations.add(stored(1, 1))
    assert activations.get("guest", f"{1:032x}") is not None
    assert activations.get("other", f"{1:032x}") is None
