"""Two hundred calls in a minute of the clock, of any kind, told by the headers of every answer."""

from threading import Lock

from pulse_ops.paper_exchange.alpaca.errors import Refusal

PER_MINUTE = 200
_MINUTE = 60


class MinuteLimit:
    """What is left of the minute. Safe to use from many threads."""

    def __init__(self, most: int = PER_MINUTE) -> None:
        self.most = most
        self._lock = Lock()
        self._minute = 0
        self._used = 0

    def take(self, now: float) -> None:
        """Count a call at `now` (seconds since 1970). Raises Refusal."""
        with self._lock:
            minute = int(now) // _MINUTE
            self._used = self._used + 1 if minute == self._minute else 1
            self._minute = minute
            is_over = self._used > self.most
        if is_over:
            raise Refusal(429, "too many requests.")

    def headers(self) -> dict[str, str]:
        """What an answer says of it."""
        with self._lock:
            return {
                "X-RateLimit-Limit": str(self.most),
                "X-RateLimit-Remaining": str(max(self.most - self._used, 0)),
                "X-RateLimit-Reset": str((self._minute + 1) * _MINUTE),
            }
