"""What is loaded when a process begins to serve is no work for the garbage collector."""

import gc

from api_contract import loaded


def test_a_collection_passes_over_what_was_there_before() -> None:
    loaded.leave_uncollected.cache_clear()
    before = gc.get_freeze_count()
    try:
        loaded.leave_uncollected()

        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects()) < 1_000
    finally:
        gc.unfreeze()
        loaded.leave_uncollected.cache_clear()
