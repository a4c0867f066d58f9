"""Alpaca's calendar of the stock market: its open days. https://docs.alpaca.markets/reference/getcalendar-1"""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from pulse_core.brokers.market_days import BrokerDay

# What is listed on any of them keeps the hours that it tells.
EXCHANGES = frozenset({"AMEX", "ARCA", "BATS", "NASDAQ", "NYSE"})


def read_days(rows: Sequence[Mapping[str, Any]]) -> list[BrokerDay]:
    """The days of an answer, by their date, with times of New York. Raises ValueError, KeyError or TypeError."""
    days = [_day(row) for row in rows]
    if len({one.day for one in days}) < len(days):
        raise ValueError("a day is told twice")
    return sorted(days, key=lambda one: one.day)


def _day(row: Mapping[str, Any]) -> BrokerDay:
    found = BrokerDay(
        date.fromisoformat(row["date"]), time.fromisoformat(row["open"]), time.fromisoformat(row["close"])
    )
    if found.opens >= found.closes:
        raise ValueError("a day ends before it begins")
    return found
