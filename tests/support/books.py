"""What a process remembers of brokers' books, forgotten, as a new process does."""

from collections.abc import Callable

import pytest

from pulse_core.boottime import boottime
from pulse_core.trading.book import look_ups, pace, reading, turns
from pulse_core.trading.slice import reconcile, track


def forget_books(patch: pytest.MonkeyPatch, clock: Callable[[], float] = boottime) -> None:
    """Nothing is remembered of any book, until the patch is undone."""
    patch.setattr(reading, "_last", reading.LastReading())
    patch.setattr(track, "_settled", track.Settled())
    patch.setattr(track, "_missing", track.Missing())
    patch.setattr(reconcile, "_closed", reconcile.Closed(clock))
    patch.setattr(look_ups, "looks", look_ups.LooksOfAccounts())
    patch.setattr(pace, "paces", pace.Paces())


def read_again_at_once(patch: pytest.MonkeyPatch) -> None:
    """Nobody rests after a reading: neither as long as it took, nor by how much of a core that happened to be."""
    patch.setattr(turns, "REST", 0.0)
    patch.setattr(turns, "CPU_REST", 0.0)
