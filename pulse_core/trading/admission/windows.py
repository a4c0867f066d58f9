"""The arithmetic of rate limits: when a call more leaves every window as it must be.

Instants are whole microseconds from any common start, so that sums are exact.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """At most `most` calls in any stretch of `length` microseconds, its end not counted."""

    most: int
    length: int


def earliest(at: int, taken: Sequence[int], windows: Sequence[Window]) -> int:
    """The earliest instant from `at` on at which one more call keeps all windows; `taken` is in order of time."""
    while (later := max((_barred_until(at, taken, window) for window in windows), default=at)) > at:
        at = later
    return at


def count_within(taken: Sequence[int], start: int, end: int) -> int:
    """How many calls lie from `start` on, before `end`."""
    return bisect_left(taken, end) - bisect_left(taken, start)


def _barred_until(at: int, taken: Sequence[int], window: Window) -> int:
    """`at`, or the first instant that is free of every run of calls which one at `at` would make too dense."""
    place = bisect_left(taken, at)
    free = at
    # With it, calls number `first` to `first + most` must not lie within one window.
    for first in range(max(0, place - window.most), min(place, len(taken) - window.most) + 1):
        last = first + window.most
        starts = taken[first] if first < place else at
        ends = taken[last - 1] if last > place else at
        if ends - starts < window.length:
            # Up to there the run stays too dense, on whichever side of its calls this one stands.
            free = max(free, taken[first] + window.length)
    return free
