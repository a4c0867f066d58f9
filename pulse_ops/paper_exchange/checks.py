"""The checks that Kite makes before it registers an order."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from pulse_ops.paper_exchange.errors import bad_input

EXCHANGES = frozenset({"NSE", "BSE", "NFO", "BFO", "CDS", "MCX"})
PRODUCTS = frozenset({"CNC", "NRML", "MIS", "MTF"})
TICK = 5

_SYMBOL = re.compile(r"[A-Z0-9&-]{1,32}")
_TAG = re.compile(r"[A-Za-z0-9]{1,20}")
_QUANTITY = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True)
class OrderRequest:
    """A placement that passed the checks. `price` is in paise, and only limit orders have one."""

    exchange: str
    tradingsymbol: str
    transaction_type: str
    quantity: int
    product: str
    order_type: str
    validity: str
    price: int | None
    market_protection: str | None
    tag: str | None

    @property
    def instrument(self) -> str:
        return f"{self.exchange}:{self.tradingsymbol}"


def check(variety: str, form: Mapping[str, str]) -> OrderRequest:
    """The order in a form. Raises WireError."""
    _one_of("variety", variety, {"regular"})
    order_type = _one_of("order_type", form.get("order_type"), {"MARKET", "LIMIT"})
    return OrderRequest(
        exchange=_one_of("exchange", form.get("exchange"), EXCHANGES),
        tradingsymbol=_symbol(form.get("tradingsymbol", "")),
        transaction_type=_one_of("transaction_type", form.get("transaction_type"), {"BUY", "SELL"}),
        quantity=_quantity(form.get("quantity", "")),
        product=_one_of("product", form.get("product"), PRODUCTS),
        order_type=order_type,
        validity=_one_of("validity", form.get("validity", "DAY"), {"DAY", "IOC"}),
        price=_price(form.get("price", "")) if order_type == "LIMIT" else None,
        market_protection=_protection(form.get("market_protection", "")) if order_type == "MARKET" else None,
        tag=_tag(form.get("tag")),
    )


def _one_of(name: str, value: str | None, known: Collection[str]) -> str:
    if value is None or value not in known:
        raise bad_input(f"Invalid `{name}`.")
    return value


def _symbol(value: str) -> str:
    if not _SYMBOL.fullmatch(value):
        raise bad_input("Invalid `tradingsymbol`.")
    return value


def _quantity(value: str) -> int:
    if not _QUANTITY.fullmatch(value) or int(value) < 1:
        raise bad_input("Invalid `quantity`.")
    return int(value)


def _tag(value: str | None) -> str | None:
    if value and not _TAG.fullmatch(value):
        raise bad_input("Invalid `tag`. It should be alphanumeric and at most 20 characters.")
    return value or None


def _price(value: str) -> int:
    paise = _number("price", value) * 100
    if paise <= 0 or paise % TICK:
        raise bad_input("Invalid `price`. It should be a multiple of the tick size.")
    return int(paise)


def _protection(value: str) -> str:
    if not value:
        raise bad_input("Market orders without market protection are not allowed.")
    percent = _number("market_protection", value)
    if percent != -1 and not 0 < percent <= 100:
        _refuse("market_protection")
    return value


def _number(name: str, value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        _refuse(name)
    if not number.is_finite() or abs(number) > 10_000_000:
        _refuse(name)
    return number


def _refuse(name: str) -> NoReturn:
    raise bad_input(f"Invalid `{name}`.")
