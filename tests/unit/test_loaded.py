"""What is loaded when a process begins to serve is no work for the garbage collector, nor what lives for a moment."""

import gc

from api_contract import loaded


def test_a_collection_passes_over_what_was_there_before() -> None:
    loaded.leave_uncollected.cache_clear()
    before, thresholds = gc.get_freeze_count(), gc.get_threshold()
    try:
        loaded.leave_uncollected()

        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects()) < 1_000
        collected = gc.get_stats()[0]["collections"]
        assert len([[] for _ in range(10_000)]) == 10_000
        assert gc.get_stats()[0]["collections"] <= collected + 1
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        loaded.leave_uncollected.cache_clear()
