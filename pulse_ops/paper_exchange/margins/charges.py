"""What an order costs, in rupees, by round rates."""

from typing import Any

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.instruments.instrument import Instrument

# Shares of the value.
_TAX_DELIVERY, _TAX_INTRADAY_SALE, _TAX_FUTURE_SALE, _TAX_OPTION_SALE = 0.001, 0.00025, 0.0002, 0.001
_TURNOVER_CASH, _TURNOVER_FUTURES, _TURNOVER_OPTIONS = 0.0000297, 0.0000173, 0.0003503
_REGULATOR = 0.000001
_STAMP_DELIVERY, _STAMP_OTHER = 0.00015, 0.00003
_BROKERAGE_SHARE, _MOST_BROKERAGE = 0.0003, 20.0
_GOODS_AND_SERVICES = 0.18


def charges(order: OrderRequest, instrument: Instrument, price: int) -> dict[str, Any]:
    """Taxes, fees and the broker's share of an order at a price in paise."""
    value = price * order.quantity / 100
    is_sale, is_delivery = order.transaction_type == "SELL", order.product in ("CNC", "MTF")
    tax = value * _tax(instrument, is_sale=is_sale, is_delivery=is_delivery)
    turnover = value * _turnover(instrument)
    regulator = value * _REGULATOR
    brokerage = 0.0 if is_delivery else _brokerage(instrument, value)
    stamp = 0.0 if is_sale else value * (_STAMP_DELIVERY if is_delivery else _STAMP_OTHER)
    gst = (brokerage + turnover + regulator) * _GOODS_AND_SERVICES
    return _told(tax, turnover, regulator, brokerage, stamp, gst)


def no_charges() -> dict[str, Any]:
    """The same for nothing."""
    return _told(0, 0, 0, 0, 0, 0) | {"transaction_tax_type": ""}


def contract_note(order: OrderRequest, instrument: Instrument, price: int) -> dict[str, Any]:
    """A row of POST /charges/orders."""
    return {
        "transaction_type": order.transaction_type,
        "tradingsymbol": order.tradingsymbol,
        "exchange": order.exchange,
        "variety": order.variety,
        "product": order.product,
        "order_type": order.order_type,
        "quantity": order.quantity,
        "price": price / 100,
        "charges": charges(order, instrument, price),
    }


def _told(tax: float, turnover: float, regulator: float, brokerage: float, stamp: float, gst: float) -> dict[str, Any]:
    return {
        "transaction_tax": round(tax, 6),
        "transaction_tax_type": "stt",
        "exchange_turnover_charge": round(turnover, 6),
        "sebi_turnover_charge": round(regulator, 6),
        "brokerage": round(brokerage, 6),
        "stamp_duty": round(stamp, 6),
        "gst": {"igst": round(gst, 6), "cgst": 0, "sgst": 0, "total": round(gst, 6)},
        "total": round(tax + turnover + regulator + brokerage + stamp + gst, 6),
    }


def _tax(instrument: Instrument, *, is_sale: bool, is_delivery: bool) -> float:
    if is_delivery:
        return _TAX_DELIVERY
    if not is_sale:
        return 0.0
    if instrument.is_derivative:
        return _TAX_OPTION_SALE if instrument.strike else _TAX_FUTURE_SALE
    return _TAX_INTRADAY_SALE


def _turnover(instrument: Instrument) -> float:
    if instrument.is_derivative:
        return _TURNOVER_OPTIONS if instrument.strike else _TURNOVER_FUTURES
    return _TURNOVER_CASH


def _brokerage(instrument: Instrument, value: float) -> float:
    return _MOST_BROKERAGE if instrument.strike else min(value * _BROKERAGE_SHARE, _MOST_BROKERAGE)
