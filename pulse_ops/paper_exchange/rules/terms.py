"""The terms of an order against its instrument: lots, ticks, caps, products, order types, the day's range."""

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.errors import WireError, bad_input
from pulse_ops.paper_exchange.instruments.instrument import Instrument

MOST_SHARES = 100_000
# How far from the day's first price a share, or a future, may go. Options have ranges of their own at Kite.
CIRCUIT_PERCENT = 20
# Of the quantity, for a share.
_LEAST_DISCLOSED_PERCENT = 10

_CASH_PRODUCTS = frozenset({"CNC", "MIS", "MTF"})
_DERIVATIVE_PRODUCTS = frozenset({"NRML", "MIS"})
_INDICES_WITH_OPTIONS = frozenset({"NIFTY", "BANKNIFTY", "FINNIFTY"})


def check_terms(order: OrderRequest, instrument: Instrument | None) -> Instrument:
    """The instrument that the order is for. Raises WireError."""
    if instrument is None or instrument.is_index:
        raise bad_input("The instrument you are placing an order for has either expired or does not exist.")
    _check_product(order, instrument)
    _check_order_type(order, instrument)
    _check_quantity(order, instrument)
    for name, price in (("price", order.price), ("trigger price", order.trigger_price)):
        if price is not None:
            check_price(name, price, instrument)
    return instrument


def check_stop(order: OrderRequest, last_price: int) -> None:
    """Raise WireError unless the trigger is on the far side of the last price, and the limit beyond the trigger."""
    trigger = order.trigger_price
    if trigger is None:
        return
    is_buy = order.transaction_type == "BUY"
    if trigger <= last_price if is_buy else trigger >= last_price:
        side, far, other = ("buy", "higher", "lower") if is_buy else ("sell", "lower", "higher")
        raise bad_input(
            f"Trigger price for stoploss {side} orders should be {far} than the last traded price"
            f" ({last_price / 100:.2f}). Try limit order to {side} at a {other} price."
        )
    if order.price is not None and (order.price < trigger if is_buy else order.price > trigger):
        side, far = ("buy", "lower") if is_buy else ("sell", "higher")
        raise bad_input(f"Trigger price for stoploss {side} orders should be {far} than the limit price.")


def check_price(name: str, price: int, instrument: Instrument) -> None:
    """Raise WireError unless a price stands on the tick and inside the day's range."""
    if price % instrument.tick:
        raise bad_input(
            f"Tick size for this script is {instrument.tick / 100:.2f}."
            f" Kindly enter {name} in the multiple of tick size for this script"
        )
    low, high = circuit(instrument)
    if not low <= price <= high:
        raise WireError(
            400,
            "InputException",
            "Price exceeds circuit limits for the instrument. Place an order within the daily range.",
        )


def circuit(instrument: Instrument) -> tuple[int, int]:
    """The lowest and the highest price of the day, in paise."""
    if instrument.strike:
        return instrument.tick, instrument.price * 10
    width = instrument.price * CIRCUIT_PERCENT // 100
    tick = instrument.tick or 1
    return max((instrument.price - width) // tick * tick, tick), (instrument.price + width) // tick * tick


def check_quantity(quantity: int, instrument: Instrument) -> None:
    """Raise WireError unless a quantity is in lots, and not too large for one order."""
    if quantity % instrument.lot_size:
        raise bad_input(f"Quantity should be a multiple of the lot size ({instrument.lot_size}).")
    freeze = instrument.freeze_quantity
    if freeze is not None and quantity > freeze:
        raise bad_input(f"Quantity exceeds the freeze quantity of {freeze} for {instrument.tradingsymbol}.")
    if not instrument.is_derivative and quantity > MOST_SHARES:
        raise bad_input("Maximum quantity per order for Equity is 1,00,000")


def _check_quantity(order: OrderRequest, instrument: Instrument) -> None:
    check_quantity(order.quantity, instrument)
    disclosed = order.disclosed_quantity
    if not disclosed:
        return
    least = 0 if instrument.is_derivative else order.quantity * _LEAST_DISCLOSED_PERCENT // 100
    if disclosed > order.quantity or disclosed < least:
        raise bad_input("Invalid `disclosed_quantity`.")


def _check_product(order: OrderRequest, instrument: Instrument) -> None:
    if order.product not in (_DERIVATIVE_PRODUCTS if instrument.is_derivative else _CASH_PRODUCTS):
        raise bad_input("Invalid `product`.")


def _check_order_type(order: OrderRequest, instrument: Instrument) -> None:
    if not instrument.is_derivative:
        return
    if order.order_type == "SL-M":
        raise bad_input(
            "Stoploss Market orders (SL-M) are blocked for F&O contracts"
            " as they have been discontinued by the exchange."
        )
    if order.order_type == "MARKET" and instrument.strike and instrument.name not in _INDICES_WITH_OPTIONS:
        raise bad_input("Market orders are blocked for stock options due to illiquidity. Place a limit order.")
