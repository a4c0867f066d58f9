"""`pulse orders`: place and follow orders through the public API."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Unpack

import click
from ulid import ULID

from pulse_core.cli import EXIT_CODES, EXIT_INTERRUPTED, EXIT_NOT_FILLED, options, watching
from pulse_core.cli.connection import Where, connect, connection_options
from pulse_core.cli.order_tables import print_order, print_orders
from pulse_core.cli.output import print_facts, print_json, say
from pulse_core.client.answers import Order, OrderPage, Placed
from pulse_core.client.errors import GatewayError
from pulse_core.client.gateway import Gateway
from pulse_core.domain.enums import OrderStatus, Side
from pulse_core.domain.orders import NewOrder

_side_choice = click.Choice([side.value for side in Side], case_sensitive=False)
_status_choice = click.Choice([status.value for status in OrderStatus], case_sensitive=False)


class Instant(click.ParamType[str]):
    """An ISO 8601 date or time, taken as UTC when it names no offset; becomes the API's form."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date or time like 2026-01-31 or 2026-01-31T09:15:00Z", param, ctx)
        at = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
        return at.isoformat().replace("+00:00", "Z")


@click.group(epilog=EXIT_CODES)
def orders() -> None:
    """Place, list, show, watch and cancel orders through the gateway.

    On a running stack everything is found by itself: its gateway and its demo user. Elsewhere give --gateway
    and --username, or the variables PULSE_GATEWAY_URL, PULSE_USERNAME and PULSE_PASSWORD.
    """


@orders.command(
    epilog="""\b
Example, 100 shares in 5 slices over an hour:
  pulse orders place --instrument NSE:RELIANCE --side BUY --quantity 100 --splits 5 --minutes 60"""
)
@click.option("--instrument", required=True, metavar="EXCHANGE:SYMBOL", help="What to trade, such as NSE:RELIANCE.")
@click.option("--side", required=True, type=_side_choice, metavar="BUY|SELL")
@click.option("--quantity", required=True, type=int, help="Shares in all.")
@click.option("--splits", required=True, type=int, help="Into how many slices, 2 to 100.")
@click.option("--minutes", required=True, type=int, help="Over how long, 1 to 1440.")
@click.option(
    "--randomize/--even", default=True, show_default=True, help="Vary quantities and times, or keep them even."
)
@click.option("--key", help="The order's unique key, 1 to 64 characters; unset: a new one.")
@options.as_json
@connection_options
def place(
    instrument: str,
    side: str,
    quantity: int,
    splits: int,
    minutes: int,
    randomize: bool,
    key: str | None,
    is_json: bool,
    **where: Unpack[Where],
) -> None:
    """Place an order; the same command with the same --key makes no second one.

    The key is shown before the order is sent. Should the command fail or be interrupted, repeat it with that key.
    """
    key = f"cli-{ULID()}" if key is None else key
    order = NewOrder(key, instrument, Side(side), quantity, splits, minutes, randomize)
    gateway = connect(**where)
    say(f"Placing the order with --key {order.order_unique_key}")
    placed = _place(gateway, order)
    if placed.replayed:
        say("This key was used for this order before: here is that one, nothing new was made.")
    if is_json:
        print_json(placed)
        return
    print_facts((("Order", placed.order_id), ("Key", placed.order_unique_key)))
    say(f"Follow it: pulse orders watch {placed.order_id}")


@orders.command("list")
@click.option("--status", type=_status_choice, help="Orders in this status only.")
@click.option("--instrument", metavar="EXCHANGE:SYMBOL", help="Orders in this instrument only.")
@click.option("--side", type=_side_choice, metavar="BUY|SELL", help="Orders of this side only.")
@click.option("--created-from", type=Instant(), help="Created at this time (UTC) or later.")
@click.option("--created-to", type=Instant(), help="Created before this time (UTC).")
@click.option("--limit", type=int, default=50, show_default=True, help="Orders in a page, 1 to 200.")
@click.option("--cursor", help="Go on where an earlier page ended.")
@click.option("--all", "is_all", is_flag=True, help="Every page.")
@options.as_json
@connection_options
def list_(
    status: str | None,
    instrument: str | None,
    side: str | None,
    created_from: str | None,
    created_to: str | None,
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
        "side": side,
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
@click.argument("order_id")
@options.as_json
@connection_options
def show(order_id: str, is_json: bool, **where: Unpack[Where]) -> None:
    """Show an order and its slices."""
    gateway = connect(**where)
    order, slices = gateway.order(order_id), gateway.slices(order_id)
    if is_json:
        print_json({"order": order, "slices": slices})
        return
    print_order(order, slices)


@orders.command()
@click.argument("order_id")
@options.as_json
@connection_options
def watch(order_id: str, is_json: bool, **where: Unpack[Where]) -> None:
    """Follow an order to its end; exit 0 when it was filled, 5 when not.

    With --json, each change is a line with the whole order. Ctrl-C ends the watching, not the order.
    """
    gateway = connect(**where)
    try:
        order = _follow(gateway, order_id, is_json)
    except KeyboardInterrupt:
        say(f"\nThe order goes on. Watch it again: pulse orders watch {order_id}")
        say(f"Cancel what is left of it: pulse orders cancel {order_id}")
        raise SystemExit(EXIT_INTERRUPTED) from None
    if not is_json:
        click.echo(f"{order.order_id} {watching.summary(order)}")
    if not order.is_filled:
        raise SystemExit(EXIT_NOT_FILLED)


@orders.command()
@click.argument("order_id")
@options.as_json
@connection_options
def cancel(order_id: str, is_json: bool, **where: Unpack[Where]) -> None:
    """Cancel what is not filled; what is filled stays. Repeating it is harmless."""
    order = connect(**where).cancel(order_id)
    if is_json:
        print_json(order)
        return
    click.echo(f"{order.order_id} {watching.summary(order)}")
    if not order.is_final:
        say(f"The broker is asked to cancel what works there: pulse orders watch {order.order_id}")


def _place(gateway: Gateway, order: NewOrder) -> Placed:
    try:
        return gateway.place(order)
    except GatewayError as error:
        if error.again_after is not None:
            say(f"It may have been placed. Repeat the command with --key {order.order_unique_key} to make sure.")
        raise


def _all_pages(gateway: Gateway, filters: dict[str, str | None], limit: int, cursor: str | None) -> OrderPage:
    found = [order for page in gateway.pages(filters, limit, cursor) for order in page.orders]
    return OrderPage(orders=found, next_cursor=None)


def _follow(gateway: Gateway, order_id: str, is_json: bool) -> Order:
    with watching.progress() as show_progress:
        show_change: Callable[[Order], None] = print_json if is_json else show_progress
        for order in watching.changes_of(gateway, order_id):
            show_change(order)
    return order
