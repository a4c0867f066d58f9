"""The two steps of a slice on its way to the broker and back, each one statement that commits by itself.

Every slice takes them, and many at the same instant: what `slices.move`, `placements` and `events` do in several round
trips is here one. Both are compare-and-set, and write the slice, its placement and its events together or not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Boolean, Connection, DateTime, Integer, Interval, String
from sqlalchemy.sql.expression import TextualSelect

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_SLICES, OrderStatus, Product, Side, SliceStatus
from pulse_core.metrics.slices import note_slices
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.status import SliceMove
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

CLAIM = SliceMove(SliceStatus.SCHEDULED, SliceStatus.SENDING)
ACKNOWLEDGE = SliceMove(SliceStatus.SENDING, SliceStatus.WORKING)

_OPEN_STATUSES = [status.value for status in SliceStatus if status not in FINAL_SLICES]


@dataclass(frozen=True)
class Claimed:
    """A slice that was just claimed, with what its order says about the placement; `quantity` is what it lacks.

    `claimed_at` is an instant of the database's clock. `exposed` is what the order's slices come to, filled, live and
    unsent: more than the order's `total_quantity` only when something else of it was overfilled. `admitted_at` is the
    turn that the claim used up; None where none is needed.
    """

    slice_id: str
    order_id: str
    account_id: str
    attempt: int
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
    exposed: int


@dataclass(frozen=True)
class LastLook:
    """A slice and its order as they stand before the wire, with all slices of the order added up by status.

    `lacking` is what the slice lacks now; `has_live_duplicate` says that another attempt of it may be live.
    """

    slice_status: SliceStatus
    client_order_id: str | None
    lacking: int
    has_live_duplicate: bool
    order_status: OrderStatus
    total_quantity: int
    totals: list[StatusTotals]


def claim(
    connection: Connection,
    slice_id: str,
    attempt: int,
    client_order_id: str,
    broker: str,
    lease: timedelta,
    late_grace: timedelta,
    turn_lasts: timedelta | None,
    now: datetime | None = None,
) -> Claimed | None:
    """Move a due slice to SENDING and record the attempt; None when it may not be claimed.

    It may when it is SCHEDULED, due and lacks shares, `attempt` is its next one and no earlier one may be live, and its
    order is for this broker and runs with a window that ended at most `late_grace` ago. With `turn_lasts`, its turn
    has come and began no longer ago. Unless `now` is given, Postgres's clock decides: no other is shared by all that
    claim.
    """
    row = connection.execute(
        _CLAIM,
        {
            **CLAIM.statuses,
            "slice_id": slice_id,
            "attempts_before": attempt - 1,
            "client_order_id": client_order_id,
            "broker": broker,
            "now": now,
            "lease": lease,
            "late_grace": late_grace,
            "turn_lasts": turn_lasts,
            "open_statuses": _OPEN_STATUSES,
        },
    ).one_or_none()
    if row is None:
        return None
    claimed = Claimed(*row)
    _tell_of_move(claimed, CLAIM, client_order_id=client_order_id)
    return claimed


def last_look(connection: Connection, slice_id: str, client_order_id: str) -> LastLook | None:
    """How a slice with this attempt and its order stand now; None when there is no such slice."""
    rows = connection.execute(_LAST_LOOK, {"slice_id": slice_id, "client_order_id": client_order_id}).all()
    if not rows:
        return None
    status, claimed_by, lacking, has_live_duplicate, order_status, total_quantity, *_totals = rows[0]
    totals = [StatusTotals(*row[6:]) for row in rows]
    return LastLook(status, claimed_by, lacking, has_live_duplicate, order_status, total_quantity, totals)


def acknowledge(
    connection: Connection,
    claimed: Claimed,
    client_order_id: str,
    broker_order_id: str,
    sent_at: datetime | None,
    deadline_at: datetime,
    now: datetime,
) -> bool:
    """Move a claimed slice to WORKING with the broker's answer; False when the claim was lost meanwhile."""
    moved = connection.execute(
        _ACKNOWLEDGE,
        {
            **ACKNOWLEDGE.statuses,
            "slice_id": claimed.slice_id,
            "client_order_id": client_order_id,
            "account_id": claimed.account_id,
            "broker_order_id": broker_order_id,
            "sent_at": sent_at,
            "deadline_at": deadline_at,
            "now": now,
        },
    ).one_or_none()
    if moved is None:
        return False
    _tell_of_move(claimed, ACKNOWLEDGE, broker_order_id=broker_order_id)
    return True


def _tell_of_move(claimed: Claimed, move: SliceMove, **why: str) -> None:
    note_slices(move.to)
    names = {"order_id": claimed.order_id, "slice_id": claimed.slice_id}
    log.info("slice moved", **names, seen=move.seen, to=move.to, attempt=claimed.attempt, **why)


def _load_claim() -> TextualSelect:
    binds: sql.Types = {
        "slice_id": String(),
        "from_status": String(),
        "to_status": String(),
        "attempts_before": Integer(),
        "client_order_id": String(),
        "broker": String(),
        "now": DateTime(timezone=True),
        "lease": Interval(),
        "late_grace": Interval(),
        "turn_lasts": Interval(),
        "open_statuses": ARRAY(String()),
    }
    order, slice_ = Order.__table__.c, OrderSlice.__table__.c
    columns = [slice_.id, slice_.order_id, order.account_id, slice_.attempts, slice_.quantity.label("lacking")]
    columns += [order.instrument, order.side, order.limit_price, order.product, order.slice_timeout_seconds]
    columns += [order.trace, slice_.updated_at.label("claimed_at"), order.total_quantity]
    columns += [slice_.scheduled_at, slice_.due_at, slice_.admitted_at]
    types = {column.name: column.type for column in columns}
    return sql.load(__package__, "claim", binds).columns(**types, exposed=BigInteger())


def _load_last_look() -> TextualSelect:
    slice_status, order_status = OrderSlice.__table__.c.status.type, Order.__table__.c.status.type
    return sql.load(__package__, "last_look", {"slice_id": String(), "client_order_id": String()}).columns(
        slice_status=slice_status,
        client_order_id=String(),
        lacking=BigInteger(),
        has_live_duplicate=Boolean(),
        order_status=order_status,
        total_quantity=BigInteger(),
        status=slice_status,
        slices=BigInteger(),
        filled=BigInteger(),
        leaves=BigInteger(),
    )


def _load_acknowledge() -> TextualSelect:
    texts = ("slice_id", "client_order_id", "account_id", "broker_order_id", "from_status", "to_status")
    instants = ("sent_at", "deadline_at", "now")
    binds = dict.fromkeys(texts, String()) | dict.fromkeys(instants, DateTime(timezone=True))
    return sql.load(__package__, "acknowledge", binds).columns(id=String())


_CLAIM = _load_claim().execution_options(**prepared("claim"))
_ACKNOWLEDGE = _load_acknowledge().execution_options(**prepared("acknowledge"))
_LAST_LOOK = _load_last_look().execution_options(**prepared("last_look"))
