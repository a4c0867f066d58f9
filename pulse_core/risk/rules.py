"""Which limit something would pass. Pure: limits, terms and prices in, a refusal or None out."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TypeVar

from api_contract.errors import RiskLimit
from api_contract.risk_rules import LimitName, RiskLimits
from api_contract.vocabulary import Product

Number = int | Decimal
N = TypeVar("N", int, Decimal)
PERCENT = Decimal(100)
PLACES = Decimal("0.01")
NO_LIMITS = RiskLimits()


@dataclass(frozen=True)
class Terms:
    """What of an order is held to limits. `last_price` is that of its instrument, None where it is not known."""

    instrument: str
    product: Product
    quantity: int
    limit_price: Decimal | None
    last_price: Decimal | None

    @property
    def price(self) -> Decimal | None:
        """What a unit of it is reckoned at."""
        return self.limit_price if self.limit_price is not None else self.last_price

    @property
    def worth(self) -> Decimal | None:
        """What all of it is reckoned at; None where no price is known."""
        return None if self.price is None else self.price * self.quantity


@dataclass(frozen=True)
class DayUsed:
    """What counts for a day of an account: what was filled, and what its open orders may still come to."""

    quantity: int = 0
    worth: Decimal = Decimal(0)


def merged(own: RiskLimits, default: RiskLimits) -> RiskLimits:
    """What holds for an account: its own where it has some, else what holds for all."""
    found = {one.name: getattr(own, one.name) for one in fields(RiskLimits)}
    return RiskLimits(**{name: getattr(default, name) if own is None else own for name, own in found.items()})


def needs_price(limits: RiskLimits, limit_price: Decimal | None) -> bool:
    """Whether the last price decides whether an order passes a limit."""
    if limit_price is not None:
        return limits.price_collar_percent is not None
    return limits.order_worth is not None or limits.day_worth is not None


def has_day(limits: RiskLimits) -> bool:
    """Whether what was used of the day decides."""
    return limits.day_quantity is not None or limits.day_worth is not None


def check_terms(limits: RiskLimits, terms: Terms) -> None:
    """Raise RiskLimit for an order that passes a limit by itself, whatever else there is."""
    _check_allowed(limits, terms)
    _check(LimitName.ORDER_QUANTITY, limits.order_quantity, 0, terms.quantity, "units of an order")
    if terms.worth is not None:
        _check(LimitName.ORDER_WORTH, limits.order_worth, Decimal(0), terms.worth, "for an order")
    _check_collar(limits, terms)


def check_standing(limits: RiskLimits, terms: Terms) -> None:
    """Raise RiskLimit for what may have changed since an order was accepted: what is allowed, and the last price."""
    _check_allowed(limits, terms)
    _check_collar(limits, terms)


def check_share(limits: RiskLimits, quantity: int, usual_volume: int | None) -> None:
    """Raise RiskLimit for an order of too much of a usual day's volume. Where that is not known, nothing is checked."""
    percent = limits.volume_share_percent
    if percent is None or not usual_volume:
        return
    share = quantity * PERCENT / usual_volume
    if share > percent:
        message = (
            f"the order would be {_shown(share.quantize(PLACES))} % of what is traded on a usual day, {usual_volume},"
            f" and may be {_shown(percent)} %"
        )
        numbers = {"most": _shown(percent), "asked": _shown(share.quantize(PLACES)), "usual_volume": usual_volume}
        raise RiskLimit(message, {"limit": str(LimitName.VOLUME_SHARE), **numbers})


def check_day(limits: RiskLimits, used: DayUsed, quantity: int, worth: Decimal | None) -> None:
    """Raise RiskLimit where so much more would pass what a day allows. A worth that is not known counts as none."""
    _check(LimitName.DAY_QUANTITY, limits.day_quantity, used.quantity, quantity, "units a day")
    _check(LimitName.DAY_WORTH, limits.day_worth, used.worth, worth or Decimal(0), "a day")


def left(most: N | None, used: N) -> N | None:
    """What is left of a limit, 0 at least; None without one."""
    if most is None:
        return None
    return most - used if used < most else most - most


def refusal(name: str, most: Number, accepted: Number, asked: Number, message: str) -> RiskLimit:
    """The refusal of what would pass a limit, with the numbers; those with decimals as text."""
    room = max(most - accepted, Decimal(0) if isinstance(most, Decimal) else 0)
    numbers = {"most": most, "accepted": accepted, "asked": asked, "left": room}
    shown = {key: _shown(value) for key, value in numbers.items()}
    return RiskLimit(message, {"limit": str(name), **shown})


def _check(name: LimitName, most: Number | None, used: Number, asked: Number, of_what: str) -> None:
    if most is None or used + asked <= most:
        return
    told = f", and {_shown(used)} is used already" if used else ""
    message = f"{_shown(asked)} more would pass the account's limit of {_shown(most)} {of_what}{told}"
    raise refusal(name, most, used, asked, message)


def _check_allowed(limits: RiskLimits, terms: Terms) -> None:
    asked: dict[LimitName, tuple[object, str]] = {
        LimitName.INSTRUMENTS: (limits.instruments, terms.instrument),
        LimitName.PRODUCTS: (limits.products, terms.product),
    }
    for name, (allowed, wanted) in asked.items():
        if allowed is not None and wanted not in allowed:  # type: ignore[operator]
            raise RiskLimit(f"the account may not trade {wanted}", {"limit": str(name), "asked": str(wanted)})


def _check_collar(limits: RiskLimits, terms: Terms) -> None:
    percent, limit_price, last_price = limits.price_collar_percent, terms.limit_price, terms.last_price
    if percent is None or limit_price is None or not last_price:
        return
    away = abs(limit_price - last_price) * PERCENT / last_price
    if away > percent:
        message = (
            f"limit_price {_shown(limit_price)} lies {_shown(away.quantize(PLACES))} % from the last price"
            f" {_shown(last_price)}, and may lie {_shown(percent)} %"
        )
        details = {"limit_price": _shown(limit_price), "last_price": _shown(last_price)}
        raise RiskLimit(
            message,
            {"limit": str(LimitName.PRICE_COLLAR), "most": _shown(percent), "asked": _shown(away.quantize(PLACES))}
            | details,
        )


def _shown(number: Number | None) -> str | int | None:
    return format(number, "f") if isinstance(number, Decimal) else number
