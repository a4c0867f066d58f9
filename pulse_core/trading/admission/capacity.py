"""How many slices a broker's account takes in a stretch of time, and how many of them one user may count on."""

from collections.abc import Iterable

from pulse_core.trading.admission.limits import SECOND, Limits


def capacity(limits: Limits, seconds: float, left_of_days: int | None) -> int:
    """The most placements that keep every window; `left_of_days`: how many the days have room for, None: any number.

    A stretch that is no longer than a window takes all that the window allows.
    """
    length = int(seconds * SECOND)
    most = min(one.most * (length // one.length + 1) for one in limits.of_placements())
    return most if left_of_days is None else min(most, left_of_days)


def share(most: int, others: Iterable[int]) -> int:
    """What one of several users can get of `most` if each other one wants so many.

    Turns go from user to user: who wants less than an equal share gets it all and leaves the rest to those who want
    more, in equal parts.
    """
    left, users = most, 1
    wanted = sorted(others)
    users += len(wanted)
    for one in wanted:
        if one > left // users:
            break
        left -= one
        users -= 1
    return left // users
