"""What is traded behind this wire: assets as Alpaca lists them, numbers as texts."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from uuid import NAMESPACE_DNS, uuid5


@dataclass(frozen=True)
class Asset:
    """One line of the list. Increments are None where Alpaca states none, as for most stocks."""

    symbol: str
    exchange: str
    name: str
    is_active: bool
    is_tradable: bool
    is_fractionable: bool
    min_order_size: str | None
    min_trade_increment: str | None
    price_increment: str | None


@cache
def assets() -> Mapping[str, Asset]:
    """Every asset by its symbol."""
    text = (resources.files(__package__) / "assets.csv").read_text("utf-8")
    return {row["symbol"]: _asset(row) for row in csv.DictReader(text.splitlines())}


def asset_row(one: Asset) -> dict[str, Any]:
    """An asset as it is written."""
    row: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_DNS, f"{one.symbol}.assets")),
        "class": "us_equity",
        "exchange": one.exchange,
        "symbol": one.symbol,
        "name": one.name,
        "status": "active" if one.is_active else "inactive",
        "tradable": one.is_tradable,
        "marginable": one.is_tradable,
        "shortable": one.is_tradable,
        "easy_to_borrow": one.is_tradable,
        "fractionable": one.is_fractionable,
        "attributes": [],
    }
    stated = {name: getattr(one, name) for name in ("min_order_size", "min_trade_increment", "price_increment")}
    return row | {name: value for name, value in stated.items() if value is not None}


def _asset(row: Mapping[str, str]) -> Asset:
    return Asset(
        symbol=row["symbol"],
        exchange=row["exchange"],
        name=row["name"],
        is_active=row["status"] == "active",
        is_tradable=row["tradable"] == "true",
        is_fractionable=row["fractionable"] == "true",
        min_order_size=row["min_order_size"] or None,
        min_trade_increment=row["min_trade_increment"] or None,
        price_increment=row["price_increment"] or None,
    )
