"""How many stem cells there are to be, by the rules alone."""

import pytest

from cluster.openwhisk.embedded.config import ConfigError, Knobs, StemCell
from cluster.openwhisk.embedded.pool import Need, Pool

SHIPPED = StemCell("nodejs", 2, 256)
TTL_S = 120


def call(action="a"):
    return Need(("guest", action.encode()), 256, "nodejs:20")


def grown(cell, user_memory_mb=8192):
    """A pool with this line of stem cells, just after its start."""
    pool = Pool(user_memory_mb)
    pool.stems.add("nodejs:20", cell)
    ready(pool, pool.prewarm(pool.stems.missing_at_start()))
    return pool


def ready(pool, slots, now_s=0):
    for slot in slots:
        pool.prewarmed(slot, now_s)


def upkeep(pool, now_s):
    """How many went, and how many were made."""
    gone = len(pool.expire_prewarmed(now_s))
    new = pool.prewarm(pool.stems.missing_by_use())
    ready(pool, new, now_s)
    return gone, len(new)


def test_nothing_is_missing_where_all_are_there_or_on_their_way():
    pool = Pool(8192)
    pool.stems.add("nodejs:20", SHIPPED)
    slots = pool.prewarm(pool.stems.missing_at_start())
    assert len(slots) == 2
    assert pool.stems.missing_at_start() == []
    ready(pool, slots)
    assert pool.stems.missing_at_start() == []


def test_those_that_nobody_took_shrink_to_the_least():
    pool = grown(SHIPPED)
    assert upkeep(pool, TTL_S - 1) == (0, 0)
    assert upkeep(pool, TTL_S + 1) == (2, 1)
    assert pool.reserved_mb == 256


@pytest.mark.parametrize(("cold_starts", "expected"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 4), (60, 5)])
def test_cold_starts_since_the_last_upkeep_ask_for_more_in_steps_up_to_the_most(cold_starts, expected):
    pool = grown(StemCell("nodejs", 0, 256, least=1, most=5, threshold=3, increment=2))
    slots = [pool.submit(call(str(number))).slot for number in range(min(cold_starts, 20))]
    pool.stems.line(call()).cold_starts = cold_starts
    for slot in slots:
        pool.drop(slot)
    assert upkeep(pool, 600) == (0, expected)
    assert upkeep(pool, 600 + TTL_S + 1) == (expected, 1), "the cold starts before the last upkeep count no more"


def test_calls_that_found_no_stem_cell_count_as_cold_whether_others_had_to_go_or_not():
    pool = grown(SHIPPED, user_memory_mb=1280)
    grants = [pool.submit(call(action)) for action in "abc"]
    assert [grant.start for grant in grants] == ["prewarmed", "prewarmed", "cold"]
    pool.give_back(grants[0].slot, 0)
    assert pool.submit(call("d")).start == "recreated"
    assert pool.stems.line(call()).cold_starts == 2


def test_after_a_loss_there_is_the_least_again_at_once():
    pool = grown(StemCell("nodejs", 3, 256, least=2))
    (first, second, third) = pool.stems.line(call()).ready
    pool.lose(first)
    assert pool.stems.missing_after_loss() == []
    pool.lose(second)
    pool.lose(third)
    assert len(pool.stems.missing_after_loss()) == 2


def test_without_a_time_to_live_there_are_always_as_many_as_at_the_start():
    pool = grown(StemCell("nodejs", 2, 256, ttl_ms=0))
    assert upkeep(pool, 1_000_000) == (0, 0)
    pool.lose(next(iter(pool.stems.line(call()).ready)))
    assert len(pool.stems.missing_after_loss()) == 1
    assert upkeep(pool, 1_000_000) == (0, 1)


def test_one_upkeep_removes_a_hundred_at_most_the_oldest_first():
    pool = Pool(256 * 200)
    pool.stems.add("nodejs:20", StemCell("nodejs", 150, 256, most=150))
    slots = pool.prewarm(pool.stems.missing_at_start())
    for age, slot in enumerate(slots[::-1]):
        pool.prewarmed(slot, age)
    assert pool.expire_prewarmed(1000) == slots[::-1][:100]


def test_no_more_are_made_than_there_is_room_for():
    pool = grown(StemCell("nodejs", 10, 256), user_memory_mb=1000)
    assert pool.reserved_mb == 768


@pytest.mark.parametrize("wrong", [{"count": -1}, {"threshold": 0}, {"least": 5}, {"ttl_ms": -1}])
def test_a_line_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match="least is not above most"):
        StemCell(**{"family": "nodejs", "count": 2, "memory_mb": 256} | wrong)


def test_stem_cells_that_leave_no_room_for_an_action_are_refused():
    with pytest.raises(ConfigError, match="set user_memory_mb to at least 1024, or have fewer stem_cells"):
        Knobs(user_memory_mb=1023)
    assert Knobs(user_memory_mb=512, stem_cells=())


def test_there_is_one_line_of_a_family_and_a_memory():
    with pytest.raises(ConfigError, match="two lines of one family and memory"):
        Knobs(user_memory_mb=4096, stem_cells=(SHIPPED, SHIPPED))
    assert Knobs(user_memory_mb=4096, stem_cells=(SHIPPED, StemCell("nodejs", 2, 512)))


@pytest.mark.parametrize("name", ["pause_grace_ms", "idle_container_ms", "prewarm_upkeep_ms", "start_timeout_ms"])
def test_times_are_more_than_nothing(name):
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        Knobs(**{name: 0})
