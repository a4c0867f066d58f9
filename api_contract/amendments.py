"""What of a running order may be changed, and within which limits. Both services check: neither believes the other."""

from collections.abc import Mapping
from typing import Any

from api_contract.errors import InvalidRequest
from api_contract.order_rules import (
    MAX_MINUTES,
    MAX_QUANTITY,
    MIN_MINUTES,
    check_catching_up,
    check_note,
    check_price,
    out_of_range,
)
from api_contract.policy_rules import POLICY

# The names of an order's fields, as they are in its answer; each is changed only if it is stated.
AMENDABLE = (
    *("total_quantity", "duration_minutes", "end_at", "limit_price", "client_note"),
    *POLICY,
)

AMENDMENT_REFUSALS = (
    "NOT_FOUND",
    "INVALID_STATE",
    "INVALID_QUANTITY",
    "QUANTITY_TOO_SMALL",
    "QUANTITY_TOO_LARGE",
    "INVALID_LOT",
    "INVALID_TICK",
    "INSTRUMENT_NOT_TRADABLE",
    "MARKET_CLOSED",
    "BEYOND_CALENDAR",
    "RISK_LIMIT",
)


def check_amendment(changes: Mapping[str, Any]) -> None:
    """Raise InvalidRequest unless something is stated, and each of it is within its limits."""
    if not changes:
        rule = f"at least one of {', '.join(AMENDABLE)}"
        raise InvalidRequest(f"state {rule}", {"field": "body", "rule": rule})
    if {"duration_minutes", "end_at"} <= changes.keys():
        rule = "duration_minutes or end_at: one of the two"
        raise InvalidRequest(f"state {rule}", {"field": "end_at", "rule": rule})
    if not 1 <= changes.get("total_quantity", 1) <= MAX_QUANTITY:
        raise out_of_range("total_quantity", 1, MAX_QUANTITY)
    if not MIN_MINUTES <= changes.get("duration_minutes", MIN_MINUTES) <= MAX_MINUTES:
        raise out_of_range("duration_minutes", MIN_MINUTES, MAX_MINUTES)
    check_catching_up(changes.get("max_slice_multiple"), changes.get("extend_minutes"))
    if "limit_price" in changes:
        check_price(changes["limit_price"])
    check_note(changes.get("client_note"))
