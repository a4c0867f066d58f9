"""What an instrument takes: its products, its ticks, whole lots, and how much at once. Refusals name what would do."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from api_contract.errors import InstrumentNotTradable, InvalidLot, InvalidTick, QuantityTooLarge
from api_contract.order_rules import MAX_PRICE, MAX_QUANTITY, MAX_SPLITS, MIN_PRICE, NewOrder
from api_contract.vocabulary import Product
from pulse_core.instruments.listed import Listed


def check_terms(new_order: NewOrder, listed: Listed, default_product: Product) -> None:
    """Raise the first rule that is broken: InstrumentNotTradable, InvalidTick, InvalidLot or QuantityTooLarge."""
    product = new_order.product or default_product
    if product not in listed.products:
        raise _not_taken(listed, "product", product, sorted(listed.products))
    if new_order.order_type not in listed.order_types:
        raise _not_taken(listed, "order_type", new_order.order_type, sorted(listed.order_types))
    if new_order.limit_price is not None:
        check_tick(listed, new_order.limit_price)
    check_lots(listed.instrument, listed.lot_size, new_order.total_quantity, new_order.num_splits)
    _check_size(listed, new_order.total_quantity, new_order.num_splits)


def check_expiry(listed: Listed, last_day: date) -> None:
    """Raise InstrumentNotTradable for what is not traded any more on the day on which an order would end."""
    if listed.expires_on is None or last_day <= listed.expires_on:
        return
    expires_on = listed.expires_on.isoformat()
    raise InstrumentNotTradable(
        f"{listed.instrument} expires on {expires_on}, and the order would end on {last_day.isoformat()}",
        {"field": "instrument", "instrument": listed.instrument, "rule": "not expired", "expires_on": expires_on},
    )


def not_listed(instrument: str, broker: str, loaded_on: str) -> InstrumentNotTradable:
    """The refusal of what the list of the day does not have."""
    return InstrumentNotTradable(
        f"{instrument} is not in the list of {broker} of {loaded_on}: look for it in /api/instruments",
        {"field": "instrument", "instrument": instrument, "rule": "listed", "listed_at": loaded_on},
    )


def _not_taken(listed: Listed, field: str, stated: str, allowed: Collection[str]) -> InstrumentNotTradable:
    return InstrumentNotTradable(
        f"{listed.instrument} is not traded with {field} {stated}; it takes {', '.join(allowed)}",
        {"field": field, "instrument": listed.instrument, "rule": f"{field} of it", "allowed": list(allowed)},
    )


def check_tick(listed: Listed, price: Decimal) -> None:
    """Raise InvalidTick for a price between two that the instrument can have."""
    tick = listed.tick_size
    ticks = int(price / tick)
    if price == ticks * tick:
        return
    nearest = [f"{one:f}" for one in (ticks * tick, (ticks + 1) * tick) if MIN_PRICE <= one <= MAX_PRICE]
    raise InvalidTick(
        f"limit_price {price} is between two prices of {listed.instrument}, which moves in steps of {tick:f}:"
        f" take {' or '.join(nearest)}",
        {
            "field": "limit_price",
            "instrument": listed.instrument,
            "limit_price": f"{price:f}",
            "tick_size": f"{tick:f}",
            "nearest": nearest,
        },
    )


def check_lots(instrument: str, lot: int, quantity: int, num_splits: int = 1) -> None:
    """Raise InvalidLot unless it is whole lots, and one for each slice."""
    least = num_splits * lot
    if quantity % lot == 0 and quantity >= least:
        return
    below = quantity // lot * lot
    nearest = [one for one in (below, below + lot) if least <= one <= MAX_QUANTITY] or [least]
    why = f"in lots of {lot}" if quantity % lot else f"with a lot of {lot} for each of {num_splits} slices at least"
    details: dict[str, Any] = {
        "field": "total_quantity",
        "instrument": instrument,
        "total_quantity": quantity,
        "lot_size": lot,
        "nearest": nearest,
    }
    raise InvalidLot(f"{instrument} is traded {why}: take {' or '.join(map(str, nearest))}", details)


def _check_size(listed: Listed, quantity: int, num_splits: int) -> None:
    """No slice above what the exchange and the broker let through at once."""
    most = listed.most_per_order
    if most is None or quantity <= most * num_splits:
        return
    details: dict[str, Any] = {
        "instrument": listed.instrument,
        "total_quantity": quantity,
        "max_slice_quantity": most,
        "freeze_quantity": listed.freeze_quantity,
        "max_quantity": listed.max_quantity,
    }
    needed = -(-quantity // most) if most else MAX_SPLITS + 1
    if needed <= MAX_SPLITS:
        details |= {"field": "split_config.num_splits", "min_num_splits": needed}
        remedy = f"{needed} slices would do"
    else:
        details |= {"field": "total_quantity", "max_total_quantity": most * MAX_SPLITS}
        remedy = f"{MAX_SPLITS} slices, the most there may be, take {most * MAX_SPLITS}"
    raise QuantityTooLarge(f"a slice of {listed.instrument} may have {most} at most: {remedy}", details)
