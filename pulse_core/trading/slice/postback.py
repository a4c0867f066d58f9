"""The broker's postbacks: they prove nothing, but are a reason to read its book now."""

import hmac
import json
from threading import Lock, Timer
from typing import Any

from api_contract.errors import Forbidden, InvalidRequest
from api_contract.log import get_logger
from pulse_core import queue
from pulse_core.brokers.zerodha.postback import postback_checksum
from pulse_core.config import settings
from pulse_core.tasks import Task

log = get_logger(__name__)

SHORTEST_PAUSE = 0.25
LONGEST_TEXT = 64
# A reading of the book needs no names, and so many orders are not looked up one by one.
MOST_NAMED = 20


class Hints:
    """Gathers the orders of postbacks: one message tells of all that came since the last one, at most four a second.

    None waits for the next postback: it might be the last for long.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: set[str] = set()
        self._is_pausing = False

    def take(self, broker_order_id: str) -> None:
        """Have the order looked at, now or within SHORTEST_PAUSE."""
        with self._lock:
            self._waiting.add(broker_order_id)
            if self._is_pausing:
                return
            self._is_pausing = True
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            told, self._waiting = sorted(self._waiting)[:MOST_NAMED], set()
            self._is_pausing = bool(told)
        if not told:
            return
        timer = Timer(SHORTEST_PAUSE, self._tell)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            # Without a thread there is no pause either; a pause that never ended would swallow every hint.
            self._is_pausing = False
        queue.wake(Task.TRACK_SLICES, ",".join(told))


_hints = Hints()


def take_postback(body: bytes) -> None:
    """Verify a postback's signature and have the broker's book read; its content is not believed.

    Raises InvalidRequest for a body that is not a postback, Forbidden for a wrong checksum.
    """
    order_id, order_timestamp, checksum = _signed_fields(body)
    expected = postback_checksum(order_id, order_timestamp, settings().kite_api_secret.get_secret_value())
    if not hmac.compare_digest(expected.encode(), checksum.encode()):
        raise Forbidden("the checksum does not match")
    log.info("postback taken", broker_order_id=order_id)
    _hints.take(order_id)


def _signed_fields(body: bytes) -> tuple[str, str, str]:
    try:
        news = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON", {"rule": "JSON"}) from None
    stated = news if isinstance(news, dict) else {}
    return _text(stated, "order_id"), _text(stated, "order_timestamp"), _text(stated, "checksum")


def _text(news: dict[str, Any], field: str) -> str:
    value = news.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT or not value.isprintable():
        raise InvalidRequest(f"{field} must be a string of 1 to {LONGEST_TEXT} characters", {"field": field})
    return value
