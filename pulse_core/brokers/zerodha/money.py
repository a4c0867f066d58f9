"""What Kite says of margins, charges, funds and holdings, read strictly: a figure in doubt is none.

Errors are ValueError, KeyError and TypeError; the broker turns each into NotTold.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pulse_core.brokers.money import Charges, Costs
from pulse_core.brokers.port import Placement

DELIVERY = "CNC"
_PARTS = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty")


def question(placement: Placement, default_product: str) -> dict[str, Any]:
    """An order as POST /margins/orders takes it."""
    exchange, _, symbol = placement.instrument.partition(":")
    price = placement.limit_price
    return {
        "exchange": exchange,
        "tradingsymbol": symbol,
        "transaction_type": placement.side.value,
        "variety": "regular",
        "product": placement.product or default_product,
        "order_type": "MARKET" if price is None else "LIMIT",
        "quantity": placement.quantity,
        # A number there: the client writes JSON, and the digits of a price survive.
        "price": 0 if price is None else float(price),
        "trigger_price": 0,
    }


def costs(found: object, placements: Sequence[Placement]) -> list[Costs]:
    """The rows of POST /margins/orders, one for each order that was asked about."""
    rows = _rows(found)
    if len(rows) != len(placements):
        raise ValueError("as many margins as orders")
    return [_costs(row, placement) for row, placement in zip(rows, placements, strict=True)]


def funds(found: object) -> Decimal:
    """What the segment of shares and derivatives has free: `net` of GET /user/margins/equity."""
    segment = _mapping(found)
    if segment["enabled"] is not True:
        raise ValueError("the segment is not enabled")
    return _amount(segment["net"])


def holdings(found: object, positions: object, instruments: Collection[str]) -> dict[str, int]:
    """What can be sold of each: shares held that were not sold yet, and those bought for delivery today.

    Kite's documentation has `quantity` as all that is held and `used_quantity` as what was sold of it. It lists a share
    once, whichever exchange it was bought at.
    """
    held = dict.fromkeys((one.partition(":")[2] for one in instruments), 0)
    for row in _rows(found):
        if row["tradingsymbol"] in held and row.get("product", DELIVERY) == DELIVERY:
            held[row["tradingsymbol"]] += _count(row["quantity"]) - _count(row["used_quantity"])
    for row in _rows(_mapping(positions)["net"]):
        if row["tradingsymbol"] in held and row["product"] == DELIVERY:
            held[row["tradingsymbol"]] += max(_whole(row["quantity"]), 0)
    return {one: max(held[one.partition(":")[2]], 0) for one in instruments}


def _costs(row: Mapping[str, Any], placement: Placement) -> Costs:
    if f"{row['exchange']}:{row['tradingsymbol']}" != placement.instrument:
        raise ValueError("a margin of another instrument")
    return Costs(_amount(row["total"]), _charges(_mapping(row["charges"])))


def _charges(row: Mapping[str, Any]) -> Charges:
    parts = {name: _amount(row[name]) for name in _PARTS}
    return Charges(_amount(row["total"]), parts | {"gst": _amount(_mapping(row["gst"])["total"])})


def _rows(found: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(found, list):
        raise TypeError("not a list")
    return [_mapping(row) for row in found]


def _mapping(found: object) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise TypeError("not an object")
    return found


def _amount(value: object) -> Decimal:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("an amount is not a number")
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError("an amount is not an amount")
    return amount


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a quantity is not a whole number")
    return value


def _count(value: object) -> int:
    if _whole(value) < 0:
        raise ValueError("a quantity is negative")
    return _whole(value)
