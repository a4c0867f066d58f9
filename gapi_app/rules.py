"""What values an order may have. pulse checks the same again: neither trusts the other."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from gapi_app.errors import InvalidInstrument, InvalidQuantity, InvalidRequest, InvalidSplitConfig

UNIQUE_KEY = re.compile(r"[\x20-\x7e]{1,64}")
INSTRUMENT = re.compile(r"(?P<exchange>[A-Z]{1,16}):[A-Z0-9&-]{1,32}")
ORDER_ID = re.compile(r"ord_[0-7][0-9A-HJKMNP-TV-Z]{25}")
SLICE_ID = re.compile(r"sl_[0-7][0-9A-HJKMNP-TV-Z]{25}")
MAX_QUANTITY = 10**9
SPLITS = (2, 100)
MINUTES = (1, 1440)
TIMEOUT = (1, 3600)
PRICES = (Decimal("0.01"), Decimal("10000000"))
LONGEST_NOTE = 200
FILL_PRICES = (Decimal("0.0001"), Decimal("10000000"))
LONGEST_REASON = 200
REQUESTS_PER_MINUTE = (1, 1_000_000)


def check_new_order(order: Mapping[str, Any], exchanges: Collection[str]) -> None:
    """Raise the first rule that is broken, as InvalidRequest or one of its three narrower kinds."""
    split = order["split_config"]
    _check_unique_key(order["order_unique_key"])
    _check_instrument(order["instrument"], exchanges)
    _check_range("split_config.num_splits", split["num_splits"], SPLITS)
    _check_range("split_config.duration_minutes", split["duration_minutes"], MINUTES)
    _check_quantity(order["total_quantity"], split["num_splits"])
    _check_limit_price(order.get("order_type", "MARKET"), order.get("limit_price"))
    _check_timeout(order.get("slice_timeout_seconds"))
    _check_note(order.get("client_note"))


def check_settlement(said: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for the first rule that is broken by what an operator says of a slice."""
    filled, price, absent, reason = (said[name] for name in ("filled", "price", "absent", "reason"))
    if absent == (filled is not None):
        raise InvalidRequest("state filled, or absent: one of the two", {"field": "filled", "rule": "filled or absent"})
    if (filled is None) != (price is None):
        raise InvalidRequest("filled and price belong together", {"field": "price", "rule": "with filled"})
    if filled is not None and not 1 <= filled <= MAX_QUANTITY:
        details = {"field": "filled", "min": 1, "max": MAX_QUANTITY}
        raise InvalidRequest(f"filled must be from 1 to {MAX_QUANTITY}", details)
    if price is not None:
        _check_fill_price(Decimal(price))
    _check_reason(reason, is_needed=absent)


def is_own_limit(value: Any) -> bool:
    """Whether this can be an account's own limit: requests per minute, or None for the installation's."""
    least, most = REQUESTS_PER_MINUTE
    return value is None or (type(value) is int and least <= value <= most)


def _check_unique_key(key: str) -> None:
    if not UNIQUE_KEY.fullmatch(key):
        rule = "1 to 64 printable ASCII characters"
        raise InvalidRequest(f"order_unique_key must be {rule}", {"field": "order_unique_key", "rule": rule})


def _check_instrument(instrument: str, exchanges: Collection[str]) -> None:
    match = INSTRUMENT.fullmatch(instrument)
    if match is None or match["exchange"] not in exchanges:
        known = sorted(exchanges)
        raise InvalidInstrument(
            f"instrument must be EXCHANGE:SYMBOL with an exchange of {', '.join(known)}"
            " and a symbol of 1 to 32 of A-Z, 0-9, & and -",
            {"field": "instrument", "expected_format": "EXCHANGE:SYMBOL", "exchanges": known},
        )


def _check_range(field: str, value: int, limits: tuple[int, int]) -> None:
    least, most = limits
    if not least <= value <= most:
        details = {"field": field, "min": least, "max": most}
        raise InvalidSplitConfig(f"{field} must be from {least} to {most}", details)


def _check_quantity(total_quantity: int, num_splits: int) -> None:
    field = "total_quantity"
    if not 1 <= total_quantity <= MAX_QUANTITY:
        details = {"field": field, "min": 1, "max": MAX_QUANTITY}
        raise InvalidQuantity(f"{field} must be from 1 to {MAX_QUANTITY}", details)
    if total_quantity < num_splits:
        details = {"field": field, "min": num_splits, "num_splits": num_splits}
        raise InvalidQuantity(f"{field} must be at least split_config.num_splits ({num_splits})", details)


def _check_limit_price(order_type: str, limit_price: str | None) -> None:
    field = "limit_price"
    if order_type == "MARKET":
        if limit_price is not None:
            raise InvalidRequest("limit_price belongs to order_type LIMIT only", {"field": field, "rule": "LIMIT only"})
        return
    if limit_price is None:
        raise InvalidRequest("limit_price is needed for order_type LIMIT", {"field": field, "rule": "required"})
    least, most = PRICES
    price = Decimal(limit_price)
    if not least <= price <= most or price != round(price, 2):
        details = {"field": field, "min": str(least), "max": str(most), "decimals": 2}
        raise InvalidRequest(f"limit_price must be from {least} to {most} with at most 2 decimals", details)


def _check_timeout(seconds: int | None) -> None:
    least, most = TIMEOUT
    if seconds is not None and not least <= seconds <= most:
        details = {"field": "slice_timeout_seconds", "min": least, "max": most}
        raise InvalidRequest(f"slice_timeout_seconds must be from {least} to {most}", details)


def _check_note(note: str | None) -> None:
    if note is not None and (len(note) > LONGEST_NOTE or not note.isprintable()):
        rule = f"at most {LONGEST_NOTE} printable characters"
        raise InvalidRequest(f"client_note must have {rule}", {"field": "client_note", "rule": rule})


def _check_fill_price(price: Decimal) -> None:
    least, most = FILL_PRICES
    if not least <= price <= most or price != round(price, 4):
        details = {"field": "price", "min": str(least), "max": str(most), "decimals": 4}
        raise InvalidRequest(f"price must be from {least} to {most} with at most 4 decimals", details)


def _check_reason(reason: str, *, is_needed: bool) -> None:
    if is_needed and not reason.strip():
        raise InvalidRequest("reason is needed with absent", {"field": "reason", "rule": "required"})
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        rule = f"at most {LONGEST_REASON} printable characters"
        raise InvalidRequest(f"reason must have {rule}", {"field": "reason", "rule": rule})
