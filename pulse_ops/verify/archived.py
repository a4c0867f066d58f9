"""Read what Pulse believed of days that are in its archive, as it would have been read from the database."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pulse_ops.archive import reading
from pulse_ops.verify.facts import Database, EventRow, FillRow, OrderRow, PlacementRow, SliceRow

_KINDS = ("MOVE", "ALARM", "FILL", "REQUEST", "HELD", "RELEASED", "AMENDED")


def with_archive(database: Database, archive: Path, broker: str) -> Database:
    """The database with the orders of this broker that are in the archive only. Raises Damaged of the archive."""
    orders = {row["id"]: row for row in reading.rows(archive, "orders")}
    placed = {row["order_id"] for row in reading.rows(archive, "placements") if row["broker"] == broker}
    # What is written, and not removed yet, is in both.
    judged = ({one for one, row in orders.items() if row["broker"] == broker} | placed) - {
        o.id for o in database.orders
    }

    def of(table: str, make: Callable[[Mapping[str, Any]], Any]) -> list[Any]:
        return [make(row) for row in reading.rows(archive, table) if row["order_id"] in judged]

    events = sorted(
        (row for row in reading.rows(archive, "slice_events") if row["order_id"] in judged and row["kind"] in _KINDS),
        key=lambda row: int(row["id"]),
    )
    return replace(
        database,
        orders=[*(_order(orders[one]) for one in sorted(judged)), *database.orders],
        slices=[*of("order_slices", _slice), *database.slices],
        placements=[*of("placements", _placement), *database.placements],
        fills=[*of("fills", _fill), *database.fills],
        events=[*map(_event, events), *database.events],
    )


def _order(row: Mapping[str, Any]) -> OrderRow:
    return OrderRow(
        id=row["id"],
        status=row["status"],
        result=row["result"],
        total_quantity=row["total_quantity"],
        num_splits=row["num_splits"],
        filled_quantity=row["filled_quantity"],
        average_price=_price(row["average_price"]),
        created_at=_at(row["created_at"]),
        updated_at=_at(row["updated_at"]),
        finished_at=_at_or_none(row["finished_at"]),
        broker=row["broker"],
        account_id=row["account_id"],
        instrument=row["instrument"],
        end_at=_at(row["end_at"]),
        lot_size=row["lot_size"],
        is_randomized=row["randomize"],
        max_slice_multiple=None if row["most_per_interval"] is None else row["max_slice_multiple"],
    )


def _slice(row: Mapping[str, Any]) -> SliceRow:
    return SliceRow(
        id=row["id"],
        order_id=row["order_id"],
        sequence_number=row["sequence_number"],
        quantity=row["quantity"],
        scheduled_at=_at(row["scheduled_at"]),
        due_at=_at(row["due_at"]),
        status=row["status"],
        attempts=row["attempts"],
        client_order_id=row["client_order_id"],
        broker_order_id=row["broker_order_id"],
        lease_expires_at=_at_or_none(row["lease_expires_at"]),
        deadline_at=_at_or_none(row["deadline_at"]),
        resolve_at=_at_or_none(row["resolve_at"]),
        filled_quantity=row["filled_quantity"],
        average_price=_price(row["average_price"]),
        updated_at=_at(row["updated_at"]),
    )


def _placement(row: Mapping[str, Any]) -> PlacementRow:
    return PlacementRow(
        client_order_id=row["client_order_id"],
        slice_id=row["slice_id"],
        attempt=row["attempt"],
        quantity=row["quantity"],
        broker_order_id=row["broker_order_id"],
        outcome=row["outcome"],
        claimed_at=_at(row["claimed_at"]),
        ended_at=_at_or_none(row["ended_at"]),
        broker=row["broker"],
    )


def _fill(row: Mapping[str, Any]) -> FillRow:
    return FillRow(
        slice_id=row["slice_id"],
        broker_order_id=row["broker_order_id"],
        broker_trade_id=row["broker_trade_id"],
        quantity=row["quantity"],
        price=Decimal(row["price"]),
        settled_by=row["settled_by"],
    )


def _event(row: Mapping[str, Any]) -> EventRow:
    return EventRow(
        order_id=row["order_id"],
        slice_id=row["slice_id"],
        at=_at(row["at"]),
        kind=row["kind"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        alarm=row["detail"].get("code") if row["kind"] == "ALARM" else None,
        detail=row["detail"],
    )


def _price(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _at(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _at_or_none(value: str | None) -> datetime | None:
    return None if value is None else _at(value)
