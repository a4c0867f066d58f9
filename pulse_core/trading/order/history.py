"""Everything that happened to one order and its slices, of whatever account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api_contract.errors import NotFound
from pulse_core import db
from pulse_core.events.names import EventKind
from pulse_core.trading.order.queries import check_not_archived
from pulse_core.trading.store import events, orders, slices


@dataclass(frozen=True)
class Happening:
    """One thing that happened to an order, or to the slice of this id."""

    at: datetime
    kind: EventKind
    slice_id: str | None
    from_status: str | None
    to_status: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class OrderHistory:
    """An order's happenings, oldest first, and the ids by which its log lines are known.

    `trace` holds the ids of the request that placed it, `sequence_numbers` the places of its slices by their ids.
    """

    order_id: str
    account_id: str
    created_at: datetime
    num_splits: int
    trace: Mapping[str, str]
    sequence_numbers: Mapping[str, int]
    happenings: Sequence[Happening]


def order_history(order_id: str) -> OrderHistory:
    """What the database knows of the life of an order. Raises NotFound, or Archived."""
    with db.transaction() as session:
        order = orders.get(session, order_id)
        if order is None:
            raise NotFound(f"there is no order {order_id}")
        check_not_archived(order)
        return OrderHistory(
            order_id=order.id,
            account_id=order.account_id,
            created_at=order.created_at,
            num_splits=order.num_splits,
            trace=order.trace,
            sequence_numbers={one.id: one.sequence_number for one in slices.of_order(session, order_id)},
            happenings=[
                Happening(one.at, one.kind, one.slice_id, one.from_status, one.to_status, one.detail)
                for one in events.of_order(session, order_id)
            ],
        )
