"""Accounts and orders with defaults, made through the services."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from ulid import ULID

from api_contract import ids
from api_contract.order_rules import NewOrder
from api_contract.scopes import Role
from api_contract.vocabulary import Side
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.identity.store import accounts
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.store import alarms, events, orders, slices
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.tables import Order, OrderSlice


def an_account(account_id: str | None = None) -> str:
    """The id of a new account that nobody can log in to."""
    account_id = account_id or ids.account_id(ULID())
    with db.transaction() as session:
        accounts.add(session, account_id, account_id.lower(), "no hash", Role.TRADER, utcnow())
    return account_id


def a_new_order(**changes: Any) -> NewOrder:
    stated: dict[str, Any] = {
        "order_unique_key": f"key-{secrets.token_hex(8)}",
        "instrument": "NSE:RELIANCE",
        "side": Side.BUY,
        "total_quantity": 100,
        "num_splits": 5,
        "duration_minutes": 60,
        "randomize": False,
    }
    return NewOrder(**{**stated, **changes})


def an_order(now: datetime | None = None, account_id: str | None = None, **changes: Any) -> str:
    """The id of an accepted order, not split yet."""
    account = account_id or an_account()
    return submit_order(account, a_new_order(**changes), now or utcnow()).order_id


def a_split_order(now: datetime | None = None, account_id: str | None = None, **changes: Any) -> str:
    """The id of an order in progress; its first slice is due at `now`."""
    now = now or utcnow()
    order_id = an_order(now, account_id, **changes)
    split_orders([order_id], now)
    return order_id


def without_pace(order_id: str) -> None:
    """Let as much of an order go out at once as is due."""
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == order_id).values(most_per_interval=None, pace_interval=None))


def an_alarm(about: OrderSlice, code: AlarmCode = AlarmCode.TURNED_UP, **detail: str) -> str:
    """The id of the alarm of a slice, which is raised now."""
    with db.transaction() as session:
        events.alarm(session, code, about.order_id, about.id, utcnow(), **detail)
        [found] = alarms.page(session, AlarmFilters(code=code, order_id=about.order_id), 1, None)
        return found.id


def order(order_id: str) -> Order:
    with db.transaction() as session:
        found = orders.lock(session, order_id)
    assert found is not None
    return found


def slices_of(order_id: str) -> Sequence[OrderSlice]:
    with db.transaction() as session:
        return slices.of_order(session, order_id)


def a_slice(slice_id: str) -> OrderSlice:
    with db.transaction() as session:
        found = slices.get(session, slice_id)
    assert found is not None
    return found


def sessions_waiting_for_a_lock() -> int:
    with db.transaction() as session:
        return session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) or 0


def later(seconds: float) -> datetime:
    return utcnow() + timedelta(seconds=seconds)


def settle_delay() -> timedelta:
    """How long a slice must be absent from the book, and a moment more: a reading takes time."""
    delay = settings().settle_delay
    assert delay != "never"
    return timedelta(seconds=delay + 1)


def watch_the_book(since: datetime, until: datetime) -> None:
    """Look into the book again and again, as the sweep does, for the last time at `until`."""
    while since < until:
        resolve_slices(since)
        since += timedelta(seconds=5)
    resolve_slices(until)
