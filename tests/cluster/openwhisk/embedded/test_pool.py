"""The container pool's decisions, without a container."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.openwhisk.embedded.config import StemCell
from cluster.openwhisk.embedded.pool import Grant, Need, Pool

USER_MEMORY_MB = 1024


def need(action="a", memory_mb=256, namespace="guest", kind="python:3"):
    return Need((namespace, action.encode()), memory_mb, kind)


def granted(pool, wanted):
    grant = pool.submit(wanted)
    assert grant is not None
    return grant


def idle(pool, count):
    """So many slots of one action, in the order in which they became idle; none of them was given back in the order of its start."""
    slots = [granted(pool, need()).slot for _ in range(count)][::-1]
    for slot in slots:
        pool.give_back(slot, 0)
    return slots


def test_of_up_to_four_idle_slots_the_one_idle_longest_is_used():
    pool = Pool(USER_MEMORY_MB)
    slots = idle(pool, 4)
    for slot in slots * 2:
        grant = granted(pool, need())
        assert grant == Grant(slot, "warmed")
        pool.give_back(slot, 0)


def test_of_more_than_four_idle_slots_some_are_always_preferred_whenever_they_were_used():
    pool = Pool(16 * 256)
    slots = idle(pool, 16)
    order = [granted(pool, need()).slot for _ in slots]
    assert sorted(slot.number for slot in order) == list(range(1, 17))
    assert order not in (slots, slots[::-1])
    for slot in slots:
        pool.give_back(slot, 0)
    for _ in range(5):
        assert granted(pool, need()).slot is order[0]
        pool.give_back(order[0], 0)
    while pool.reserved_mb > 512:
        pool.drop(granted(pool, need()).slot)
    assert granted(pool, need()).slot is order[14], "a map that once was larger does not go back to the order of insertion"


def test_latest_uses_the_slot_that_became_idle_last():
    pool = Pool(16 * 256, "latest")
    slots = idle(pool, 16)
    assert [granted(pool, need()).slot for _ in slots] == slots[::-1]


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


def test_slots_that_nobody_used_since_are_paused_once_and_resumed_before_they_are_used():
    pool = Pool(USER_MEMORY_MB)
    early, late, busy = (granted(pool, need(name)).slot for name in "abc")
    pool.give_back(early, 10)
    pool.give_back(late, 20)
    assert pool.pause(15) == [early]
    assert pool.pause(15) == []
    assert (early.state, late.state, busy.state) == ("paused", "ready", "busy")
    assert pool.reserved_mb == 768
    assert granted(pool, need("a")) == Grant(early, "warmed", paused=True)
    pool.give_back(early, 30)
    assert not granted(pool, need("a")).paused


def test_a_paused_slot_is_evicted_and_expires_like_any_idle_one():
    pool = Pool(512)
    first, second = (granted(pool, need(name)).slot for name in "ab")
    pool.give_back(first, 1)
    pool.give_back(second, 2)
    assert pool.pause(3) == [first, second]
    assert granted(pool, need("c")).evicted == (first,)
    assert pool.expire(3) == [second]


def with_stem_cells(user_memory_mb=USER_MEMORY_MB, count=2, **cell):
    """A pool whose stem cells, of 256 MB for node, are there."""
    pool = Pool(user_memory_mb)
    pool.stems.add("nodejs:20", StemCell("nodejs", count, 256, **cell))
    slots = pool.prewarm(pool.stems.missing_at_start())
    for slot in slots:
        pool.prewarmed(slot, 0)
    return pool, slots


def node(action="n", memory_mb=256):
    return need(action, memory_mb, kind="nodejs:20")


def test_a_stem_cell_serves_the_first_call_of_its_kind_and_memory_and_is_replaced():
    pool, (first, second) = with_stem_cells()
    grant = granted(pool, node())
    assert (grant.slot, grant.start, grant.evicted, grant.paused) == (first, "prewarmed", (), False)
    assert first.need == node()
    assert grant.replacement.state == "starting"
    assert pool.reserved_mb == 768
    pool.give_back(first, 0)
    assert granted(pool, node()) == Grant(first, "warmed")
    assert granted(pool, node("m")).slot is second


@pytest.mark.parametrize("other", [need(), node(memory_mb=128)])
def test_a_stem_cell_of_another_kind_or_memory_is_not_used(other):
    pool, _ = with_stem_cells()
    assert granted(pool, other).start == "cold"


def test_a_stem_cell_that_has_not_started_is_not_used():
    pool = Pool(USER_MEMORY_MB)
    pool.stems.add("nodejs:20", StemCell("nodejs", 1, 256))
    (slot,) = pool.prewarm(pool.stems.missing_at_start())
    assert granted(pool, node()).start == "cold"
    pool.prewarmed(slot, 0)
    assert granted(pool, node()).slot is slot


def test_where_there_is_no_room_a_stem_cell_that_was_taken_is_not_replaced():
    pool, _ = with_stem_cells(user_memory_mb=512)
    grant = granted(pool, node())
    assert (grant.start, grant.replacement) == ("prewarmed", None)
    assert pool.reserved_mb == 512


def test_stem_cells_take_memory_and_are_never_evicted():
    """What the standalone server has room for: two containers of 256 MB beside its stem cells."""
    pool, stems = with_stem_cells()
    first, second = (granted(pool, need(name)).slot for name in "ab")
    assert pool.submit(need("c")) is None
    pool.give_back(first, 0)
    pool.give_back(second, 0)
    assert granted(pool, need("c")).evicted == (first,)
    assert all(slot.state == "prewarmed" for slot in stems)


def test_stem_cells_that_were_lost_or_could_not_be_started_free_their_memory():
    pool, (first, second) = with_stem_cells()
    pool.lose(first)
    assert pool.reserved_mb == 256
    pool.lose(second)
    (again,) = pool.prewarm(pool.stems.missing_after_loss())
    pool.lose(again)
    assert pool.reserved_mb == 0
    assert granted(pool, node()).start == "cold"


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
    while pool.census()["runBuffer"].count:
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
        self.pool.stems.add("python:3", StemCell("python", 1, 256, most=2))
        self.busy = {}
        self.ready = {}
        self.paused = {}
        self.starting = {}
        self.prewarmed = {}
        self.waiting = deque()
        self.tickets = 0
        self.start_stems(self.pool.prewarm(self.pool.stems.missing_at_start()))

    def start_stems(self, slots):
        self.starting.update({slot.number: slot for slot in slots})

    def take(self, wanted, grant):
        number = grant.slot.number
        assert number not in self.busy
        assert (grant.start == "warmed") == (number in self.ready or number in self.paused)
        assert (grant.start == "prewarmed") == (number in self.prewarmed)
        assert grant.paused == (number in self.paused)
        assert grant.slot.need == wanted
        assert grant.slot.state == "busy"
        assert bool(grant.evicted) == (grant.start == "recreated")
        for where in (self.ready, self.paused, self.prewarmed):
            where.pop(number, None)
        for slot in grant.evicted:
            assert (self.ready.pop(slot.number, None) or self.paused.pop(slot.number)) is slot
        if grant.replacement is not None:
            self.start_stems([grant.replacement])
        self.busy[number] = grant.slot

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
    @rule()
    def pause(self):
        for slot in self.pool.pause(1):
            self.paused[slot.number] = self.ready.pop(slot.number)
        assert not self.ready

    @precondition(lambda self: self.ready or self.paused or self.prewarmed or self.starting)
    @rule(data=st.data())
    def lose(self, data):
        numbers = sorted({*self.ready, *self.paused, *self.prewarmed, *self.starting})
        number = data.draw(st.sampled_from(numbers))
        slot = next(where.pop(number) for where in (self.ready, self.paused, self.prewarmed, self.starting) if number in where)
        self.pool.lose(slot)
        self.settle()

    @precondition(lambda self: self.starting)
    @rule()
    def start_one(self):
        number, slot = self.starting.popitem()
        self.pool.prewarmed(slot, 0)
        self.prewarmed[number] = slot
        self.settle()

    @rule()
    def see_to_stems(self):
        for slot in self.pool.expire_prewarmed(10_000):
            del self.prewarmed[slot.number]
        self.start_stems(self.pool.prewarm(self.pool.stems.missing_by_use()))
        assert len(self.starting) + len(self.prewarmed) <= 2
        self.settle()

    @invariant()
    def memory_is_that_of_the_slots(self):
        slots = [slot for where in (self.busy, self.ready, self.paused, self.starting, self.prewarmed) for slot in where.values()]
        assert self.pool.reserved_mb == sum(slot.need.memory_mb for slot in slots)
        assert self.pool.census()["runBuffer"].count == len(self.waiting)

    @invariant()
    def the_census_is_right(self):
        found = {what: (tally.count, tally.memory_mb) for what, tally in self.pool.census().items()}
        needs = {
            "active": [slot.need for slot in self.busy.values()],
            "idles": [slot.need for slot in (*self.ready.values(), *self.paused.values())],
            "prewarm": [slot.need for slot in self.prewarmed.values()],
            "runBuffer": [wanted for _, wanted in self.waiting],
        }
        assert found == {what: (len(several), sum(one.memory_mb for one in several)) for what, several in needs.items()}

    @invariant()
    def nobody_waits_while_only_idle_containers_are_in_the_way(self):
        assert self.busy or self.starting or self.prewarmed or not self.waiting


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
