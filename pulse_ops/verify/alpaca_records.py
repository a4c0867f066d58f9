"""Read what Alpaca says: every order and fill, page by page, in the words that the judge knows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from pulse_ops.archive.ledger import OF_ALPACA, put_back
from pulse_ops.verify import broker_records
from pulse_ops.verify.facts import BrokerBooks, BrokerOrderRow, BrokerTradeRow

_STATUSES = {
    "filled": "COMPLETE",
    "canceled": "CANCELLED",
    "expired": "CANCELLED",
    "replaced": "CANCELLED",
    "rejected": "REJECTED",
}
_ORDERS_OF_A_PAGE, _FILLS_OF_A_PAGE = 500, 100
# Of orders of one instant some may stand on the next page.
_OVERLAP = timedelta(milliseconds=1)


def from_alpaca(url: str, api_key: str, api_secret: str) -> BrokerBooks:
    """Its orders and fills of all time. Raises requests.RequestException, KeyError or ValueError."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"APCA-API-KEY-ID": api_key, "APCA-API-SECRET-KEY": api_secret})
        orders, fills = _orders(session, url), _fills(session, url)
    return BrokerBooks([_order(row) for row in orders if _is_whole(row)], [_fill(row) for row in fills])


def from_ledger(path: Path) -> BrokerBooks:
    """The whole ledger of a paper exchange that speaks Alpaca's protocol, running or not. Raises sqlite3.Error."""
    books = broker_records.from_ledger(path)
    return replace(books, trades=[replace(one, trade_id=_activity_id(one)) for one in books.trades])


def with_archive(books: BrokerBooks, archive: Path) -> BrokerBooks:
    """The books of such an exchange with what is in the archive only. Raises Damaged of the archive, sqlite3.Error."""
    with put_back(archive, OF_ALPACA) as ledger:
        return broker_records.together(from_ledger(ledger), books)


def _activity_id(trade: BrokerTradeRow) -> str:
    """As the exchange shows the trade: its instant to the millisecond comes first."""
    return f"{trade.traded_at.astimezone(UTC):%Y%m%d%H%M%S%f}"[:17] + f"::{trade.trade_id}"


def _orders(session: requests.Session, url: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    after = datetime(1970, 1, 1, tzinfo=UTC)
    while True:
        terms = {"status": "all", "direction": "asc", "limit": _ORDERS_OF_A_PAGE, "after": after.isoformat()}
        page = _page(session, f"{url}/v2/orders", terms)
        new = {row["id"]: row for row in page if row["id"] not in found}
        found |= new
        if len(page) < _ORDERS_OF_A_PAGE:
            return list(found.values())
        if not new:
            raise ValueError("more orders were submitted in an instant than a page shows")
        after = datetime.fromisoformat(page[-1]["submitted_at"]) - _OVERLAP


def _fills(session: requests.Session, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    terms: dict[str, Any] = {"direction": "asc", "page_size": _FILLS_OF_A_PAGE}
    while True:
        page = _page(session, f"{url}/v2/account/activities/FILL", terms)
        found += page
        if len(page) < _FILLS_OF_A_PAGE:
            return found
        terms["page_token"] = page[-1]["id"]


def _page(session: requests.Session, url: str, terms: dict[str, Any]) -> list[dict[str, Any]]:
    answer = session.get(url, params=terms, timeout=30)
    answer.raise_for_status()
    rows: list[dict[str, Any]] = answer.json()
    return rows


def _is_whole(row: dict[str, Any]) -> bool:
    """Others may order parts of shares, or for a sum of money."""
    return row["qty"] is not None and Decimal(row["qty"]) % 1 == 0 and Decimal(row["filled_qty"]) % 1 == 0


def _order(row: dict[str, Any]) -> BrokerOrderRow:
    status = _STATUSES.get(row["status"], "OPEN")
    return BrokerOrderRow(row["id"], row["client_order_id"], status, int(row["qty"]), int(row["filled_qty"]))


def _fill(row: dict[str, Any]) -> BrokerTradeRow:
    traded_at = datetime.fromisoformat(row["transaction_time"])
    return BrokerTradeRow(row["id"], row["order_id"], int(Decimal(row["qty"])), Decimal(row["price"]), traded_at)
