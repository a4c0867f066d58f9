"""Read what the broker says: the paper exchange's ledger, or Zerodha's books of the day."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from pulse_ops.archive.ledger import put_back
from pulse_ops.paper_exchange.ledger import Ledger
from pulse_ops.verify.facts import ArrivalRow, BrokerBooks, BrokerOrderRow, BrokerTradeRow

_INDIA = timezone(timedelta(hours=5, minutes=30))


def from_ledger(path: Path) -> BrokerBooks:
    """The whole ledger of a paper exchange, running or not. Raises sqlite3.Error."""
    with Ledger(path) as ledger:
        # Before the orders: of an exchange that goes on trading each trade's order is among them.
        trades = ledger.trades()
        return BrokerBooks(
            [
                BrokerOrderRow(
                    order_id=row.order_id,
                    tag=row.tag,
                    status=row.status,
                    quantity=row.quantity,
                    filled_quantity=row.filled_quantity,
                    placed_at=row.placed_at,
                    ended_at=row.ended_at,
                    visible_at=row.visible_at,
                )
                for row in ledger.orders()
            ],
            [BrokerTradeRow(row.trade_id, row.order_id, row.quantity, row.price, row.traded_at) for row in trades],
            [ArrivalRow(row.tag, row.arrived_at, row.outcome, row.order_id) for row in ledger.arrivals()],
        )


def with_archive(books: BrokerBooks, archive: Path) -> BrokerBooks:
    """The books of a paper exchange with what is in the archive only. Raises Damaged of the archive, sqlite3.Error."""
    with put_back(archive) as ledger:
        return together(from_ledger(ledger), books)


def together(old: BrokerBooks, books: BrokerBooks) -> BrokerBooks:
    """What the books show, and beside it what is old. When an order ended may be known from there alone."""
    ended_at = {one.order_id: one.ended_at for one in old.orders}
    orders, trades = {one.order_id for one in books.orders}, {one.trade_id for one in books.trades}
    arrivals = {(one.tag, one.arrived_at) for one in books.arrivals or ()}
    return BrokerBooks(
        [
            *(one for one in old.orders if one.order_id not in orders),
            *(replace(one, ended_at=one.ended_at or ended_at.get(one.order_id)) for one in books.orders),
        ],
        [*(one for one in old.trades if one.trade_id not in trades), *books.trades],
        [*(one for one in old.arrivals or () if (one.tag, one.arrived_at) not in arrivals), *(books.arrivals or ())],
    )


def from_exchange(url: str) -> BrokerBooks:
    """The whole ledger of a running paper exchange. Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{url}/_paper/ledger", timeout=30)
    answer.raise_for_status()
    ledger: dict[str, list[dict[str, Any]]] = answer.json()
    return BrokerBooks(
        [_order(row) for row in ledger["orders"]],
        [_trade(row) for row in ledger["trades"]],
        [_arrival(row) for row in ledger["arrivals"]],
    )


def from_kite(url: str, api_key: str, access_token: str) -> BrokerBooks:
    """Kite's books of today, which tell no exact instants. Raises requests.RequestException, KeyError or ValueError."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"X-Kite-Version": "3", "Authorization": f"token {api_key}:{access_token}"})
        orders, trades = (_kite_rows(session, f"{url}/{book}") for book in ("orders", "trades"))
    return BrokerBooks([_kite_order(row) for row in orders], [_kite_trade(row) for row in trades])


def _kite_rows(session: requests.Session, url: str) -> list[dict[str, Any]]:
    answer = session.get(url, timeout=30)
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json(parse_float=Decimal)["data"]
    return rows


def _kite_order(row: dict[str, Any]) -> BrokerOrderRow:
    return BrokerOrderRow(row["order_id"], row["tag"] or None, row["status"], row["quantity"], row["filled_quantity"])


def _kite_trade(row: dict[str, Any]) -> BrokerTradeRow:
    traded_at = datetime.strptime(row["fill_timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=_INDIA)
    return BrokerTradeRow(row["trade_id"], row["order_id"], row["quantity"], Decimal(row["average_price"]), traded_at)


def _order(row: dict[str, Any]) -> BrokerOrderRow:
    return BrokerOrderRow(
        row["order_id"],
        row["tag"],
        row["status"],
        row["quantity"],
        row["filled_quantity"],
        _instant(row["placed_at"]),
        _instant(row["ended_at"]) if row["ended_at"] else None,
        _instant(row["visible_at"]),
    )


def _arrival(row: dict[str, Any]) -> ArrivalRow:
    return ArrivalRow(row["tag"], _instant(row["arrived_at"]), row["outcome"], row["order_id"])


def _trade(row: dict[str, Any]) -> BrokerTradeRow:
    return BrokerTradeRow(
        row["trade_id"], row["order_id"], row["quantity"], Decimal(row["price"]), _instant(row["traded_at"])
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
