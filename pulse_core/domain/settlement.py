"""What an operator may say of an attempt whose outcome no book tells, and the fill that follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from pulse_core.domain.errors import InvalidRequest
from pulse_core.domain.orders import MAX_PRICE, MAX_QUANTITY

LONGEST_REASON = 200
TICK = Decimal("0.0001")

# Shares and their price.
Trade = tuple[int, Decimal]


@dataclass(frozen=True)
class Settlement:
    """In all `filled` shares of one attempt at `price` each on average; or, when `absent`, none but those booked."""

    filled: int | None
    price: Decimal | None
    absent: bool
    reason: str


def check_settlement(said: Settlement) -> None:
    """Raise InvalidRequest unless it says one thing, within the limits."""
    if said.absent == (said.filled is not None):
        raise InvalidRequest("state filled, or absent: one of the two", {"field": "filled", "rule": "filled or absent"})
    if (said.filled is None) != (said.price is None):
        raise InvalidRequest("filled and price belong together", {"field": "price", "rule": "with filled"})
    if said.filled is not None and not 1 <= said.filled <= MAX_QUANTITY:
        raise _out_of_range("filled", 1, MAX_QUANTITY)
    if said.price is not None and not _is_price(said.price):
        details = {"field": "price", "min": str(TICK), "max": str(MAX_PRICE), "decimals": 4}
        raise InvalidRequest(f"price must be from {TICK} to {MAX_PRICE} with at most 4 decimals", details)
    _check_reason(said)


def what_lacks(said: Settlement, placed: int, booked: Sequence[Trade]) -> Trade | None:
    """The one fill that makes what is booked of an attempt for `placed` shares what was said; None when it is.

    Raises InvalidRequest when no fill could.
    """
    if said.filled is None or said.price is None:
        return None
    known = sum(quantity for quantity, _ in booked)
    if not max(known, 1) <= said.filled <= placed:
        raise _out_of_range("filled", max(known, 1), placed)
    lacking = said.filled - known
    if lacking == 0:
        return None
    value = said.filled * said.price - sum((quantity * price for quantity, price in booked), Decimal(0))
    price = (value / lacking).quantize(TICK, ROUND_HALF_UP)
    if not TICK <= price <= MAX_PRICE:
        message = f"with the {known} shares that are booked, no price of the others makes that average"
        raise InvalidRequest(message, {"field": "price", "booked": known})
    return lacking, price


def _is_price(price: Decimal) -> bool:
    return price.is_finite() and TICK <= price <= MAX_PRICE and price == round(price, 4)


def _check_reason(said: Settlement) -> None:
    rule = f"at most {LONGEST_REASON} printable characters"
    if said.absent and not said.reason.strip():
        raise InvalidRequest("reason is needed with absent", {"field": "reason", "rule": "required"})
    if len(said.reason) > LONGEST_REASON or not said.reason.isprintable():
        raise InvalidRequest(f"reason must have {rule}", {"field": "reason", "rule": rule})


def _out_of_range(field: str, least: int, most: int) -> InvalidRequest:
    return InvalidRequest(f"{field} must be from {least} to {most}", {"field": field, "min": least, "max": most})
