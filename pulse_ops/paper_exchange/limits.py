"""Kite's rate limits, counted by calendar second, minute and day. A refused call counts like any other."""

from collections.abc import Mapping
from threading import Lock

from pulse_ops.paper_exchange.errors import WireError

_SECOND, _MINUTE, _DAY = 1, 60, 86_400
_INDIA_OFFSET = 19_800
_OTHERS: Mapping[str, Mapping[int, int]] = {"quotes": {_SECOND: 1}, "other": {_SECOND: 10}}


class Limits:
    """What was used of each limit. `writes_today` carries the day's count over a restart.

    `orders` are placed, modified and cancelled: at most so many of these calls in a second, a minute and a day.
    """

    def __init__(self, writes_today: int, now: float, most: tuple[int, int, int] = (10, 400, 5000)) -> None:
        self._lock = Lock()
        self._limits = {**_OTHERS, "orders": dict(zip((_SECOND, _MINUTE, _DAY), most, strict=True))}
        self._used: dict[tuple[str, int], tuple[int, int]] = {("orders", _DAY): (_period(now, _DAY), writes_today)}

    def take(self, kind: str, now: float) -> None:
        """Count one request of this kind at `now` (seconds since 1970). Raises WireError 429."""
        with self._lock:
            used = {length: self._count(kind, length, now) for length in self._limits[kind]}
        if any(used[length] > most for length, most in self._limits[kind].items()):
            raise WireError(429, "NetworkException", "Too many requests")

    def _count(self, kind: str, length: int, now: float) -> int:
        period = _period(now, length)
        last_period, used = self._used.get((kind, length), (period, 0))
        used = used + 1 if last_period == period else 1
        self._used[kind, length] = (period, used)
        return used


def _period(now: float, length: int) -> int:
    return (int(now) + _INDIA_OFFSET) // length
