"""What the limits of an account may be. An answer names a limit by the same word as a request that sets it."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from api_contract.errors import InvalidRequest
from api_contract.order_rules import INSTRUMENT, LONGEST_SHOWN
from api_contract.vocabulary import Product

MOST_UNITS = 10**15
MOST_OPEN_ORDERS = 1_000_000
MOST_ORDERS_PER_MINUTE = 100_000
MOST_WORTH = Decimal(10) ** 12
MOST_PERCENT = Decimal(1000)
MOST_INSTRUMENTS = 500


class LimitName(StrEnum):
    """What is limited. Of these a refusal names one, or `open_slices` or `window`."""

    ORDER_QUANTITY = "order_quantity"
    ORDER_WORTH = "order_worth"
    DAY_QUANTITY = "day_quantity"
    DAY_WORTH = "day_worth"
    OPEN_ORDERS = "open_orders"
    ORDERS_PER_MINUTE = "orders_per_minute"
    PRICE_COLLAR = "price_collar_percent"
    VOLUME_SHARE = "volume_share_percent"
    INSTRUMENTS = "instruments"
    PRODUCTS = "products"


@dataclass(frozen=True)
class RiskLimits:
    """What an account may do, each None where nothing is limited.

    Quantities are units of an order or of all orders of a day; worths are in the currency of the instrument. A collar
    is how far a limit price may lie from the last price, and a share how much of a usual day's volume an order may be,
    both in percent. Only the `instruments` and `products` that are named may be traded.
    """

    order_quantity: int | None = None
    order_worth: Decimal | None = None
    day_quantity: int | None = None
    day_worth: Decimal | None = None
    open_orders: int | None = None
    orders_per_minute: int | None = None
    price_collar_percent: Decimal | None = None
    volume_share_percent: Decimal | None = None
    instruments: Collection[str] | None = None
    products: Collection[Product] | None = None


def check_risk_limits(limits: RiskLimits) -> None:
    """Raise InvalidRequest for the first that lies outside what it may be."""
    wholes = {
        LimitName.ORDER_QUANTITY: MOST_UNITS,
        LimitName.DAY_QUANTITY: MOST_UNITS,
        LimitName.OPEN_ORDERS: MOST_OPEN_ORDERS,
        LimitName.ORDERS_PER_MINUTE: MOST_ORDERS_PER_MINUTE,
    }
    decimals = {
        LimitName.ORDER_WORTH: MOST_WORTH,
        LimitName.DAY_WORTH: MOST_WORTH,
        LimitName.PRICE_COLLAR: MOST_PERCENT,
        LimitName.VOLUME_SHARE: MOST_PERCENT,
    }
    for name, most in wholes.items():
        value = getattr(limits, name)
        if value is not None and not 1 <= value <= most:
            raise InvalidRequest(f"{name} must be from 1 to {most}", {"field": name, "min": 1, "max": most})
    for name, highest in decimals.items():
        value = getattr(limits, name)
        if value is not None and not 0 < value <= highest:
            details = {"field": name, "above": "0", "max": str(highest)}
            raise InvalidRequest(f"{name} must be above 0 and at most {highest}", details)
    _check_instruments(limits.instruments)
    if limits.products is not None and not limits.products:
        raise _too_few(LimitName.PRODUCTS)


def _check_instruments(instruments: Collection[str] | None) -> None:
    name = LimitName.INSTRUMENTS
    if instruments is None:
        return
    if not instruments:
        raise _too_few(name)
    if len(instruments) > MOST_INSTRUMENTS:
        raise InvalidRequest(f"{name} may name {MOST_INSTRUMENTS} at most", {"field": name, "max": MOST_INSTRUMENTS})
    for one in instruments:
        if not INSTRUMENT.fullmatch(one):
            details = {"field": name, "instrument": one[:LONGEST_SHOWN], "expected_format": "EXCHANGE:SYMBOL"}
            raise InvalidRequest(f"{name} must be a list of EXCHANGE:SYMBOL", details)


def _too_few(name: LimitName) -> InvalidRequest:
    return InvalidRequest(f"{name} must name one at least, or be null for no limit", {"field": name, "min": 1})
