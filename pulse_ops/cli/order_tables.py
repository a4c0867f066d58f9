"""Orders and slices as a person reads them; every time is in UTC."""

from collections.abc import Sequence

import click

from pulse_client.models import Event
from pulse_client.order_models import Late, Order, Slice
from pulse_client.preview_models import OrderPreview
from pulse_ops.cli.output import clock_time, instant, print_facts, print_table, say
from pulse_ops.cli.watching import state

_ORDER_COLUMNS = (
    "Order", "Key", "Created", "Side", "Instrument", ">Quantity", ">Planned", ">Filled", ">Price", ">Late", "Status",
)  # fmt: skip
_SLICE_COLUMNS = (
    ">No", "Scheduled", "Sent", ">Attempts", ">Quantity", ">Filled", ">Price", "Status", "Broker's order", "Error",
)  # fmt: skip

_EVENT_COLUMNS = (">Event", "At", "Type", "Slice", "By", "Why")


def print_orders(orders: Sequence[Order]) -> None:
    """One line for each order."""
    if not orders:
        say("There are no such orders.")
        return
    print_table(_ORDER_COLUMNS, (_order_row(order) for order in orders))


def print_order(order: Order, slices: Sequence[Slice]) -> None:
    """Everything about one order."""
    print_facts(_facts(order))
    if slices:
        click.echo()
        print_table(_SLICE_COLUMNS, (_slice_row(one) for one in slices))


def print_slices(slices: Sequence[Slice]) -> None:
    """One line for each slice, with its id."""
    if not slices:
        say("There are no such slices.")
        return
    print_table(("Slice", *_SLICE_COLUMNS), ((one.slice_id, *_slice_row(one)) for one in slices))


def print_events(events: Sequence[Event]) -> None:
    """One line for each event."""
    if not events:
        say("There are no such events.")
        return
    print_table(_EVENT_COLUMNS, (event_row(one) for one in events))


def event_row(event: Event) -> tuple[object, ...]:
    """Number, time, type, slice, who did it and why."""
    return event.event_id, instant(event.at), event.type, event.slice_id, event.actor, event.reason


def described(order: Order) -> str:
    """What was asked for, in words."""
    split = order.split_config
    manner = "randomized" if split.randomize else "even"
    return (
        f"{order.side} {order.total_quantity} {order.instrument} in {split.num_splits} slices"
        f" over {split.duration_minutes} min, {manner}"
    )


def _kind(order: Order) -> str:
    price = "" if order.limit_price is None else f" at {order.limit_price}"
    return f"{order.order_type}{price}"


def _session(order: Order) -> str:
    return f"{order.session}, until the close" if order.split_config.until_close else str(order.session)


def _time_out(seconds: int | None) -> str:
    return "default" if seconds is None else f"{seconds} s for a slice at the broker"


def _facts(order: Order) -> list[tuple[str, object]]:
    left = order.exposure
    on_its_way = f"{left.on_its_way} on its way, " if left.on_its_way else ""
    price = "" if order.average_price is None else f" at {order.average_price} on average"
    return [
        ("Order", order.order_id),
        ("Key", order.order_unique_key),
        ("Account", order.account_id),
        ("Broker", order.broker_account),
        ("Asked", described(order)),
        ("Type", _kind(order)),
        ("Window", f"{instant(order.start_at)} to {instant(order.end_at)}"),
        ("Session", _session(order)),
        ("Product", "default" if order.product is None else order.product),
        ("Time-out", _time_out(order.slice_timeout_seconds)),
        ("Catching up", catching_up(order)),
        ("Note", order.client_note or "-"),
        ("Status", state(order)),
        *_held(order),
        *_arrival(order),
        *_not_fitting(order),
        ("Filled", f"{order.filled_quantity} of {order.total_quantity}{price}"),
        ("Planned", _planned(order)),
        ("Late", _late(order.late_ms)),
        ("Open", f"{left.working} working, {on_its_way}{left.unknown} unknown, {left.unsent} unsent"),
        ("Created", instant(order.created_at)),
        ("Finished", instant(order.finished_at) or "-"),
        *_archived(order),
    ]


def _planned(order: Order) -> str:
    planned = order.planned_quantity
    if planned is None:
        return "-"
    ahead = order.filled_quantity - planned
    gap = "on plan" if ahead == 0 else f"{abs(ahead)} {'ahead' if ahead > 0 else 'behind'}"
    return f"{planned} by now" if order.is_final else f"{planned} by now, {gap}"


def _late(late: Late | None) -> str:
    if late is None or late.last is None:
        return "-"
    return f"last {late.last} ms, p95 {late.p95} ms, worst {late.worst} ms"


def _archived(order: Order) -> list[tuple[str, object]]:
    return [("Archived", f"{instant(order.archived_at)}: its slices are not here")] if order.archived_at else []


def _held(order: Order) -> list[tuple[str, object]]:
    if order.held is None:
        return []
    said = f": {order.held.message}" if order.held.message else ""
    return [("Held", f"{order.held.reason} since {instant(order.held.since)}{said}; until {order.held.ended_by}")]


def _arrival(order: Order) -> list[tuple[str, object]]:
    seen = order.arrival
    if seen is None:
        return []
    return [("Arrival", f"last {seen.last_price}, bid {seen.bid or '-'}, ask {seen.ask or '-'}")]


def catching_up(order: Order | OrderPreview) -> str:
    """How it catches up, in words."""
    extended = f", the window may grow by {order.extend_minutes} min" if order.extend_minutes else ""
    return (
        f"{order.catch_up}, at most {order.max_slice_multiple} times the plan{extended};"
        f" rests: {order.leftover}; at the end: {order.at_end}"
    )


def _not_fitting(order: Order) -> list[tuple[str, object]]:
    given_up = order.not_fitting
    return [] if given_up is None else [("Given up", f"{given_up.quantity}, the last of it for {given_up.reason}")]


def _order_row(order: Order) -> tuple[object, ...]:
    return (
        order.order_id,
        order.order_unique_key,
        instant(order.created_at),
        order.side,
        order.instrument,
        order.total_quantity,
        order.planned_quantity,
        order.filled_quantity,
        order.average_price,
        None if order.late_ms is None or order.late_ms.last is None else f"{order.late_ms.last} ms",
        state(order),
    )


def _slice_row(one: Slice) -> tuple[object, ...]:
    error = "" if one.error is None else ": ".join(filter(None, (one.error.code, one.error.message)))
    return (
        one.sequence_number,
        clock_time(one.scheduled_at),
        clock_time(one.sent_at),
        one.attempts,
        one.quantity,
        one.filled_quantity,
        one.average_price,
        one.status,
        one.broker_order_id,
        error,
    )
