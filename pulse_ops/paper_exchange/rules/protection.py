"""How far a market order may go before it becomes a limit order, and whether a trigger is met."""

from decimal import Decimal

# Kite's own choice, by the price in paise: percent.
_AUTOMATIC = ((10_000, Decimal(2)), (50_000, Decimal(1)))
_ABOVE = Decimal("0.5")


def band_price(transaction_type: str, last_price: int, protection: str | None, tick: int) -> int:
    """The worst price that a protected market order takes, in paise, on the tick."""
    percent = Decimal(protection or -1)
    if percent == -1:
        percent = next((one for below, one in _AUTOMATIC if last_price < below), _ABOVE)
    width = int(last_price * percent / 100)
    if transaction_type == "BUY":
        return (last_price + width) // tick * tick
    return max(-(-(last_price - width) // tick) * tick, tick)


def is_triggered(transaction_type: str, trigger_price: int, price: int) -> bool:
    """Whether a price sets off a stop."""
    return price >= trigger_price if transaction_type == "BUY" else price <= trigger_price
