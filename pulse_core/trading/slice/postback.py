"""The broker's postbacks: they prove nothing, but are a reason to read its book now."""

import hmac
import json
import time
from threading import Lock
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

_lock = Lock()
_last_hint = 0.0


def take_postback(body: bytes) -> None:
    """Verify a postback's signature and have the broker's book read; its content is not believed.

    Raises InvalidRequest for a body that is not a postback, Forbidden for a wrong checksum.
    """
    order_id, order_timestamp, checksum = _signed_fields(body)
    expected = postback_checksum(order_id, order_timestamp, settings().kite_api_secret.get_secret_value())
    if not hmac.compare_digest(expected.encode(), checksum.encode()):
        raise Forbidden("the checksum does not match")
    log.info("postback taken", broker_order_id=order_id)
    if _is_time_for_a_hint():
        queue.wake(Task.TRACK_SLICES)
        queue.wake(Task.RESOLVE_SLICES)


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


def _is_time_for_a_hint() -> bool:
    """One reading of the book serves every postback of that moment, and the sweep reads it each second anyway."""
    global _last_hint
    with _lock:
        now = time.monotonic()
        if now - _last_hint < SHORTEST_PAUSE:
            return False
        _last_hint = now
        return True
