"""What an account has used of a day at a broker, and of the last minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, DateTime, Numeric, Row, String, text
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import TextualSelect
from ulid import ULID

from api_contract import ids
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.risk.days import Day
from pulse_core.risk.rules import DayUsed

MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
# The same as that of the statement that accepts an order.
ONE_OF_ITS_ACCOUNT = "SELECT pg_advisory_xact_lock(hashtextextended(%(new_account_id)s, 0))"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:account_id, 0))")


@dataclass(frozen=True)
class Used:
    """What an account has `placed` in the last minute, at whatever broker account, and what counts for its day."""

    placed: int
    day: DayUsed


def binds(account_id: str, day: Day, now: datetime, left_out: str = "") -> dict[str, Any]:
    """The parameters of the statement: the order with the id `left_out` does not count."""
    return {
        "account_id": account_id,
        "broker_account": day.broker_account,
        "day_began": day.began,
        "day_ends": day.ends,
        "minute_ago": now - MINUTE,
        "least_id": least_id(now - MINUTE),
        "least_id_of_day": least_id(day.began - A_DAY),
        "left_out": left_out,
    }


def wait_for_others(session: Session, account_id: str) -> None:
    """No other order of the account is accepted or changed until this transaction ends."""
    session.execute(_LOCK, {"account_id": account_id})


def read(connection: Connection | Session, account_id: str, day: Day, now: datetime, left_out: str = "") -> Used:
    """What was placed within the last minute, and what counts for the day."""
    return used(connection.execute(_DAY_USED, binds(account_id, day, now, left_out)).one())


def used(row: Row[Any]) -> Used:
    """What a row of the statement says."""
    return Used(row.placed, DayUsed(row.day_quantity, row.day_worth))


def sent(connection: Connection | Session, account_id: str, day: Day, but_for: Sequence[str]) -> DayUsed:
    """What was filled on the day, and what may be live now without these slices."""
    asked = {
        "account_id": account_id,
        "broker_account": day.broker_account,
        "day_began": day.began,
        "day_ends": day.ends,
        "least_id_of_day": least_id(day.began - A_DAY),
        "slice_ids": list(but_for),
    }
    row = connection.execute(_DAY_SENT, asked).one()
    return DayUsed(row.day_quantity, row.day_worth)


def statement() -> TextualSelect:
    """The statement, to be part of another."""
    texts = dict.fromkeys(("account_id", "broker_account", "least_id", "least_id_of_day", "left_out"), String())
    instants = dict.fromkeys(("minute_ago", "day_began", "day_ends"), DateTime(timezone=True))
    loaded = sql.load(__package__, "day_used", {**texts, **instants})
    return loaded.columns(placed=BigInteger(), day_quantity=BigInteger(), day_worth=Numeric())


def least_id(at: datetime) -> str:
    """The least id of an order that is made at this instant."""
    return ids.order_id(ULID.from_str(str(ULID.from_datetime(at))[:10] + "0" * 16))


def _load_day_sent() -> TextualSelect:
    texts = dict.fromkeys(("account_id", "broker_account", "least_id_of_day"), String())
    instants = dict.fromkeys(("day_began", "day_ends"), DateTime(timezone=True))
    statement = sql.load(__package__, "day_sent", {**texts, **instants, "slice_ids": ARRAY(String())})
    return statement.columns(day_quantity=BigInteger(), day_worth=Numeric())


_DAY_USED = statement()
_DAY_SENT = _load_day_sent().execution_options(**prepared("day_sent"))
