"""`pulse orders events`: what has happened to an order, page by page or as it happens."""

import time
from collections.abc import Iterator
from typing import Unpack

import click

from pulse_client.errors import NotReachable
from pulse_client.gateway import Gateway
from pulse_client.models import Event, EventPage
from pulse_ops.cli import EXIT_INTERRUPTED, options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.interrupts import heard_interrupts
from pulse_ops.cli.order_tables import event_row, print_events
from pulse_ops.cli.output import print_json, say
from pulse_ops.cli.watching import INTERVAL_SECONDS, OUTAGE_SECONDS


@click.command()
@click.argument("order_id")
@click.option("--after", type=click.IntRange(0), default=0, help="Events after this one only, by its number.")
@click.option("--limit", type=int, default=100, show_default=True, help="Events per page, 1 to 500.")
@click.option("--all", "is_all", is_flag=True, help="Every page.")
@click.option("--follow", "is_followed", is_flag=True, help="Continue with new events until the order has ended.")
@options.as_json
@connection_options
def events(
    order_id: str,
    after: int,
    limit: int,
    is_all: bool,
    is_followed: bool,
    is_json: bool,
    **where: Unpack[Where],
) -> None:
    """Show what has happened to an order, who did it and why.

    With --follow it goes on until the order has ended, and with --json each event is a line then. Ctrl-C ends the
    following, not the order.
    """
    gateway = connect(**where)
    if is_followed:
        _follow(gateway, order_id, after, is_json)
        return
    page = _all_pages(gateway, order_id, after) if is_all else gateway.event_page(order_id, after, limit)
    if is_json:
        print_json(page)
        return
    print_events(page.events)
    if page.next_after is not None:
        say(f"There may be more: --all, or --after {page.next_after}")


def _all_pages(gateway: Gateway, order_id: str, after: int) -> EventPage:
    return EventPage(events=list(gateway.events(order_id, after)), next_after=None, next_cursor=None)


def _follow(gateway: Gateway, order_id: str, after: int, is_json: bool) -> None:
    show = print_json if is_json else _print_line
    try:
        with heard_interrupts() as check:
            for event in _through_outages(gateway, order_id, after):
                show(event)
                after = event.event_id
                check()
    except KeyboardInterrupt:
        say(f"\nThe order continues. Follow it again: pulse orders events {order_id} --follow --after {after}")
        raise SystemExit(EXIT_INTERRUPTED) from None


def _through_outages(gateway: Gateway, order_id: str, after: int) -> Iterator[Event]:
    """The client's events; waits up to two minutes for a gateway that goes away meanwhile."""
    # One that is away from the start is not waited for.
    gateway.order(order_id)
    gives_up_at: float | None = None
    while True:
        try:
            for event in gateway.follow(order_id, after):
                yield event
                after, gives_up_at = event.event_id, None
        except NotReachable as error:
            if gives_up_at is None:
                say(f"{error} The order continues; waiting for the gateway.")
                gives_up_at = time.monotonic() + OUTAGE_SECONDS
            if time.monotonic() > gives_up_at:
                raise
            time.sleep(INTERVAL_SECONDS)
        else:
            return


def _print_line(event: Event) -> None:
    number, *rest = event_row(event)
    click.echo(f"{number:>5}  " + "  ".join("-" if cell is None else str(cell) for cell in rest))
