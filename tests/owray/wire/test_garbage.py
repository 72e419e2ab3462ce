"""The collector during a storm: what was there is frozen, pauses are counted, and afterwards all is as before."""

import gc

from owray.wire.garbage import QuietCollector


def test_what_exists_is_frozen_and_thawed_again():
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    collector = QuietCollector()
    collector.freeze()
    try:
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > thresholds[0]
    finally:
        collector.thaw()
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == thresholds
    assert gc.callbacks == callbacks


def test_every_collection_in_between_is_counted_with_its_length():
    times_ns = iter(range(0, 10**9, 5_000_000))
    collector = QuietCollector(lambda: next(times_ns))
    gc.collect()
    collector.freeze()
    try:
        gc.collect()
        gc.collect()
    finally:
        collector.thaw()
    gc.collect()
    assert (collector.pauses.count, collector.pauses.longest_us, collector.pauses.total_us) == (2, 5000, 10_000)
