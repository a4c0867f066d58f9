"""Holdings, positions and funds as Kite writes them."""

from collections.abc import Callable
from typing import Any

from pulse_ops.paper_exchange.instruments.listing import cash as cash_list
from pulse_ops.paper_exchange.instruments.listing import token_of
from pulse_ops.paper_exchange.user.account import PLENTY_OF_SHARES, Account, Held
from pulse_ops.paper_exchange.user.positions import Position, positions
from pulse_ops.paper_exchange.wire import rupees

PriceOf = Callable[[str], int]

_NOTHING_USED = (
    "span",
    "exposure",
    "option_premium",
    "m2m_realised",
    "m2m_unrealised",
    "payout",
    "holding_sales",
    "turnover",
    "liquid_collateral",
    "stock_collateral",
    "delivery",
)


def funds(account: Account) -> dict[str, Any]:
    """The data of GET /user/margins."""
    return {"equity": _segment(account.cash(), account.used()), "commodity": _segment(0, 0)}


def holdings(account: Account, today: str, price_of: PriceOf) -> list[dict[str, Any]]:
    """The data of GET /portfolio/holdings: what there was at the beginning, and what was delivered since."""
    held = account.has.holdings
    if held is None:
        shares = (one for one in cash_list().values() if one.exchange == "NSE" and not one.is_index)
        held = {one.tradingsymbol: Held(quantity=PLENTY_OF_SHARES, average_price=rupees(one.price)) for one in shares}
    delivered = {one.symbol: one for one in account.delivered(today)}
    symbols = [*held, *(symbol for symbol in delivered if symbol not in held)]
    rows = [_holding(symbol, held.get(symbol), delivered.get(symbol), price_of) for symbol in symbols]
    for row in rows:
        left = account.held(row["tradingsymbol"])
        row["used_quantity"] = max(row["quantity"] - left, 0)
    return [row for row in rows if row["quantity"]]


def net_and_day(account_books: Any, today: str, price_of: PriceOf) -> dict[str, Any]:
    """The data of GET /portfolio/positions."""
    of_today = positions(account_books, None, since=today)
    carried = [one for one in positions(account_books, today) if one.product == "NRML" and one.quantity]
    overnight = {(one.key, one.product): one for one in carried}
    net = [_merged(one, overnight.pop((one.key, one.product), None)) for one in of_today]
    net += [(one, one.quantity) for one in overnight.values()]
    return {
        "net": [_position(one, nightly, price_of) for one, nightly in net],
        "day": [_position(one, 0, price_of) for one in of_today],
    }


def _segment(cash: int, used: int) -> dict[str, Any]:
    return {
        "enabled": True,
        "net": rupees(cash - used),
        "available": {
            "adhoc_margin": 0,
            "cash": rupees(cash),
            "opening_balance": rupees(cash),
            "live_balance": rupees(cash - used),
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {"debits": rupees(used), **dict.fromkeys(_NOTHING_USED, 0)},
    }


def _holding(symbol: str, held: Held | None, delivered: Position | None, price_of: PriceOf) -> dict[str, Any]:
    began = held or Held(quantity=0)
    more = delivered.quantity if delivered else 0
    last = rupees(price_of(f"NSE:{symbol}"))
    average = float(began.average_price) if held else (delivered.average_price if delivered else 0.0)
    quantity = began.quantity + more
    return {
        "tradingsymbol": symbol,
        "exchange": "NSE",
        "instrument_token": token_of(f"NSE:{symbol}"),
        "isin": "",
        "product": "CNC",
        "price": 0,
        "quantity": quantity,
        "used_quantity": 0,
        "t1_quantity": 0,
        "realised_quantity": quantity,
        "authorised_quantity": quantity,
        "authorised_date": "",
        "authorisation": {},
        "opening_quantity": began.quantity,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": average,
        "last_price": last,
        "close_price": last,
        "pnl": round((last - average) * quantity, 2),
        "day_change": 0,
        "day_change_percentage": 0,
    }


def _merged(of_today: Position, before: Position | None) -> tuple[Position, int]:
    if before is None:
        return of_today, 0
    both = Position(of_today.exchange, of_today.symbol, of_today.product)
    both.bought, both.bought_for = of_today.bought + before.bought, of_today.bought_for + before.bought_for
    both.sold, both.sold_for = of_today.sold + before.sold, of_today.sold_for + before.sold_for
    return both, before.quantity


def _position(one: Position, overnight: int, price_of: PriceOf) -> dict[str, Any]:
    last = price_of(one.key)
    value = one.sold_for - one.bought_for
    pnl = value + one.quantity * last
    bought = round(one.bought_for / one.bought / 100, 4) if one.bought else 0
    sold = round(one.sold_for / one.sold / 100, 4) if one.sold else 0
    return {
        "tradingsymbol": one.symbol,
        "exchange": one.exchange,
        "instrument_token": token_of(one.key),
        "product": one.product,
        "quantity": one.quantity,
        "overnight_quantity": overnight,
        "multiplier": 1,
        "average_price": one.average_price,
        "close_price": 0,
        "last_price": rupees(last),
        "value": rupees(value),
        "pnl": rupees(pnl),
        "m2m": rupees(pnl),
        "unrealised": rupees(pnl),
        "realised": 0,
        "buy_quantity": one.bought,
        "buy_price": bought,
        "buy_value": rupees(one.bought_for),
        "buy_m2m": rupees(one.bought_for),
        "sell_quantity": one.sold,
        "sell_price": sold,
        "sell_value": rupees(one.sold_for),
        "sell_m2m": rupees(one.sold_for),
        "day_buy_quantity": one.bought,
        "day_buy_price": bought,
        "day_buy_value": rupees(one.bought_for),
        "day_sell_quantity": one.sold,
        "day_sell_price": sold,
        "day_sell_value": rupees(one.sold_for),
    }
