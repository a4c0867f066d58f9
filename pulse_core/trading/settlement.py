"""The fill to book when an operator states the outcome of an attempt that no book shows."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from api_contract.errors import InvalidRequest
from api_contract.order_rules import MAX_PRICE, TICK, Settlement, out_of_range

# Shares and their price.
Trade = tuple[int, Decimal]


def what_lacks(said: Settlement, placed: int, booked: Sequence[Trade]) -> Trade | None:
    """The one fill that makes what is booked of an attempt for `placed` shares what was said; None when it is.

    Raises InvalidRequest when no fill could.
    """
    if said.filled is None or said.price is None:
        return None
    known = sum(quantity for quantity, _ in booked)
    if not max(known, 1) <= said.filled <= placed:
        raise out_of_range("filled", max(known, 1), placed)
    lacking = said.filled - known
    if lacking == 0:
        return None
    value = said.filled * said.price - sum((quantity * price for quantity, price in booked), Decimal(0))
    price = (value / lacking).quantize(TICK, ROUND_HALF_UP)
    if not TICK <= price <= MAX_PRICE:
        message = f"with the {known} shares that are booked, no price of the others makes that average"
        raise InvalidRequest(message, {"field": "price", "booked": known})
    return lacking, price
