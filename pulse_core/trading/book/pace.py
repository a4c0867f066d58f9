"""How often the whole book is read for working slices: more and more slowly while postbacks tell of all news before."""

from collections.abc import Callable, Collection, Mapping
from threading import Lock

from pulse_core.boottime import boottime
from pulse_core.brokers.port import Broker

# After so many orders whose news a postback had told of, and none that was missed in between, they are relied on.
RELIED_ON_AFTER = 3
FIRST_PAUSE = 1.0
# So late is a fill seen at most whose postback is lost, besides the usual.
LONGEST_PAUSE = 10.0
# A reading may be quicker than the postback: what comes so soon after it was not missed.
ON_ITS_WAY = 2.0
MOST_HINTS = 1000


class Pace:
    """When this process reads the book of an account next, of whose orders it is told by postbacks.

    At once when a postback comes, and as often as anybody asks while something may have been missed. What a reading
    shows that no postback has told of ends the trust in them, until they have been right for a while.
    """

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._lock = Lock()
        self._hinted: dict[str, int] = {}
        self._hints = 0
        self._unhinted: dict[str, float] = {}
        self._right = 0
        self._pause = 0.0
        self._due = float("-inf")

    @property
    def is_due(self) -> bool:
        return self._clock() >= self._due

    def hint(self, broker_order_ids: Collection[str]) -> None:
        """Take the hint that there is news of these orders."""
        with self._lock:
            now = self._clock()
            if len(self._hinted) > MOST_HINTS:
                self._hinted.clear()
            self._hints += 1
            for one in broker_order_ids:
                self._hinted[one] = self._hints
                seen_at = self._unhinted.get(one)
                if seen_at is not None and now - seen_at <= ON_ITS_WAY:
                    del self._unhinted[one]
                    self._right += 1
            self._due = now

    def begin(self, broker_order_ids: Collection[str] | None = None) -> Mapping[str, int]:
        """A reading begins, of these orders or of all: the hints that it answers."""
        with self._lock:
            return {
                one: hint for one, hint in self._hinted.items() if broker_order_ids is None or one in broker_order_ids
            }

    def note(self, answered: Mapping[str, int], news: Collection[str]) -> None:
        """What a reading showed that was new, by broker order, and the hints that it began with."""
        with self._lock:
            now = self._clock()
            told = self._hinted.keys() & set(news)
            self._right += len(told)
            self._unhinted |= dict.fromkeys(set(news) - told, now)
            self._forget(answered, now)
            self._pause = self._next_pause()
            # What came meanwhile may be later than what was shown.
            self._due = now if self._hinted else now + self._pause

    def _forget(self, answered: Mapping[str, int], now: float) -> None:
        self._hinted = {one: hint for one, hint in self._hinted.items() if answered.get(one) != hint}
        missed = [one for one, seen_at in self._unhinted.items() if now - seen_at > ON_ITS_WAY]
        for one in missed:
            del self._unhinted[one]
        if missed:
            self._right = 0

    def _next_pause(self) -> float:
        if self._unhinted or self._right < RELIED_ON_AFTER:
            return 0.0
        return min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)


class Paces:
    """Those of each broker account."""

    def __init__(self) -> None:
        self._of: dict[str, Pace] = {}
        self._lock = Lock()

    def of(self, broker: Broker) -> Pace:
        with self._lock:
            return self._of.setdefault(broker.name, Pace())

    def hint(self, broker_order_ids: Collection[str], broker_account: str | None = None) -> None:
        """Take a hint for an account; for all where it is not said whose it is."""
        with self._lock:
            hinted = [one for name, one in self._of.items() if broker_account in (None, name)]
        for one in hinted:
            one.hint(broker_order_ids)


paces = Paces()
