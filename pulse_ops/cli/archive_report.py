"""What is told of an archived day, or of an archived order, from its files alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import click

from pulse_ops.cli.output import instant, print_facts, print_table

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

_ORDER_COLUMNS = (
    "Order", "Key", "Account", "Broker", "Side", "Instrument", ">Quantity", ">Filled", ">Price", ">Slices", ">Fills",
    "Status",
)  # fmt: skip
_SLICE_COLUMNS = (
    ">No", "Slice", "Scheduled", ">Attempts", ">Quantity", ">Filled", ">Price", "Status", "Broker's order", "Error",
)  # fmt: skip
_FILL_COLUMNS = (">No", "Trade", "At", ">Quantity", ">Price")
_EVENT_COLUMNS = (">Event", "At", "Type", ">No", "From", "To")


def print_day(day: date, tables: Tables) -> None:
    """One line for each order of the day, and its sums."""
    slices = Counter(row["order_id"] for row in tables["order_slices"])
    fills = Counter(row["order_id"] for row in tables["fills"])
    orders = sorted(tables["orders"], key=lambda row: (row["created_at"], row["id"]))
    print_table(_ORDER_COLUMNS, (_order_row(row, slices[row["id"]], fills[row["id"]]) for row in orders))
    click.echo(f"{day}: {len(orders)} orders, {slices.total()} slices, {fills.total()} fills")


def print_order(tables: Tables) -> None:
    """Everything about one order: its slices, its fills and what happened to it, each in its sequence."""
    [order] = tables["orders"]
    numbers = {row["id"]: row["sequence_number"] for row in tables["order_slices"]}
    print_facts(_facts(order))
    click.echo()
    slices = sorted(tables["order_slices"], key=lambda row: row["sequence_number"])
    print_table(_SLICE_COLUMNS, map(_slice_row, slices))
    if fills := sorted(tables["fills"], key=lambda row: (_at(row["traded_at"]), row["id"])):
        click.echo()
        print_table(_FILL_COLUMNS, (_fill_row(row, numbers[row["slice_id"]]) for row in fills))
    click.echo()
    events = sorted(tables["slice_events"], key=lambda row: int(row["id"]))
    print_table(_EVENT_COLUMNS, (_event_row(row, numbers.get(row["slice_id"])) for row in events))


def _facts(order: Row) -> list[tuple[str, object]]:
    price = "" if order["average_price"] is None else f" at {order['average_price']} on average"
    return [
        ("Order", order["id"]),
        ("Key", order["order_unique_key"]),
        ("Account", order["account_id"]),
        ("Broker", order["broker"]),
        ("Asked", f"{order['side']} {order['total_quantity']} {order['instrument']} in {order['num_splits']} slices"),
        ("Window", f"{instant(_at(order['start_at']))} to {instant(_at(order['end_at']))}"),
        ("Filled", f"{order['filled_quantity']} of {order['total_quantity']}{price}"),
        ("Status", _status(order)),
        ("Finished", instant(_at(order["finished_at"]))),
    ]


def _order_row(order: Row, slices: int, fills: int) -> tuple[object, ...]:
    words = ("id", "order_unique_key", "account_id", "broker", "side", "instrument")
    numbers = ("total_quantity", "filled_quantity", "average_price")
    return (*(order[name] for name in (*words, *numbers)), slices, fills, _status(order))


def _slice_row(one: Row) -> tuple[object, ...]:
    numbers = ("attempts", "quantity", "filled_quantity", "average_price", "status", "broker_order_id", "error_code")
    return one["sequence_number"], one["id"], instant(_at(one["scheduled_at"])), *(one[name] for name in numbers)


def _fill_row(fill: Row, number: int) -> tuple[object, ...]:
    return number, fill["broker_trade_id"], instant(_at(fill["traded_at"])), fill["quantity"], fill["price"]


def _event_row(event: Row, number: int | None) -> tuple[object, ...]:
    return event["id"], instant(_at(event["at"])), event["kind"], number, event["from_status"], event["to_status"]


def _status(order: Row) -> str:
    return " ".join(filter(None, (order["status"], order["result"])))


def _at(value: str) -> datetime:
    return datetime.fromisoformat(value)
