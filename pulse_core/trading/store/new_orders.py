"""Orders that are accepted: one statement, which looks at what the account has open and has used."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    DateTime,
    Integer,
    Numeric,
    String,
    Table,
    TextualSelect,
    bindparam,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.expression import Select

from api_contract.vocabulary import OrderStatus
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.trading.store import day_used
from pulse_core.trading.store.day_used import ONE_OF_ITS_ACCOUNT
from pulse_core.trading.store.room import Load, Room
from pulse_core.trading.tables import Order


def add(connection: Connection, order: dict[str, Any], room: Room | None) -> Load | None:
    """Insert a PENDING order with its first event; None when that was done.

    Otherwise the account has used its unique key before, or has so much open that there is no room for the order. One
    round trip, as every order takes this step while its client waits. Those of one account wait for each other, so that
    together they find no more room than there is.
    """
    binds = {f"new_{name}": value for name, value in order.items()}
    if room is None:
        return None if connection.execute(_ADD, binds).one_or_none() else Load()
    asked = binds | room.binds(order["account_id"], order["num_splits"], order["created_at"])
    row = connection.execute(_ADD_WITHIN if room.of_day is None else _ADD_WITHIN_LIMITS, asked).one()
    if row.id:
        return None
    used = None if room.of_day is None else day_used.used(row)
    return Load(row.orders, row.slices, row.due, used)


def load_of(connection: Connection, account_id: str, asked: int, room: Room, now: datetime) -> Load:
    """What an account has open, as it counts where it asks for so many slices more."""
    binds = replace(room, of_day=None).binds(account_id, asked, now)
    row = connection.execute(_LOAD, binds).one()
    return Load(row.orders, row.slices, row.due)


_ORDERS, _EVENTS = (one.__table__ for one in (Order, SliceEvent) if isinstance(one.__table__, Table))


_LATER = {"status", "result", "skip_reason", "filled_quantity", "average_price", "finished_at", "archived_at"}


_LATER |= {"hold", "held_since", "hold_message", "recheck_at", "ask_at", "recalls_working"}


_LATER |= {"planned_end_at", "pace_interval", "most_per_interval", "not_fitting_quantity", "not_fitting_reason"}


def _add_statement() -> Select[Any]:
    stated: dict[str, Any] = {one.name: bindparam(f"new_{one.name}") for one in _ORDERS.c if one.name not in _LATER}
    added = (
        insert(_ORDERS)
        .values(**stated, status=OrderStatus.PENDING, filled_quantity=0)
        .on_conflict_do_nothing(index_elements=["account_id", "order_unique_key"])
        .returning(_ORDERS.c.id, _ORDERS.c.account_id, _ORDERS.c.created_at)
        .cte("added")
    )
    return select(added.c.id).add_cte(_told(added))


def _told(added: CTE) -> CTE:
    kind, to = literal(EventKind.MOVE, _EVENTS.c.kind.type), literal(OrderStatus.PENDING.value)
    event = select(added.c.account_id, added.c.id, added.c.created_at, kind, to, literal({}, _EVENTS.c.detail.type))
    told = insert(_EVENTS).from_select(["account_id", "order_id", "at", "kind", "to_status", "detail"], event)
    return told.cte("told")


def _add_within_statement(*, of_day: bool = False) -> Select[Any]:
    """The same where the account has room for it, and what it has open; with `of_day`, what it has used, too."""
    load = _account_load().cte("load")
    used = day_used.statement().cte("used")
    stated = {one.name: bindparam(f"new_{one.name}", type_=one.type) for one in _ORDERS.c if one.name not in _LATER}
    first = {"status": literal(OrderStatus.PENDING, _ORDERS.c.status.type), "filled_quantity": literal(0, BigInteger())}
    row = select(*(value.label(name) for name, value in (stated | first).items())).where(
        load.c.orders < bindparam("most_orders", type_=Integer),
        load.c.slices + stated["num_splits"] <= bindparam("most_slices", type_=Integer),
        load.c.due + stated["num_splits"] <= bindparam("most_due", type_=Integer),
    )
    if of_day:
        row = row.select_from(load.join(used, true())).where(
            used.c.placed < bindparam("most_placed", type_=Integer),
            used.c.day_quantity + stated["total_quantity"] <= bindparam("most_quantity", type_=BigInteger),
            used.c.day_worth + bindparam("worth", type_=Numeric) <= bindparam("most_worth", type_=Numeric),
        )
    added = (
        insert(_ORDERS)
        .from_select([*stated, *first], row)
        .on_conflict_do_nothing(index_elements=["account_id", "order_unique_key"])
        .returning(_ORDERS.c.id, _ORDERS.c.account_id, _ORDERS.c.created_at)
        .cte("added")
    )
    found = select(added.c.id, load.c.orders, load.c.slices, load.c.due)
    seen = load.outerjoin(added, true())
    if of_day:
        found, seen = found.add_columns(*used.c), seen.join(used, true())
    return found.select_from(seen).add_cte(_told(added))


def _account_load() -> TextualSelect:
    counts = dict.fromkeys(("asked", "most_slices", "most_due"), Integer())
    instants = dict.fromkeys(("due_since", "due_by"), DateTime(timezone=True))
    statement = sql.load(__package__, "account_load", {"account_id": String(), **counts, **instants})
    return statement.columns(orders=BigInteger(), slices=BigInteger(), due=BigInteger())


# Made once: building a statement costs more than running it.
_ADD = _add_statement().execution_options(**prepared("add_order"))


_LOAD = _account_load()


_ADD_WITHIN = _add_within_statement().execution_options(**prepared("add_order_within", ONE_OF_ITS_ACCOUNT))


_ADD_WITHIN_LIMITS = _add_within_statement(of_day=True).execution_options(
    **prepared("add_order_within_limits", ONE_OF_ITS_ACCOUNT)
)
