"""New times for the slices that a pause or a hold kept back."""

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


# However much was missed, no more of it goes out in an interval than this many times what was planned.
MOST_OF_PLAN = 3
A_TRIFLE = timedelta(milliseconds=1)


def spread(due: Sequence[datetime], now: datetime, interval: timedelta, end_at: datetime) -> list[datetime | None]:
    """New times for slices in their sequence, as many as the window can still hold without a burst.

    Re-paced where that loses none of them. Otherwise evenly over what is left of the window, down to a third of the
    planned interval apart; None for each that does not fit even so.
    """
    times = repace(due, now, interval, end_at)
    if None not in times:
        return times
    evenly = (end_at - now) / max(len(due) - 1, 1)
    apart = max(evenly, interval / MOST_OF_PLAN)
    spread_out = (now + apart * index for index in range(len(due)))
    # The last one may be a microsecond off.
    return [min(time, end_at) if time - end_at <= A_TRIFLE else None for time in spread_out]
