"""Service tokens that were used up: one that changes something is good for one call.

The memory is that of this process. With several processes a replay can reach each of them once; it is still bound to
the same request, and what an order's unique key or a status makes harmless stays harmless.
"""

from collections import OrderedDict
from threading import Lock


class UsedTokens:
    """Remembers ids until their tokens expire; the oldest are dropped beyond `limit`."""

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._lock = Lock()
        self._expiries: OrderedDict[str, float] = OrderedDict()

    def use(self, jti: str, expires_at: float, now: float) -> bool:
        """Use a token up; False when it was used before. Instants are seconds since the epoch."""
        with self._lock:
            self._forget(now)
            if jti in self._expiries:
                return False
            self._expiries[jti] = expires_at
            return True

    def __len__(self) -> int:
        return len(self._expiries)

    def _forget(self, now: float) -> None:
        # Lifetimes differ by less than a minute, so the first ones are about the first to expire.
        while self._expiries:
            jti, expires_at = next(iter(self._expiries.items()))
            if expires_at > now and len(self._expiries) < self._limit:
                return
            del self._expiries[jti]
