"""The two steps of slices on their way to the broker and back, each one statement that commits by itself.

Every slice takes them, and many at the same instant: what `slices.move`, `placements` and `events` do in several round
trips is here one, for all slices of a batch. Both are compare-and-set for each slice, write it, its placement and its
events together or not at all, and wait for no row that somebody else has locked.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Connection, DateTime, Integer, Interval, Row, String
from sqlalchemy.sql.expression import TextualSelect
from sqlalchemy.types import TypeEngine

from api_contract.log import get_logger
from api_contract.spans import continued
from api_contract.vocabulary import FINAL_SLICES, OrderStatus, Product, Side, SliceStatus
from pulse_core.markets.hours import Opening
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.status import SliceMove
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

CLAIM = SliceMove(SliceStatus.SCHEDULED, SliceStatus.SENDING)
ACKNOWLEDGE = SliceMove(SliceStatus.SENDING, SliceStatus.WORKING)

_AT = DateTime(timezone=True)
_OPEN_STATUSES = [status.value for status in SliceStatus if status not in FINAL_SLICES]


@dataclass(frozen=True)
class Claimed:
    """A slice that was just claimed, with what its order says about the placement; `quantity` is what it lacks.

    `claimed_at` is an instant of the database's clock. `exposed` is what the order's slices come to, filled, live and
    unsent: more than the order's `total_quantity` only when something else of it was overfilled. `admitted_at` is the
    turn that the claim used up; None where none is needed. `last_price` is that of the instrument now, `reckoned_price`
    that at which its order was held to the limits of its account; None where they are not known.
    """

    slice_id: str
    order_id: str
    account_id: str
    attempt: int
    client_order_id: str
    quantity: int
    instrument: str
    side: Side
    limit_price: Decimal | None
    product: Product | None
    slice_timeout_seconds: int | None
    trace: dict[str, str]
    claimed_at: datetime
    total_quantity: int
    scheduled_at: datetime
    due_at: datetime
    admitted_at: datetime | None
    last_price: Decimal | None
    reckoned_price: Decimal | None
    exposed: int

    @property
    def price(self) -> Decimal | None:
        """What a unit of it is reckoned at, as far as any price is known."""
        return self.limit_price or self.last_price or self.reckoned_price


@dataclass(frozen=True)
class LastLook:
    """A slice and its order as they stand before the wire, with all slices of the order added up by status.

    `lacking` is what the slice lacks now; `has_live_duplicate` says that another attempt of it may be live; `held`: why
    nothing of the order may be sent, or to its account at the broker.
    """

    slice_status: SliceStatus
    client_order_id: str | None
    lacking: int
    has_live_duplicate: bool
    order_status: OrderStatus
    total_quantity: int
    held: str | None
    totals: list[StatusTotals]


@dataclass(frozen=True)
class OpenNow:
    """Which of the exchanges `with_hours` take orders about now, until when; any other takes them at all times."""

    with_hours: Collection[str] = ()
    openings: Sequence[Opening] = ()
    default_product: Product = Product.CNC


@dataclass(frozen=True)
class NextAttempt:
    """The attempt that would be a slice's next one, and its id at the broker."""

    slice_id: str
    attempt: int
    client_order_id: str


@dataclass(frozen=True)
class Acknowledged:
    """What the broker said of a claimed slice, and until when its order shall work there."""

    claimed: Claimed
    broker_order_id: str
    sent_at: datetime | None
    deadline_at: datetime


def claim(
    connection: Connection,
    attempts: Sequence[NextAttempt],
    broker_account: str,
    lease: timedelta,
    late_grace: timedelta,
    turn_lasts: timedelta | None,
    open_now: OpenNow | None = None,
    now: datetime | None = None,
) -> Sequence[Claimed]:
    """Move due slices to SENDING and record the attempts; those that may not be claimed are left out.

    A slice may be when it is SCHEDULED, due and lacks shares, the attempt is its next one and no earlier one may be
    live, and its order is for this broker account, held by nothing, and runs with a window that ended at most
    `late_grace` ago. With `turn_lasts`, its turn has come and began no longer ago; with `open_now`, its market takes
    it. Unless `now` is given, Postgres's clock decides: no other is shared by all that claim.
    """
    rows = connection.execute(
        _CLAIM,
        {
            **CLAIM.statuses,
            "slice_ids": [one.slice_id for one in attempts],
            "attempts_before": [one.attempt - 1 for one in attempts],
            "client_order_ids": [one.client_order_id for one in attempts],
            "broker_account": broker_account,
            "now": now,
            "lease": lease,
            "late_grace": late_grace,
            "turn_lasts": turn_lasts,
            **_bound(open_now or OpenNow()),
            "open_statuses": _OPEN_STATUSES,
        },
    )
    claimed = [Claimed(*row) for row in rows]
    for one in claimed:
        _tell_of_move(one, CLAIM, client_order_id=one.client_order_id)
    return claimed


def _bound(open_now: OpenNow) -> dict[str, Any]:
    openings = open_now.openings
    return {
        "with_hours": list(open_now.with_hours),
        "default_product": open_now.default_product.value,
        "exchanges": [one.exchange for one in openings],
        "order_types": [one.terms.order_type.value for one in openings],
        "products": [one.terms.product.value for one in openings],
        "opens": [one.stretch.start for one in openings],
        "closes": [one.stretch.end for one in openings],
    }


def last_look(connection: Connection, claimed: Sequence[Claimed]) -> Mapping[str, LastLook]:
    """How claimed slices and their orders stand now, by the slices' ids."""
    slice_ids, client_order_ids = [one.slice_id for one in claimed], [one.client_order_id for one in claimed]
    rows: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_LAST_LOOK, {"slice_ids": slice_ids, "client_order_ids": client_order_ids}):
        rows[row.id].append(row)
    return {slice_id: _last_look(found) for slice_id, found in rows.items()}


def acknowledge(connection: Connection, answers: Sequence[Acknowledged], now: datetime) -> Sequence[str]:
    """Move claimed slices to WORKING with the broker's answers; returns which.

    Left out are those whose claim was lost meanwhile, and those that somebody else has locked.
    """
    rows = connection.execute(
        _ACKNOWLEDGE,
        {
            **ACKNOWLEDGE.statuses,
            "slice_ids": [one.claimed.slice_id for one in answers],
            "client_order_ids": [one.claimed.client_order_id for one in answers],
            "account_ids": [one.claimed.account_id for one in answers],
            "broker_order_ids": [one.broker_order_id for one in answers],
            "sent_at": [one.sent_at for one in answers],
            "deadlines": [one.deadline_at for one in answers],
            "now": now,
        },
    )
    moved = {row.id for row in rows}
    for one in answers:
        if one.claimed.slice_id in moved:
            _tell_of_move(one.claimed, ACKNOWLEDGE, broker_order_id=one.broker_order_id)
    return list(moved)


def _last_look(rows: Sequence[Row[Any]]) -> LastLook:
    seen = rows[0]
    totals = [StatusTotals(row.status, row.slices, row.filled, row.leaves) for row in rows]
    return LastLook(
        seen.slice_status,
        seen.client_order_id,
        seen.lacking,
        seen.has_live_duplicate,
        seen.order_status,
        seen.total_quantity,
        seen.held,
        totals,
    )


def _tell_of_move(claimed: Claimed, move: SliceMove, **why: str) -> None:
    note_slices(move.to)
    names = {"order_id": claimed.order_id, "slice_id": claimed.slice_id}
    # Those of a batch are of several traces.
    with continued(claimed.trace):
        log.info("slice moved", **names, seen=move.seen, to=move.to, attempt=claimed.attempt, **why)


def _load_claim() -> TextualSelect:
    binds: sql.Types = {
        "slice_ids": ARRAY(String()),
        "from_status": String(),
        "to_status": String(),
        "attempts_before": ARRAY(Integer()),
        "client_order_ids": ARRAY(String()),
        "broker_account": String(),
        "now": _AT,
        "lease": Interval(),
        "late_grace": Interval(),
        "turn_lasts": Interval(),
        "default_product": String(),
        **dict.fromkeys(("with_hours", "exchanges", "order_types", "products"), ARRAY(String())),
        **dict.fromkeys(("opens", "closes"), ARRAY(_AT)),
        "open_statuses": ARRAY(String()),
    }
    order, slice_ = Order.__table__.c, OrderSlice.__table__.c
    columns = [slice_.id, slice_.order_id, order.account_id, slice_.attempts, slice_.client_order_id]
    columns += [slice_.quantity.label("lacking")]
    columns += [order.instrument, order.side, order.limit_price, order.product, order.slice_timeout_seconds]
    columns += [order.trace, slice_.updated_at.label("claimed_at"), order.total_quantity]
    columns += [slice_.scheduled_at, slice_.due_at, slice_.admitted_at, slice_.last_price, order.reckoned_price]
    types = {column.name: column.type for column in columns}
    return sql.load(__package__, "claim", binds).columns(**types, exposed=BigInteger())


def _load_last_look() -> TextualSelect:
    slice_status, order_status = OrderSlice.__table__.c.status.type, Order.__table__.c.status.type
    binds = dict.fromkeys(("slice_ids", "client_order_ids"), ARRAY(String()))
    return sql.load(__package__, "last_look", binds).columns(
        id=String(),
        slice_status=slice_status,
        client_order_id=String(),
        lacking=BigInteger(),
        has_live_duplicate=Boolean(),
        order_status=order_status,
        total_quantity=BigInteger(),
        held=String(),
        status=slice_status,
        slices=BigInteger(),
        filled=BigInteger(),
        leaves=BigInteger(),
    )


def _load_acknowledge() -> TextualSelect:
    binds: dict[str, TypeEngine[Any]] = {"from_status": String(), "to_status": String(), "now": _AT}
    binds |= dict.fromkeys(("slice_ids", "client_order_ids", "account_ids", "broker_order_ids"), ARRAY(String()))
    binds |= dict.fromkeys(("sent_at", "deadlines"), ARRAY(_AT))
    return sql.load(__package__, "acknowledge", binds).columns(id=String())


_CLAIM = _load_claim().execution_options(**prepared("claim"))
_ACKNOWLEDGE = _load_acknowledge().execution_options(**prepared("acknowledge"))
_LAST_LOOK = _load_last_look().execution_options(**prepared("last_look"))
