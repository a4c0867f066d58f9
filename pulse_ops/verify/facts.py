"""What the verifier compares: the rows of the database and those of the broker, as plain values."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

FINAL_AT_BROKER = frozenset({"COMPLETE", "CANCELLED", "REJECTED"})
TURNED_UP, LOST_CLAIM = "TURNED_UP", "LOST_CLAIM"


@dataclass(frozen=True)
class OrderRow:
    id: str
    status: str
    result: str | None
    total_quantity: int
    num_splits: int
    filled_quantity: int
    average_price: Decimal | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    broker: str = "paper"
    is_held: bool = False
    account_id: str = ""
    instrument: str = ""
    end_at: datetime | None = None
    lot_size: int = 1
    is_randomized: bool = False
    max_slice_multiple: int | None = None


@dataclass(frozen=True)
class HaltRow:
    """A halt of what it names, of everything where it names nothing; in force until `released_at`."""

    id: str
    account_id: str | None
    broker: str | None
    instrument: str | None
    made_at: datetime
    released_at: datetime | None

    def covers(self, order: OrderRow) -> bool:
        """Whether it halts an order."""
        pairs = (self.account_id, order.account_id), (self.broker, order.broker), (self.instrument, order.instrument)
        return all(named in (None, of_order) for named, of_order in pairs)


@dataclass(frozen=True)
class SliceRow:
    id: str
    order_id: str
    sequence_number: int
    quantity: int
    scheduled_at: datetime
    due_at: datetime
    status: str
    attempts: int
    client_order_id: str | None
    broker_order_id: str | None
    lease_expires_at: datetime | None
    deadline_at: datetime | None
    resolve_at: datetime | None
    filled_quantity: int
    average_price: Decimal | None
    updated_at: datetime


@dataclass(frozen=True)
class PlacementRow:
    client_order_id: str
    slice_id: str
    attempt: int
    quantity: int
    broker_order_id: str | None
    outcome: str | None
    claimed_at: datetime
    ended_at: datetime | None = None
    broker: str = "paper"


@dataclass(frozen=True)
class FillRow:
    slice_id: str
    broker_order_id: str
    broker_trade_id: str
    quantity: int
    price: Decimal
    settled_by: str | None = None


@dataclass(frozen=True)
class EventRow:
    """A move of a slice or of an order (`slice_id` empty), a fill, an alarm, or what an operator asked for.

    `alarm` is the code of an alarm: its sentence may be reworded.
    """

    order_id: str
    slice_id: str | None
    at: datetime
    kind: str
    from_status: str | None
    to_status: str | None
    alarm: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BrokerOrderRow:
    """An order in the broker's book, where it shows from `visible_at` on.

    The instants are empty where the broker does not tell them to the microsecond.
    """

    order_id: str
    tag: str | None
    status: str
    quantity: int
    filled_quantity: int
    placed_at: datetime | None = None
    ended_at: datetime | None = None
    visible_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        return self.status not in FINAL_AT_BROKER


@dataclass(frozen=True)
class BrokerTradeRow:
    trade_id: str
    order_id: str
    quantity: int
    price: Decimal
    traded_at: datetime


@dataclass(frozen=True)
class ArrivalRow:
    """A placement request as the broker received it, accepted (as `order_id`) or not."""

    tag: str | None
    arrived_at: datetime
    outcome: str
    order_id: str | None = None


@dataclass(frozen=True)
class Database:
    """One snapshot, taken at `read_at`."""

    read_at: datetime
    orders: Sequence[OrderRow]
    slices: Sequence[SliceRow]
    placements: Sequence[PlacementRow]
    fills: Sequence[FillRow]
    events: Sequence[EventRow]
    halts: Sequence[HaltRow] = ()


@dataclass(frozen=True)
class BrokerBooks:
    """Read after the database, so that what the database knows must be in here."""

    orders: Sequence[BrokerOrderRow]
    trades: Sequence[BrokerTradeRow]
    arrivals: Sequence[ArrivalRow] = ()


@dataclass(frozen=True)
class Facts:
    """Both sides, indexed. News younger than `grace` may still be on its way into the database.

    `settle_delay` is how long a book must have lacked an order before it counts as not placed; None: for ever.
    """

    database: Database
    books: BrokerBooks
    is_final: bool
    grace: timedelta
    settle_delay: timedelta | None = timedelta(seconds=60)

    @property
    def settled_before(self) -> datetime:
        """What happened before this instant must have reached the database."""
        return self.database.read_at + timedelta(days=1) if self.is_final else self.database.read_at - self.grace

    @cached_property
    def orders(self) -> Mapping[str, OrderRow]:
        return {row.id: row for row in self.database.orders}

    @cached_property
    def slices(self) -> Mapping[str, SliceRow]:
        return {row.id: row for row in self.database.slices}

    @cached_property
    def placements(self) -> Mapping[str, PlacementRow]:
        return {row.client_order_id: row for row in self.database.placements}

    @cached_property
    def slices_of(self) -> Mapping[str, Sequence[SliceRow]]:
        return grouped(self.database.slices, lambda row: row.order_id)

    @cached_property
    def placements_of(self) -> Mapping[str, Sequence[PlacementRow]]:
        return grouped(self.database.placements, lambda row: row.slice_id)

    @cached_property
    def fills_of(self) -> Mapping[str, Sequence[FillRow]]:
        return grouped(self.database.fills, lambda row: row.slice_id)

    @cached_property
    def moves_of(self) -> Mapping[str, Sequence[EventRow]]:
        """Moves by the id of the slice, or of the order where it is the order that moved."""
        return grouped((row for row in self.database.events if row.kind == "MOVE"), lambda r: r.slice_id or r.order_id)

    @cached_property
    def events_of(self) -> Mapping[str, Sequence[EventRow]]:
        """Every event of a slice, in the order in which they were decided."""
        return grouped((row for row in self.database.events if row.slice_id), lambda row: row.slice_id or "")

    @cached_property
    def events_of_order(self) -> Mapping[str, Sequence[EventRow]]:
        """Every event of an order and its slices, in the order in which they were decided."""
        return grouped(self.database.events, lambda row: row.order_id)

    @cached_property
    def turned_up(self) -> Collection[str]:
        """Broker orders of which an alarm says that they had been taken for not placed."""
        return self._alarmed(TURNED_UP)

    @cached_property
    def unseen_ends(self) -> Collection[str]:
        """Broker orders of which an alarm says that they ended unseen, with the broker's day."""
        return self._alarmed("END_UNSEEN")

    @cached_property
    def lost(self) -> Collection[str]:
        """Slices of which an alarm says that the database had lost an attempt, with the schedule that it went by."""
        return {row.slice_id or "" for row in self.database.events if row.alarm == LOST_CLAIM}

    @cached_property
    def settled(self) -> Collection[str]:
        """Client order ids of attempts of which an operator said what became of them."""
        said = (row.detail for row in self.database.events if row.kind == "REQUEST")
        return {detail.get("client_order_id", "") for detail in said if detail.get("request") == "settle"}

    @cached_property
    def arrivals_by_order(self) -> Mapping[str, ArrivalRow]:
        return {row.order_id: row for row in self.books.arrivals if row.order_id}

    @cached_property
    def broker_orders(self) -> Mapping[str, BrokerOrderRow]:
        return {row.order_id: row for row in self.books.orders}

    @cached_property
    def broker_orders_by_tag(self) -> Mapping[str, Sequence[BrokerOrderRow]]:
        return grouped((row for row in self.books.orders if row.tag), lambda row: row.tag or "")

    @cached_property
    def trades_of(self) -> Mapping[str, Sequence[BrokerTradeRow]]:
        return grouped(self.books.trades, lambda row: row.order_id)

    def broker_orders_of(self, slice_id: str) -> list[BrokerOrderRow]:
        """Every order at the broker that carries a tag of this slice."""
        tags = (one.client_order_id for one in self.placements_of.get(slice_id, ()))
        return [row for tag in tags for row in self.broker_orders_by_tag.get(tag, ())]

    def came_too_late(self, row: BrokerOrderRow) -> bool:
        """Whether it was taken for not placed, and the book showed it only after any settle delay had passed.

        Nothing could have told that it would come. What Pulse may do once it knows of it is judged all the same.
        """
        placement, arrival = self.placements.get(row.tag or ""), self.arrivals_by_order.get(row.order_id)
        shown_at = row.visible_at or row.placed_at
        if placement is None or arrival is None or shown_at is None or self.settle_delay is None:
            return False
        was_presumed_absent = placement.outcome == "ABSENT" or row.order_id in self.turned_up
        return was_presumed_absent and shown_at - arrival.arrived_at >= self.settle_delay

    def lowered(self, slice_id: str) -> list[EventRow]:
        """The alarms by which the slice's quantity was lowered, oldest first."""
        return [row for row in self.events_of.get(slice_id, ()) if row.kind == "ALARM" and "lowered_to" in row.detail]

    def new_totals_of(self, order_id: str) -> list[EventRow]:
        """The amendments of the order's total, oldest first."""
        told = self.events_of_order.get(order_id, ())
        return [row for row in told if row.kind == "AMENDED" and row.detail.get("field") == "total_quantity"]

    def is_replanned_by_hand(self, order_id: str) -> bool:
        """Whether the order was amended: its slices are no longer those that it was split into."""
        return any(row.kind == "AMENDED" for row in self.events_of_order.get(order_id, ()))

    def _alarmed(self, code: str) -> Collection[str]:
        alarms = (row for row in self.database.events if row.kind == "ALARM" and row.alarm == code)
        return {str(row.detail.get("broker_order_id")) for row in alarms}


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> Mapping[Key, list[Row]]:
    """The rows by their key, in the order in which they came."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found
