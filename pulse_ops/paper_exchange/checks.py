"""The form of an order: what each field may say, whatever is traded. `rules` knows what an instrument allows."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from pulse_ops.paper_exchange.errors import bad_input, not_here

EXCHANGES = frozenset({"NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX"})
PRODUCTS = frozenset({"CNC", "NRML", "MIS", "MTF"})
ORDER_TYPES = frozenset({"MARKET", "LIMIT", "SL", "SL-M"})
VALIDITIES = frozenset({"DAY", "IOC", "TTL"})
VARIETIES = frozenset({"regular", "amo"})
# Kite has them too.
_ELSEWHERE = frozenset({"co", "iceberg", "auction", "bo"})
LONGEST_TTL = 360

_SYMBOL = re.compile(r"[A-Z0-9& -]{1,32}")
_TAG = re.compile(r"[A-Za-z0-9]{1,20}")
_QUANTITY = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True)
class OrderRequest:
    """A placement that passed the checks. Prices are paise; a market order has none, only a stop has a trigger."""

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
    variety: str = "regular"
    trigger_price: int | None = None
    validity_ttl: int | None = None
    disclosed_quantity: int = 0

    @property
    def instrument(self) -> str:
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def is_stop(self) -> bool:
        return self.order_type in ("SL", "SL-M")


def check(variety: str, form: Mapping[str, str]) -> OrderRequest:
    """The order in a form. Raises WireError."""
    check_variety(variety)
    if form.get("autoslice", "false").lower() == "true":
        raise not_here("The paper exchange does not slice orders: `autoslice` puts one tag on all its pieces.")
    order_type = _one_of("order_type", form.get("order_type"), ORDER_TYPES)
    validity = _one_of("validity", form.get("validity", "DAY"), VALIDITIES)
    return OrderRequest(
        exchange=_one_of("exchange", form.get("exchange"), EXCHANGES),
        tradingsymbol=_symbol(form.get("tradingsymbol", "")),
        transaction_type=_one_of("transaction_type", form.get("transaction_type"), {"BUY", "SELL"}),
        quantity=quantity_of("quantity", form.get("quantity", "")),
        product=_one_of("product", form.get("product"), PRODUCTS),
        order_type=order_type,
        validity=validity,
        price=limit_of(order_type, form),
        market_protection=protection_of(order_type, form),
        tag=_tag(form.get("tag")),
        variety=variety,
        trigger_price=trigger_of(order_type, form),
        validity_ttl=ttl_of(validity, form),
        disclosed_quantity=_disclosed(form),
    )


def check_variety(variety: str) -> None:
    """Raise WireError unless orders of this variety are taken."""
    if variety in _ELSEWHERE:
        raise not_here(f"The paper exchange has no orders of variety {variety}: place regular or amo ones.")
    _one_of("variety", variety, VARIETIES)


def limit_of(order_type: str, form: Mapping[str, str]) -> int | None:
    """The limit of an order that has one. Raises WireError."""
    return price_of("price", form.get("price", "")) if order_type in ("LIMIT", "SL") else None


def trigger_of(order_type: str, form: Mapping[str, str]) -> int | None:
    """What sets a stop off. Raises WireError."""
    return price_of("trigger_price", form.get("trigger_price", "")) if order_type in ("SL", "SL-M") else None


def protection_of(order_type: str, form: Mapping[str, str]) -> str | None:
    """How far a market order may go. Raises WireError."""
    if order_type not in ("MARKET", "SL-M"):
        return None
    value = form.get("market_protection", "")
    if value in ("", "0"):
        raise bad_input(
            "Market orders without market protection are not allowed via API."
            " Please set market protection or use a Limit order."
        )
    percent = _number("market_protection", value)
    if percent != -1 and not 0 < percent <= 100:
        _refuse("market_protection")
    return value


def ttl_of(validity: str, form: Mapping[str, str]) -> int | None:
    """How many minutes an order lives that has a time to live. Raises WireError."""
    if validity != "TTL":
        return None
    minutes = quantity_of("validity_ttl", form.get("validity_ttl", ""))
    if minutes > LONGEST_TTL:
        _refuse("validity_ttl")
    return minutes


def quantity_of(name: str, value: str) -> int:
    """A number of shares, or of minutes. Raises WireError."""
    if not _QUANTITY.fullmatch(value) or int(value) < 1:
        _refuse(name)
    return int(value)


def price_of(name: str, value: str) -> int:
    """A price in paise. Raises WireError."""
    paise = _number(name, value) * 100
    if paise <= 0 or paise % 1:
        _refuse(name)
    return int(paise)


def _one_of(name: str, value: str | None, known: Collection[str]) -> str:
    if value is None or value not in known:
        _refuse(name)
    return value


def _symbol(value: str) -> str:
    if not _SYMBOL.fullmatch(value):
        _refuse("tradingsymbol")
    return value


def _tag(value: str | None) -> str | None:
    if value and not _TAG.fullmatch(value):
        raise bad_input("Invalid `tag`. It should be alphanumeric and at most 20 characters.")
    return value or None


def _disclosed(form: Mapping[str, str]) -> int:
    value = form.get("disclosed_quantity") or "0"
    return 0 if value == "0" else quantity_of("disclosed_quantity", value)


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
