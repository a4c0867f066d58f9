"""Kite's rate limits, counted by calendar second, minute and day."""

from collections.abc import Mapping
from threading import Lock

from pulse_ops.paper_exchange.errors import WireError

_SECOND, _MINUTE, _DAY = 1, 60, 86_400
_INDIA_OFFSET = 19_800
_LIMITS: Mapping[str, Mapping[int, int]] = {
    "orders": {_SECOND: 10, _MINUTE: 400, _DAY: 5000},
    "quotes": {_SECOND: 1},
    "other": {_SECOND: 10},
}


class Limits:
    """What was used of each limit. `orders_today` carries the day's count over a restart."""

    def __init__(self, orders_today: int, now: float) -> None:
        self._lock = Lock()
        self._used: dict[tuple[str, int], tuple[int, int]] = {("orders", _DAY): (_period(now, _DAY), orders_today)}

    def take(self, kind: str, now: float) -> None:
        """Count one request of this kind at `now` (seconds since 1970). Raises WireError 429."""
        with self._lock:
            for length, most in _LIMITS[kind].items():
                period = _period(now, length)
                last_period, used = self._used.get((kind, length), (period, 0))
                used = used + 1 if last_period == period else 1
                self._used[kind, length] = (period, used)
                if used > most:
                    raise WireError(429, "NetworkException", "Too many requests")


def _period(now: float, length: int) -> int:
    return (int(now) + _INDIA_OFFSET) // length
