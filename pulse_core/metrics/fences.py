"""Since when this process has held its fences."""

from itertools import count

from pulse_core.boottime import boottime

_numbers = count()
_since: dict[int, float] = {}


def taken() -> int:
    """Note a fence; `dropped` is called with what this returns."""
    number = next(_numbers)
    _since[number] = boottime()
    return number


def dropped(number: int) -> None:
    _since.pop(number, None)


def ages() -> list[float]:
    """For how many seconds each has been held."""
    now = boottime()
    return [now - since for since in list(_since.values())]
