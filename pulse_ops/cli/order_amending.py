"""`pulse orders amend`: what may be changed of an order, as options."""

from datetime import datetime
from decimal import Decimal
from typing import Unpack

import click

from pulse_client.errors import PreconditionFailed
from pulse_client.gateway import Gateway
from pulse_client.new_order import Amendment
from pulse_client.order_models import OrderSnapshot
from pulse_client.vocabulary import AtEnd, CatchUp, Leftover
from pulse_ops.cli import options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.order_placing import at_end_choice, catch_up_choice, leftover_choice
from pulse_ops.cli.order_tables import catching_up
from pulse_ops.cli.output import instant, print_json, print_table, say
from pulse_ops.cli.values import Instant, Price

# An order that is being worked changes with every slice, and is read again as often as that.
TRIES = 10


@click.command()
@click.argument("order_id")
@click.option("--total", type=int, help="Total shares; no less than what is filled, or was sent and may be filled.")
@click.option("--minutes", type=int, help="Length of the window from its start, 1 to 1440.")
@click.option(
    "--end", type=Instant(), help="In place of --minutes: when the window closes (UTC unless with an offset)."
)
@click.option("--limit-price", type=Price(), help="Of a LIMIT order, for what is unsent.")
@click.option("--note", help="A note in place of the one that the order has.")
@click.option("--catch-up", type=catch_up_choice, help="Where what it misses goes from now on.")
@click.option("--max-slice-multiple", type=int, help="No interval gets more than so many times the plan's, 1 to 10.")
@click.option("--extend-minutes", type=int, metavar="MINUTES", help="The window may grow by so much to catch up.")
@click.option("--leftover", type=leftover_choice, help="What becomes of the unfilled rest of a slice that has ended.")
@click.option("--at-end", type=at_end_choice, help="market: one last slice at market when the window is over.")
@options.as_json
@connection_options
def amend(
    order_id: str,
    total: int | None,
    minutes: int | None,
    end: datetime | None,
    limit_price: Decimal | None,
    note: str | None,
    catch_up: str | None,
    max_slice_multiple: int | None,
    extend_minutes: int | None,
    leftover: str | None,
    at_end: str | None,
    is_json: bool,
    **where: Unpack[Where],
) -> None:
    """Change an order that is not over. What is unsent is planned anew; what was sent stays as it is."""
    changes = Amendment(
        total_quantity=total,
        duration_minutes=minutes,
        end_at=end,
        limit_price=limit_price,
        client_note=note,
        catch_up=None if catch_up is None else CatchUp(catch_up),
        max_slice_multiple=max_slice_multiple,
        extend_minutes=extend_minutes,
        leftover=None if leftover is None else Leftover(leftover),
        at_end=None if at_end is None else AtEnd(at_end),
    )
    if changes == Amendment():
        raise click.UsageError("Say what is to change, such as --total 80.")
    before, after = _amend(connect(**where), order_id, changes)
    if is_json:
        print_json(after)
        return
    print_table(("", "Before", "After"), _rows(before, after))
    say(f"Follow it: pulse orders watch {after.order_id}")


def _amend(gateway: Gateway, order_id: str, changes: Amendment) -> tuple[OrderSnapshot, OrderSnapshot]:
    """The order before and after. One that somebody else amends meanwhile is left as it is."""
    seen = before = gateway.order(order_id)
    for _ in range(TRIES):
        try:
            return before, gateway.amend(order_id, changes, before.etag or "*")
        except PreconditionFailed:
            before = gateway.order(order_id)
            if _terms(before) != _terms(seen):
                raise
    return before, gateway.amend(order_id, changes, before.etag or "*")


def _terms(order: OrderSnapshot) -> tuple[object, ...]:
    asked = order.total_quantity, order.end_at, order.limit_price, order.client_note
    return *asked, catching_up(order), order.status


def _rows(before: OrderSnapshot, after: OrderSnapshot) -> list[tuple[object, ...]]:
    return [
        (name, *(show(order) for order in (before, after)))
        for name, show in (
            ("Total", lambda order: order.total_quantity),
            ("Unsent", lambda order: order.exposure.unsent),
            ("Window ends", lambda order: instant(order.end_at)),
            ("Limit price", lambda order: order.limit_price or "-"),
            ("Catching up", catching_up),
            ("Note", lambda order: order.client_note or "-"),
        )
    ]
