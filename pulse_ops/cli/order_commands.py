"""The commands of `pulse orders`: place and follow orders through the public API."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Unpack

import click

from pulse_client.gateway import Gateway
from pulse_client.order_models import Order, OrderPage
from pulse_client.vocabulary import CatchUp, OrderStatus, WorkingSlices
from pulse_ops.cli import EXIT_INTERRUPTED, EXIT_NOT_FILLED, options, watching
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.order_amending import amend
from pulse_ops.cli.order_events import events
from pulse_ops.cli.order_fills import fills
from pulse_ops.cli.order_names import named_order, order_name
from pulse_ops.cli.order_placing import catch_up_choice, place, preview, side_choice
from pulse_ops.cli.order_tables import print_order, print_orders, print_slices
from pulse_ops.cli.output import print_json, say
from pulse_ops.cli.values import Instant

_status_choice = click.Choice([status.value for status in OrderStatus], case_sensitive=False)


orders = click.Group()
orders.add_command(place)
orders.add_command(amend)
orders.add_command(preview)
orders.add_command(events)
orders.add_command(fills)


@orders.command("list")
@click.option("--status", type=_status_choice, help="Orders in this status only.")
@click.option("--instrument", metavar="EXCHANGE:SYMBOL", help="Orders in this instrument only.")
@click.option("--broker-account", metavar="NAME", help="Orders of this broker account only.")
@click.option("--side", type=side_choice, metavar="BUY|SELL", help="Orders of this side only.")
@click.option("--search", metavar="TEXT", help="Orders with this in the instrument, key, note or id only.")
@click.option("--created-from", type=Instant(), help="Created at this time (UTC) or later.")
@click.option("--created-to", type=Instant(), help="Created before this time (UTC).")
@click.option("--limit", type=int, default=50, show_default=True, help="Orders per page, 1 to 200.")
@click.option("--cursor", help="Continue where an earlier page ended.")
@click.option("--all", "is_all", is_flag=True, help="Every page.")
@options.as_json
@connection_options
def list_(
    status: str | None,
    instrument: str | None,
    broker_account: str | None,
    side: str | None,
    search: str | None,
    created_from: datetime | None,
    created_to: datetime | None,
    limit: int,
    cursor: str | None,
    is_all: bool,
    is_json: bool,
    **where: Unpack[Where],
) -> None:
    """List your orders, newest first."""
    filters = {
        "status": status,
        "instrument": instrument,
        "broker_account": broker_account,
        "side": side,
        "search": search,
        "created_from": created_from,
        "created_to": created_to,
    }
    gateway = connect(**where)
    page = _all_pages(gateway, filters, limit, cursor) if is_all else gateway.page(filters, limit, cursor)
    if is_json:
        print_json(page)
        return
    print_orders(page.orders)
    if page.next_cursor:
        say(f"There are more: --all, or --cursor {page.next_cursor}")


@orders.command()
@named_order
@options.as_json
@connection_options
def show(order_id: str | None, key: str | None, account: str | None, is_json: bool, **where: Unpack[Where]) -> None:
    """Show an order and its slices."""
    name = order_name(order_id, key, account)
    gateway = connect(**where)
    order = gateway.order(name.order_id) if name.order_id else gateway.order_by_key(name.key, name.account)
    slices = gateway.slices(order.order_id)
    if is_json:
        print_json({"order": order, "slices": slices})
        return
    print_order(order, slices)


@orders.command()
@click.argument("order_id")
@click.option("--after", type=click.IntRange(0), default=0, help="Slices after this number only.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Slices per page.")
@options.as_json
@connection_options
def slices(order_id: str, after: int, limit: int, is_json: bool, **where: Unpack[Where]) -> None:
    """List the slices of an order with their ids, ordered by time; none before it is split."""
    wanted = [one for one in connect(**where).slices(order_id) if one.sequence_number > after]
    page = wanted[:limit]
    next_after = page[-1].sequence_number if len(wanted) > limit else None
    if is_json:
        print_json({"slices": page, "next_after": next_after})
        return
    print_slices(page)
    if next_after is not None:
        say(f"There are more: --after {next_after}")


@orders.command()
@click.argument("order_id")
@options.as_json
@connection_options
def watch(order_id: str, is_json: bool, **where: Unpack[Where]) -> None:
    """Follow an order to its end; exit 0 if it was filled, 5 if not.

    With --json, each change is a line with the whole order. Ctrl-C ends the watching, not the order.
    """
    gateway = connect(**where)
    try:
        order = _follow(gateway, order_id, is_json)
    except KeyboardInterrupt:
        say(f"\nThe order continues. Watch it again: pulse orders watch {order_id}")
        say(f"Cancel the rest of it: pulse orders cancel {order_id}")
        raise SystemExit(EXIT_INTERRUPTED) from None
    if not is_json:
        click.echo(f"{order.order_id} {watching.summary(order)}")
    if not order.is_filled:
        raise SystemExit(EXIT_NOT_FILLED)


@orders.command()
@click.argument("order_id")
@click.option(
    "--working",
    type=click.Choice([one.value for one in WorkingSlices]),
    help="Slices working at the broker: keep them there (default), or cancel them.",
)
@options.as_json
@connection_options
def pause(order_id: str, working: str | None, is_json: bool, **where: Unpack[Where]) -> None:
    """Send no further slices until the order is resumed.

    What it misses meanwhile goes out afterwards, as far as it fits into the order's window. Repeating it is harmless.
    """
    order = connect(**where).pause(order_id, working=None if working is None else WorkingSlices(working))
    _print_state(order, is_json)
    if not is_json:
        say(f"Resume it: pulse orders resume {order.order_id}")


@orders.command()
@click.argument("order_id")
@click.option(
    "--catch-up",
    type=catch_up_choice,
    metavar="spread|next_slice|burst|skip",
    help="How it catches up this once, in place of its own policy.",
)
@options.as_json
@connection_options
def resume(order_id: str, catch_up: str | None, is_json: bool, **where: Unpack[Where]) -> None:
    """Resume an order that is paused or held. What it missed goes out as its policy says; what no longer fits is given
    up, and named.

    Repeating it is harmless.
    """
    order = connect(**where).resume(order_id, catch_up=None if catch_up is None else CatchUp(catch_up))
    _print_state(order, is_json)
    if not is_json:
        say(f"Follow it: pulse orders watch {order.order_id}")


@orders.command()
@named_order
@options.as_json
@connection_options
def cancel(order_id: str | None, key: str | None, account: str | None, is_json: bool, **where: Unpack[Where]) -> None:
    """Cancel what is not filled; fills are kept. Repeating it is harmless."""
    name = order_name(order_id, key, account)
    gateway = connect(**where)
    order = gateway.cancel(name.order_id) if name.order_id else gateway.cancel_by_key(name.key, name.account)
    _print_state(order, is_json)
    if not is_json and not order.is_final:
        say(f"The broker has been asked to cancel the working slices: pulse orders watch {order.order_id}")


def _print_state(order: Order, is_json: bool) -> None:
    if is_json:
        print_json(order)
        return
    click.echo(f"{order.order_id} {watching.summary(order)}")


def _all_pages(gateway: Gateway, filters: dict[str, Any], limit: int, cursor: str | None) -> OrderPage:
    pages = list(gateway.pages(filters, limit, cursor))
    found = [order for page in pages for order in page.orders]
    # That of the first: what has happened since the pages were read comes after it.
    return OrderPage(orders=found, next_cursor=None, last_event_id=pages[0].last_event_id)


def _follow(gateway: Gateway, order_id: str, is_json: bool) -> Order:
    with watching.progress() as show_progress:
        show_change: Callable[[Order], None] = print_json if is_json else show_progress
        for order in watching.changes_of(gateway, order_id):
            show_change(order)
    return order
