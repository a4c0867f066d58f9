"""New times for the slices that a pause held up."""

from collections.abc import Sequence
from datetime import datetime, timedelta


def repace(due: Sequence[datetime], now: datetime, interval: timedelta, end_at: datetime) -> list[datetime | None]:
    """New times for slices in their sequence, None for each that no longer fits into the window.

    What was missed goes out from `now` on, in order and one planned interval apart; the slices after it keep their
    times as soon as these are late enough.
    """
    times: list[datetime | None] = []
    earliest, is_held_up = now, True
    for planned in due:
        is_held_up = is_held_up and planned < earliest
        time = earliest if is_held_up else planned
        earliest = time + interval
        times.append(time if time <= end_at else None)
    return times
