"""The tables of trading: orders, slices, placements, fills, the installation. Statuses are written by `store/` only.

A `broker_account` is a name of `broker_accounts`. Its columns are called `broker`, as services of before write them.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api_contract.vocabulary import (
    AtEnd,
    CatchUp,
    HoldReason,
    Leftover,
    NotFittingReason,
    OrderResult,
    OrderStatus,
    OrderType,
    Product,
    SessionRule,
    Side,
    SliceStatus,
)
from pulse_core.identity.tables import Account
from pulse_core.postgres.table_base import Base, words
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.vocabulary import CancelReason, PlacementOutcome


class Order(Base):
    """A parent order, for one `broker_account` from its acceptance on. Its totals are recomputed from its slices.

    Its slices are whole lots, with `most_per_slice` units at most, as its broker listed its instrument then.
    `asked_start_at` is when its window was to begin, if that was moved to the opening of its market. While there is a
    `hold` nothing of it is sent, whatever its status; `recheck_at` is when Pulse looks by itself whether that is over,
    `ask_at` when it asks the broker. If it `recalls_working`, what works of it at the broker is cancelled there while
    it is PAUSED.
    """

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey(Account.id))
    order_unique_key: Mapped[str] = mapped_column(String(64))
    broker_account: Mapped[str] = mapped_column("broker", String(20))
    instrument: Mapped[str] = mapped_column(String(49))
    side: Mapped[Side] = mapped_column(words(Side, "side"))
    total_quantity: Mapped[int] = mapped_column(BigInteger)
    # Services of before revision 0029 state neither, and split without.
    lot_size: Mapped[int] = mapped_column(BigInteger, server_default="1")
    most_per_slice: Mapped[int | None] = mapped_column(BigInteger)
    num_splits: Mapped[int] = mapped_column(SmallInteger)
    duration_minutes: Mapped[int] = mapped_column(SmallInteger)
    randomize: Mapped[bool]
    order_type: Mapped[OrderType] = mapped_column(words(OrderType, "order_type"), server_default="MARKET")
    # Without a scale: it comes back with the digits that the client gave.
    limit_price: Mapped[Decimal | None] = mapped_column(Numeric)
    # The last price when it was accepted, where a limit depends on it: what a unit counts for in its day.
    reckoned_price: Mapped[Decimal | None] = mapped_column(Numeric)
    product: Mapped[Product | None] = mapped_column(words(Product, "product"))
    slice_timeout_seconds: Mapped[int | None] = mapped_column(Integer)
    client_note: Mapped[str | None] = mapped_column(String(200))
    session: Mapped[SessionRule] = mapped_column(words(SessionRule, "session"), server_default="refuse")
    until_close: Mapped[bool] = mapped_column(server_default="false")
    asked_start_at: Mapped[datetime | None]
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[OrderStatus] = mapped_column(words(OrderStatus, "status"))
    result: Mapped[OrderResult | None] = mapped_column(words(OrderResult, "result"))
    skip_reason: Mapped[str | None]
    hold: Mapped[HoldReason | None] = mapped_column(words(HoldReason, "hold"))
    held_since: Mapped[datetime | None]
    hold_message: Mapped[str | None]
    recheck_at: Mapped[datetime | None]
    ask_at: Mapped[datetime | None]
    recalls_working: Mapped[bool] = mapped_column(server_default="false")
    # Services of before revision 0032 state none of it, and their orders catch up as is the default.
    catch_up: Mapped[CatchUp] = mapped_column(words(CatchUp, "catch_up"), server_default="spread")
    max_slice_multiple: Mapped[int] = mapped_column(SmallInteger, server_default="3")
    extend_minutes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    leftover: Mapped[Leftover] = mapped_column(words(Leftover, "leftover"), server_default="catch_up")
    at_end: Mapped[AtEnd] = mapped_column(words(AtEnd, "at_end"), server_default="leave")
    planned_end_at: Mapped[datetime | None]
    pace_interval: Mapped[timedelta | None] = mapped_column(Interval)
    most_per_interval: Mapped[int | None] = mapped_column(BigInteger)
    replan_at: Mapped[datetime | None]
    not_fitting_quantity: Mapped[int] = mapped_column(BigInteger, server_default="0")
    not_fitting_reason: Mapped[NotFittingReason | None] = mapped_column(words(NotFittingReason, "not_fitting_reason"))
    filled_quantity: Mapped[int] = mapped_column(BigInteger)
    average_price: Mapped[Decimal | None]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # Since when its slices, and all that belongs to them, are in the archive, and here no more.
    archived_at: Mapped[datetime | None]
    trace: Mapped[dict[str, str]] = mapped_column(JSONB)

    __table_args__ = (
        UniqueConstraint("account_id", "order_unique_key"),
        CheckConstraint("total_quantity >= 1", name="total_quantity"),
        CheckConstraint("lot_size >= 1", name="lot_size"),
        CheckConstraint("most_per_slice >= lot_size", name="most_per_slice"),
        CheckConstraint("num_splits BETWEEN 2 AND 100", name="num_splits"),
        CheckConstraint("duration_minutes BETWEEN 1 AND 1440", name="duration_minutes"),
        CheckConstraint("(order_type = 'LIMIT') = (limit_price IS NOT NULL)", name="limit_has_price"),
        CheckConstraint("limit_price > 0", name="limit_price"),
        CheckConstraint("slice_timeout_seconds BETWEEN 1 AND 3600", name="slice_timeout_seconds"),
        CheckConstraint("filled_quantity >= 0", name="filled_quantity"),
        CheckConstraint("end_at > start_at", name="window"),
        CheckConstraint("(status IN ('DONE', 'CANCELLED', 'SKIPPED')) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("(hold IS NULL) = (held_since IS NULL)", name="held"),
        CheckConstraint("max_slice_multiple BETWEEN 1 AND 10", name="max_slice_multiple"),
        CheckConstraint("extend_minutes BETWEEN 0 AND 1440", name="extend_minutes"),
        Index("ix_orders_account_id_id", "account_id", "id"),
        Index(
            "ix_orders_begin_later",
            "account_id",
            "start_at",
            postgresql_where="start_at - created_at > '24:00:00'::interval",
        ),
        Index("ix_orders_pending", "created_at", postgresql_where="status = 'PENDING'"),
        Index("ix_orders_held", "recheck_at", postgresql_where="hold IS NOT NULL"),
        Index("ix_orders_to_replan", "replan_at", postgresql_where="replan_at IS NOT NULL"),
        Index("ix_orders_paused", "end_at", postgresql_where="status = 'PAUSED'"),
        Index(
            "ix_orders_open",
            "account_id",
            postgresql_where="status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING')",
        ),
        Index("ix_orders_live", "id", postgresql_where="status IN ('IN_PROGRESS', 'PAUSED', 'CANCELLING')"),
        # Fills rewrite a row in its page.
        {"postgresql_with": {"fillfactor": 80}},
    )


class OrderSlice(Base):
    """A slice. `due_at` starts as `scheduled_at` and moves on when an attempt has to be repeated.

    `failures` counts the attempts that came to nothing by the broker's fault since the slice was last retried.
    `turn_at` is when it may go out under the broker's limits, once; None: it has no turn, or has used it. What the last
    claim used is kept in `admitted_at`. `last_price` is that of its instrument before it was last sent, where known.
    One that `is_last` is sent at market whatever its order asks, at the end of the window.
    """

    __tablename__ = "order_slices"

    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    sequence_number: Mapped[int] = mapped_column(SmallInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    scheduled_at: Mapped[datetime]
    due_at: Mapped[datetime]
    hinted_until: Mapped[datetime | None]
    turn_at: Mapped[datetime | None]
    admitted_at: Mapped[datetime | None]
    status: Mapped[SliceStatus] = mapped_column(words(SliceStatus, "status"))
    attempts: Mapped[int] = mapped_column(Integer)
    failures: Mapped[int] = mapped_column(Integer)
    client_order_id: Mapped[str | None] = mapped_column(String(20))
    broker_order_id: Mapped[str | None] = mapped_column(String(64))
    lease_expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    resolve_at: Mapped[datetime | None]
    absent_since: Mapped[datetime | None]
    cancel_reason: Mapped[CancelReason | None] = mapped_column(words(CancelReason, "cancel_reason"))
    cancel_asked_at: Mapped[datetime | None]
    cancel_asks: Mapped[int] = mapped_column(Integer, default=0)
    filled_quantity: Mapped[int] = mapped_column(BigInteger)
    average_price: Mapped[Decimal | None]
    last_price: Mapped[Decimal | None] = mapped_column(Numeric)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    is_last: Mapped[bool] = mapped_column(server_default="false")
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("order_id", "sequence_number"),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("filled_quantity >= 0", name="filled_quantity"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("status <> 'SENDING' OR lease_expires_at IS NOT NULL", name="sending_has_lease"),
        CheckConstraint("status <> 'UNKNOWN' OR resolve_at IS NOT NULL", name="unknown_is_resolved"),
        CheckConstraint(
            "status <> 'WORKING' OR (broker_order_id IS NOT NULL AND deadline_at IS NOT NULL)",
            name="working_is_tracked",
        ),
        Index("ix_order_slices_scheduled", "due_at", postgresql_where="status = 'SCHEDULED'"),
        Index("ix_order_slices_sending", "lease_expires_at", postgresql_where="status = 'SENDING'"),
        Index("ix_order_slices_unknown", "resolve_at", postgresql_where="status = 'UNKNOWN'"),
        Index("ix_order_slices_working", "deadline_at", postgresql_where="status = 'WORKING'"),
        # So do turns and hints.
        {"postgresql_with": {"fillfactor": 80}},
    )


class Placement(Base):
    """One attempt to place a slice, written before anything is sent. The broker's book is matched against these.

    `ended_at` is when an acknowledged attempt was seen to have ended at the broker, with all its fills booked. Until
    then, and while its outcome is in doubt, the attempt may be live: nothing else of its slice is sent.
    """

    __tablename__ = "placements"

    client_order_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    slice_id: Mapped[str] = mapped_column(ForeignKey("order_slices.id"))
    attempt: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[int] = mapped_column(BigInteger)
    broker_account: Mapped[str] = mapped_column("broker", String(20))
    broker_order_id: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[PlacementOutcome | None] = mapped_column(words(PlacementOutcome, "outcome"))
    claimed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("slice_id", "attempt"),
        UniqueConstraint("broker", "broker_order_id"),
        CheckConstraint("quantity >= 1", name="quantity"),
        Index("ix_placements_claimed_at", "claimed_at"),
        Index(
            "ix_placements_presumed_absent",
            "claimed_at",
            postgresql_where="broker_order_id IS NULL AND outcome IN ('ABSENT', 'NOT_SENT', 'REFUSED')",
        ),
        {"postgresql_with": {"fillfactor": 90}},
    )


class Fill(Base):
    """One row for each trade of the broker. Brokers number trades anew each day, orders never.

    What an operator settled by hand names who it was in `settled_by`, and has an id of ours in place of the trade's.
    """

    __tablename__ = "fills"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    slice_id: Mapped[str] = mapped_column(ForeignKey("order_slices.id"), index=True)
    broker_account: Mapped[str] = mapped_column("broker", String(20))
    broker_order_id: Mapped[str] = mapped_column(String(64))
    broker_trade_id: Mapped[str] = mapped_column(String(64))
    quantity: Mapped[int] = mapped_column(BigInteger)
    price: Mapped[Decimal]
    traded_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    settled_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("broker", "broker_order_id", "broker_trade_id"),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("price > 0", name="price"),
    )


class Installation(Base):
    """The one row of what belongs to the database as a whole, and is restored with it.

    From `client_order_id_key` (32 bytes in hex) follow the ids of all attempts. `known_database` names the server and
    timeline that the brokers' books were last compared with; while `held_since` stands, no slice is sent, for the
    reason of `hold_code`, which `hold_reason` says to people. `oldest_code` is the revision of the oldest code that
    works with these tables; the migrations write it.
    """

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    client_order_id_key: Mapped[str] = mapped_column(String(64))
    known_database: Mapped[str | None]
    held_since: Mapped[datetime | None]
    hold_code: Mapped[HoldCode | None] = mapped_column(words(HoldCode, "hold_code"))
    hold_reason: Mapped[str | None]
    oldest_code: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("(held_since IS NULL) = (hold_reason IS NULL)", name="hold"),
    )
