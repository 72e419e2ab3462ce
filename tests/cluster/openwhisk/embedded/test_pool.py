"""The container pool's decisions, without a container."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.openwhisk.embedded.pool import Need, Pool

USER_MEMORY_MB = 1024


def need(action="a", memory_mb=256, namespace="guest"):
    return Need((namespace, action.encode()), memory_mb)


def granted(pool, wanted):
    grant = pool.submit(wanted)
    assert grant is not None
    return grant


def test_a_ready_slot_of_the_same_binding_is_used_the_last_used_first():
    pool = Pool(USER_MEMORY_MB)
    first, second = granted(pool, need()).slot, granted(pool, need()).slot
    pool.give_back(second, 0)
    pool.give_back(first, 0)
    grant = granted(pool, need())
    assert (grant.slot, grant.start, grant.evicted) == (first, "warmed", ())


@pytest.mark.parametrize("other", [need("b"), need(namespace="other")])
def test_a_slot_of_another_action_or_namespace_is_not_shared(other):
    pool = Pool(USER_MEMORY_MB)
    slot = granted(pool, need()).slot
    pool.give_back(slot, 0)
    grant = granted(pool, other)
    assert grant.start == "cold"
    assert grant.slot is not slot


def test_with_memory_full_the_least_recently_granted_slot_goes_whenever_it_became_ready():
    pool = Pool(512)
    old, new = granted(pool, need("a")).slot, granted(pool, need("b")).slot
    pool.give_back(new, 1)
    pool.give_back(old, 2)
    grant = granted(pool, need("c"))
    assert (grant.start, grant.evicted) == ("recreated", (old,))
    assert pool.reserved_mb == 512


def test_with_mixed_sizes_more_may_go_than_must_and_memory_may_be_over_committed():
    pool = Pool(1024)
    ready = [granted(pool, need(str(index), 128)).slot for index in range(4)]
    granted(pool, need("busy", 256))
    for slot in ready:
        pool.give_back(slot, 0)
    # 256 MB are free and 512 are wanted: 256 more would do, but what is free already is not counted.
    assert granted(pool, need("large", 512)).evicted == tuple(ready)
    pool = Pool(512)
    small = granted(pool, need("small", 128)).slot
    granted(pool, need("busy", 256))
    pool.give_back(small, 0)
    assert granted(pool, need("large", 512)).evicted == (small,)
    assert pool.reserved_mb == 256 + 512


def test_while_one_waits_all_wait_even_for_a_slot_that_is_ready():
    pool = Pool(512)
    busy, small = granted(pool, need("busy", 384)).slot, granted(pool, need("small", 128)).slot
    large = need("large", 512)
    assert pool.submit(large) is None
    pool.wait(large, "large")
    assert pool.submit(need("small", 128)) is None
    pool.wait(need("small", 128), "small")
    pool.give_back(small, 0)
    ((ticket, grant),) = pool.settle()  # the head takes the room of the very slot that the next is after
    assert (ticket, grant.evicted) == ("large", (small,))
    pool.drop(busy)
    assert list(pool.settle()) == []
    pool.drop(grant.slot)
    assert [(ticket, grant.start) for ticket, grant in pool.settle()] == [("small", "cold")]


def test_slots_that_nobody_used_for_long_expire():
    pool = Pool(USER_MEMORY_MB)
    early, late, busy = (granted(pool, need(name)).slot for name in "abc")
    pool.give_back(early, 10)
    pool.give_back(late, 20)
    assert pool.expire(15) == [early]
    assert pool.reserved_mb == 512
    assert granted(pool, need("b")).slot is late
    assert busy not in pool.expire(100)


def test_a_lost_slot_is_not_found_again():
    pool = Pool(USER_MEMORY_MB)
    slot = granted(pool, need()).slot
    pool.give_back(slot, 0)
    pool.lose(slot)
    assert pool.reserved_mb == 0
    assert granted(pool, need()).start == "cold"


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_the_buffer_is_first_in_first_out(actions):
    pool = Pool(256)
    slot = granted(pool, need("first")).slot
    for number, action in enumerate(actions):
        assert pool.submit(need(action)) is None
        pool.wait(need(action), number)
    served = []
    while pool.waiting:
        pool.give_back(slot, 0)
        ((ticket, grant),) = pool.settle()
        served.append(ticket)
        slot = grant.slot
    assert served == list(range(len(actions)))


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Whatever comes in whatever order: nobody is forgotten, no slot is given twice, no memory is lost count of."""

    def __init__(self):
        super().__init__()
        self.pool = Pool(USER_MEMORY_MB)
        self.busy = {}
        self.ready = {}
        self.waiting = deque()
        self.tickets = 0

    def take(self, wanted, grant):
        assert grant.slot.number not in self.busy
        assert (grant.start == "warmed") == (grant.slot.number in self.ready)
        assert grant.slot.need == wanted
        assert bool(grant.evicted) == (grant.start == "recreated")
        self.ready.pop(grant.slot.number, None)
        for slot in grant.evicted:
            del self.ready[slot.number]
        self.busy[grant.slot.number] = grant.slot

    def settle(self):
        for ticket, grant in self.pool.settle():
            expected, wanted = self.waiting.popleft()
            assert ticket == expected
            self.take(wanted, grant)

    @rule(action=st.sampled_from("abcd"), memory_mb=st.sampled_from([128, 256, 512]))
    def submit(self, action, memory_mb):
        wanted = need(f"{action}{memory_mb}", memory_mb)
        grant = self.pool.submit(wanted)
        if grant is not None:
            assert not self.waiting
            self.take(wanted, grant)
        else:
            self.tickets += 1
            self.pool.wait(wanted, self.tickets)
            self.waiting.append((self.tickets, wanted))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), keep=st.booleans())
    def end(self, data, keep):
        slot = self.busy.pop(data.draw(st.sampled_from(sorted(self.busy))))
        if keep:
            self.ready[slot.number] = slot
            self.pool.give_back(slot, 0)
        else:
            self.pool.drop(slot)
        self.settle()

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def lose(self, data):
        self.pool.lose(self.ready.pop(data.draw(st.sampled_from(sorted(self.ready)))))
        self.settle()

    @invariant()
    def memory_is_that_of_the_slots(self):
        slots = [*self.busy.values(), *self.ready.values()]
        assert self.pool.reserved_mb == sum(slot.need.memory_mb for slot in slots)
        assert self.pool.waiting == len(self.waiting)

    @invariant()
    def the_census_is_right(self):
        found = {what: (tally.count, tally.memory_mb) for what, tally in self.pool.census().items()}
        needs = {
            "active": [slot.need for slot in self.busy.values()],
            "idles": [slot.need for slot in self.ready.values()],
            "runBuffer": [wanted for _, wanted in self.waiting],
        }
        assert found == {what: (len(several), sum(one.memory_mb for one in several)) for what, several in needs.items()}

    @invariant()
    def nobody_waits_while_nothing_runs(self):
        assert self.busy or not self.waiting


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
