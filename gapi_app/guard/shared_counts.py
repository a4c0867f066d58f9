"""How often each budget was used: counted in memory, and added up with other gateways through Redis.

A request never waits for Redis. A thread hands over what was counted a few times a second, and takes what all gateways
counted together; so limits hold across gateways and restarts but for what comes in between two exchanges. While Redis
is away, or hangs, each gateway goes on with what it knows.
"""

from collections import OrderedDict
from threading import Lock, Thread

import redis
import structlog
from limits.storage import Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_contract.clock import Clock
from gapi_app.clock import pulse_time
from gapi_app.metrics import LIMITS_ALONE

PREFIX = "pulse-limits:"
EXCHANGE_SECONDS, RETRY_SECONDS = 0.2, 1.0
_REDIS_SECONDS = 0.5
_MOST_KEPT = 100_000

log = structlog.get_logger(__name__)

Window = tuple[str, int]


class Count:
    """One budget in one window: `total` as far as it is known here, of which Redis has not been told `untold`."""

    __slots__ = ("ends_at", "total", "untold")

    def __init__(self, ends_at: int) -> None:
        self.ends_at, self.total, self.untold = ends_at, 0, 0


class SharedCounts(Storage):
    """The store of flask-limiter. Windows begin at whole multiples of their length, the same in every gateway."""

    STORAGE_SCHEME = ["pulse-counts"]  # noqa: RUF012  as the base class has it

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        clock: Clock = pulse_time,
        **options: str | float | bool,
    ) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._clock = clock
        self._counts: OrderedDict[Window, Count] = OrderedDict()
        self._latest: dict[str, int] = {}
        self._lock = Lock()
        self._answered_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return redis.RedisError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and how much was counted in this window."""
        ends_at = self._end_of_window(int(expiry))
        with self._lock:
            count = self._counts.get((key, ends_at))
            if count is None:
                count = self._add(key, ends_at)
            count.total += amount
            count.untold += amount
            return count.total

    def get(self, key: str) -> int:
        count = self._counts.get((key, self._latest.get(key, 0)))
        return count.total if count and count.ends_at > self._clock.now() else 0

    def get_expiry(self, key: str) -> float:
        return self._latest.get(key, self._clock.now())

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with self._lock:
            self._counts.clear()
            self._latest.clear()
        return None

    def clear(self, key: str) -> None:
        with self._lock:
            self._counts.pop((key, self._latest.pop(key, 0)), None)

    def exchange(self, client: redis.Redis) -> None:
        """Tell Redis what was counted since the last time, and learn the totals. Raises RedisError."""
        untold = self._untold()
        if not untold:
            self._look_whether_it_is_there(client)
            return
        pipeline = client.pipeline(transaction=False)
        for (key, ends_at), amount in untold:
            pipeline.incrby(f"{PREFIX}{key}:{ends_at}", amount)
            pipeline.expireat(f"{PREFIX}{key}:{ends_at}", ends_at + 1)
        totals = pipeline.execute()[::2]
        self._answered_at = self._clock.now()
        with self._lock:
            for (window, amount), total in zip(untold, totals, strict=True):
                if count := self._counts.get(window):
                    count.untold -= amount
                    # Never less than was seen here: a Redis that was emptied must not give budgets anew.
                    count.total = max(count.total, total + count.untold)

    def _look_whether_it_is_there(self, client: redis.Redis) -> None:
        """Who has nothing to tell for a while must not take it for being there."""
        if self._clock.now() - self._answered_at >= RETRY_SECONDS:
            client.ping()
            self._answered_at = self._clock.now()

    def follow(self, url: str) -> None:
        """Exchange with this Redis from now on."""
        Thread(target=self._run, args=(url,), name="limits", daemon=True).start()

    def _add(self, key: str, ends_at: int) -> Count:
        while len(self._counts) >= _MOST_KEPT:
            (oldest, _), _count = self._counts.popitem(last=False)
            self._latest.pop(oldest, None)
        self._latest[key] = ends_at
        count = self._counts[key, ends_at] = Count(ends_at)
        return count

    def _untold(self) -> list[tuple[Window, int]]:
        now = self._clock.now()
        with self._lock:
            for window in [window for window, count in self._counts.items() if count.ends_at <= now]:
                self._forget(window)
            return [(window, count.untold) for window, count in self._counts.items() if count.untold]

    def _end_of_window(self, seconds: int) -> int:
        return (int(self._clock.now()) // seconds + 1) * seconds

    def _forget(self, window: Window) -> None:
        del self._counts[window]
        key, ends_at = window
        if self._latest.get(key) == ends_at:
            del self._latest[key]

    def _run(self, url: str) -> None:
        client = redis.Redis.from_url(
            url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        is_well = True
        LIMITS_ALONE.set(False)
        while True:
            self._clock.sleep(EXCHANGE_SECONDS if is_well else RETRY_SECONDS)
            was_well, is_well = is_well, self._exchange_quietly(client)
            if was_well != is_well:
                LIMITS_ALONE.set(not is_well)
                log.warning("limits are counted for this gateway alone" if was_well else "limits are shared again")

    def _exchange_quietly(self, client: redis.Redis) -> bool:
        try:
            self.exchange(client)
        except (redis.RedisError, OSError):
            return False
        return True
