"""What is told of an archived day, or of an archived order, from its files alone: as JSON, or in tables of the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import click

from pulse_ops.cli.output import instant, print_facts, print_table

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
# In the order of the columns.
Told = dict[str, Any]

_ORDER_COLUMNS = (
    "Order", "Key", "Account", "Broker", "Side", "Instrument", ">Quantity", ">Filled", ">Price", ">Slices", ">Fills",
    "Status",
)  # fmt: skip
_SLICE_COLUMNS = (
    ">No", "Slice", "Scheduled", ">Attempts", ">Quantity", ">Filled", ">Price", "Status", "Broker's order", "Error",
)  # fmt: skip
_FILL_COLUMNS = (">No", "Trade", "At", ">Quantity", ">Price")
_EVENT_COLUMNS = (">Event", "At", "Type", ">No", "From", "To")


def of_day(day: date, tables: Tables) -> Told:
    """The orders of the day, and how many slices and fills they have."""
    slices = Counter(row["order_id"] for row in tables["order_slices"])
    fills = Counter(row["order_id"] for row in tables["fills"])
    orders = sorted(tables["orders"], key=lambda row: (row["created_at"], row["id"]))
    return {
        "day": day.isoformat(),
        "orders": [_order_of_day(row, slices[row["id"]], fills[row["id"]]) for row in orders],
        "slices": slices.total(),
        "fills": fills.total(),
    }


def of_order(tables: Tables) -> Told:
    """Everything about one order: its slices, its fills and what happened to it, each in its sequence."""
    [order] = tables["orders"]
    numbers = {row["id"]: row["sequence_number"] for row in tables["order_slices"]}
    fills = sorted(tables["fills"], key=lambda row: (_at(row["traded_at"]), row["id"]))
    return {
        "order": _order(order),
        "slices": [_slice(row) for row in sorted(tables["order_slices"], key=lambda row: row["sequence_number"])],
        "fills": [_fill(row, numbers[row["slice_id"]]) for row in fills],
        "events": [
            _event(row, numbers.get(row["slice_id"]))
            for row in sorted(tables["slice_events"], key=lambda row: int(row["id"]))
        ],
    }


def print_day(told: Told) -> None:
    """One line for each order of the day, and its sums."""
    orders = [{**one, "status": _status(one)} for one in told["orders"]]
    print_table(_ORDER_COLUMNS, ([one[name] for name in one if name != "result"] for one in orders))
    click.echo(f"{told['day']}: {len(orders)} orders, {told['slices']} slices, {told['fills']} fills")


def print_order(told: Told) -> None:
    """What it was and what became of it, and a table of each of what it has."""
    print_facts(_facts(told["order"]))
    tables = (_SLICE_COLUMNS, told["slices"]), (_FILL_COLUMNS, told["fills"]), (_EVENT_COLUMNS, told["events"])
    for columns, rows in tables:
        if rows or columns is not _FILL_COLUMNS:
            click.echo()
            print_table(columns, ([_cell(value) for value in one.values()] for one in rows))


def _facts(order: Told) -> list[tuple[str, object]]:
    price = "" if order["average_price"] is None else f" at {order['average_price']} on average"
    quantity = order["total_quantity"]
    return [
        ("Order", order["order_id"]),
        ("Key", order["order_unique_key"]),
        ("Account", order["account_id"]),
        ("Broker", order["broker_account"]),
        ("Asked", f"{order['side']} {quantity} {order['instrument']} in {order['num_splits']} slices"),
        ("Window", f"{instant(order['start_at'])} to {instant(order['end_at'])}"),
        ("Filled", f"{order['filled_quantity']} of {quantity}{price}"),
        ("Status", _status(order)),
        ("Finished", instant(order["finished_at"])),
    ]


def _order(order: Row) -> Told:
    return {
        **_whose(order),
        **_filled(order),
        "num_splits": order["num_splits"],
        **{name: _at(order[name]) for name in ("start_at", "end_at", "finished_at")},
        "status": order["status"],
        "result": order["result"],
    }


def _order_of_day(order: Row, slices: int, fills: int) -> Told:
    ended = {"status": order["status"], "result": order["result"]}
    return {**_whose(order), **_filled(order), "slices": slices, "fills": fills, **ended}


def _whose(order: Row) -> Told:
    told = {"order_id": order["id"], "order_unique_key": order["order_unique_key"], "account_id": order["account_id"]}
    return told | {"broker_account": order["broker"], "side": order["side"], "instrument": order["instrument"]}


def _filled(row: Row, quantity: str = "total_quantity") -> Told:
    return {
        quantity: row[quantity],
        "filled_quantity": row["filled_quantity"],
        "average_price": _price(row["average_price"]),
    }


def _slice(one: Row) -> Told:
    return {
        "sequence_number": one["sequence_number"],
        "slice_id": one["id"],
        "scheduled_at": _at(one["scheduled_at"]),
        "attempts": one["attempts"],
        **_filled(one, "quantity"),
        **{name: one[name] for name in ("status", "broker_order_id", "error_code")},
    }


def _fill(fill: Row, number: int) -> Told:
    return {
        "sequence_number": number,
        "trade_id": fill["broker_trade_id"],
        "traded_at": _at(fill["traded_at"]),
        "quantity": fill["quantity"],
        "price": _price(fill["price"]),
    }


def _event(event: Row, number: int | None) -> Told:
    return {
        "id": event["id"],
        "at": _at(event["at"]),
        "kind": event["kind"],
        "sequence_number": number,
        "from_status": event["from_status"],
        "to_status": event["to_status"],
    }


def _status(order: Told) -> str:
    return " ".join(filter(None, (order["status"], order["result"])))


def _cell(value: object) -> object:
    return instant(value) if isinstance(value, datetime) else value


def _price(value: object) -> str | None:
    return None if value is None else str(value)


def _at(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
