"""Kite Connect's postbacks, and their signature."""

import hashlib
import hmac
import json
from typing import Any

from api_contract.errors import Forbidden, InvalidRequest

LONGEST_TEXT = 64


def verified(body: bytes, api_secret: str) -> str:
    """The order id of a postback. Raises InvalidRequest for what is none, Forbidden for a wrong checksum."""
    order_id, order_timestamp, checksum = _signed_fields(body)
    expected = postback_checksum(order_id, order_timestamp, api_secret)
    if not hmac.compare_digest(expected.encode(), checksum.encode()):
        raise Forbidden("the checksum does not match")
    return order_id


def postback_checksum(order_id: str, order_timestamp: str, api_secret: str) -> str:
    """SHA-256 over the three, in hex, as Kite Connect defines it; the timestamp exactly as in the body."""
    return hashlib.sha256(f"{order_id}{order_timestamp}{api_secret}".encode()).hexdigest()


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
