"""What instruments stand at, as far as this process knows: never a reason to wait for long.

Each process reads by itself, one call at a time and no more often than the broker allows, many instruments in a call.
Its readings are good for a second. Who asks waits a moment at most, and is told what is known by then.
"""

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Condition, Lock, Thread

from api_contract.log import get_logger
from pulse_core.brokers.port import Broker, Quote, Quoter, QuotesUnavailable

log = get_logger(__name__)

FRESH_SECONDS = 1.0
WAIT_SECONDS = 0.5
# Whoever could not be read is left alone for a while: nobody is to wait for nothing again and again.
REST_SECONDS = 5.0
KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class _Reading:
    quote: Quote
    at: float


class Quotes:
    """The prices of one broker account in this process. Safe for many threads."""

    def __init__(self, quoter: Quoter) -> None:
        self.quoter = quoter
        self._changed = Condition()
        self._readings: dict[str, _Reading] = {}
        self._wanted: set[str] = set()
        self._under_way: set[str] = set()
        self._is_reading = False
        self._next_at = float("-inf")
        self._rests_until = float("-inf")

    def known(self, instrument: str, seconds: float = FRESH_SECONDS) -> Quote | None:
        """What was read within the last `seconds`, without a call and without waiting."""
        reading = self._readings.get(instrument)
        return reading.quote if reading and reading.at >= time.monotonic() - seconds else None

    def ask(self, instruments: Collection[str]) -> None:
        """Have these read soon, unless they just were. Does not wait."""
        with self._changed:
            if time.monotonic() < self._rests_until:
                return
            self._wanted |= {one for one in instruments if self.known(one) is None} - self._under_way
            if self._wanted and not self._is_reading:
                self._is_reading = True
                Thread(target=self._read_wanted, name="quotes", daemon=True).start()

    def latest(self, instruments: Collection[str], wait: float = WAIT_SECONDS) -> Mapping[str, Quote]:
        """What these stand at, `wait` seconds from now at the latest; what is not known by then is left out."""
        asked = set(instruments)
        self.ask(asked)
        with self._changed:
            self._changed.wait_for(lambda: not asked & (self._wanted | self._under_way), timeout=wait)
        known = {one: self.known(one, FRESH_SECONDS + wait) for one in instruments}
        return {one: quote for one, quote in known.items() if quote is not None}

    def _read_wanted(self) -> None:
        try:
            while instruments := self._next_call():
                self._take_in(self._read(instruments))
        except Exception:
            # A defect of the adapter: the next one who asks begins anew.
            with self._changed:
                self._is_reading, self._under_way = False, set()
            raise

    def _next_call(self) -> Collection[str]:
        """What the next call asks for, when its time has come; nothing when nobody wants to know anything."""
        time.sleep(max(self._next_at - time.monotonic(), 0.0))
        with self._changed:
            self._under_way = set(sorted(self._wanted)[: self.quoter.most_quotes])
            self._wanted -= self._under_way
            self._is_reading = bool(self._under_way)
            self._next_at = time.monotonic() + self.quoter.seconds_between_quotes
            return self._under_way

    def _read(self, instruments: Collection[str]) -> Mapping[str, Quote] | None:
        try:
            return self.quoter.quote(instruments)
        except QuotesUnavailable as error:
            log.info("prices not read", reason=str(error))
            return None

    def _take_in(self, found: Mapping[str, Quote] | None) -> None:
        now = time.monotonic()
        with self._changed:
            if found is None:
                self._rests_until = now + REST_SECONDS
                self._wanted = set()
            kept = {one: reading for one, reading in self._readings.items() if reading.at > now - KEPT_SECONDS}
            self._readings = kept | {one: _Reading(quote, now) for one, quote in (found or {}).items()}
            self._under_way = set()
            self._changed.notify_all()


def forget() -> None:
    """Read prices anew when next asked."""
    _held.clear()


def of(broker: Broker) -> Quotes | None:
    """The prices of a broker account; None: it tells none."""
    quoter = broker.quoter
    if quoter is None:
        return None
    with _making:
        held = _held.get(broker.name)
        if held is None or held.quoter is not quoter:
            _held[broker.name] = held = Quotes(quoter)
        return held


_making = Lock()
_held: dict[str, Quotes] = {}


def _start_anew() -> None:
    """A forked child has no thread that reads."""
    global _making
    _making = Lock()
    forget()


os.register_at_fork(after_in_child=_start_anew)
