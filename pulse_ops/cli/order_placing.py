"""`pulse orders place`: every term that an order may state, as an option."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Unpack

import click
from ulid import ULID

from pulse_client.errors import GatewayError
from pulse_client.gateway import Gateway
from pulse_client.new_order import NewOrder, SplitConfig
from pulse_client.order_models import Placed
from pulse_client.vocabulary import AtEnd, CatchUp, Leftover, OrderType, Product, SessionRule, Side
from pulse_ops.cli import options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.order_previews import print_preview
from pulse_ops.cli.output import print_facts, print_json, say
from pulse_ops.cli.values import Instant, Price

side_choice = click.Choice([side.value for side in Side], case_sensitive=False)
_type_choice = click.Choice([one.value for one in OrderType], case_sensitive=False)
_session_choice = click.Choice([one.value for one in SessionRule], case_sensitive=False)
catch_up_choice = click.Choice([one.value for one in CatchUp], case_sensitive=False)
leftover_choice = click.Choice([one.value for one in Leftover], case_sensitive=False)
at_end_choice = click.Choice([one.value for one in AtEnd], case_sensitive=False)
_product_choice = click.Choice([one.value for one in Product], case_sensitive=False)


@click.command(
    epilog="""\b
Examples:
  100 shares in 5 slices over an hour, at the market:
    pulse orders place --instrument NSE:RELIANCE --side BUY --quantity 100 --splits 5 --minutes 60
  the same at 2510.50 or better, from 09:20 Indian time on:
    pulse orders place --instrument NSE:RELIANCE --side BUY --quantity 100 --splits 5 --minutes 60 \\
      --limit-price 2510.50 --start-at 2026-03-02T09:20+05:30"""
)
@click.option("--instrument", required=True, metavar="EXCHANGE:SYMBOL", help="What to trade, such as NSE:RELIANCE.")
@click.option("--side", required=True, type=side_choice, metavar="BUY|SELL")
@click.option("--quantity", required=True, type=int, help="Total shares.")
@click.option("--splits", required=True, type=int, help="Number of slices, 2 to 100.")
@click.option("--minutes", type=int, help="Length of the window, 1 to 1440.")
@click.option("--until-close", is_flag=True, help="In place of --minutes: the window ends when its market closes.")
@click.option(
    "--randomize/--even", default=True, show_default=True, help="Vary quantities and times, or keep them even."
)
@click.option("--limit-price", type=Price(), help="Per share, at most 2 decimals: makes it a LIMIT order.")
@click.option(
    "--order-type", type=_type_choice, metavar="MARKET|LIMIT", help="Default: LIMIT with --limit-price, else MARKET."
)
@click.option(
    "--start-at", type=Instant(), help="When the window opens (UTC unless given with an offset), up to 30 days ahead."
)
@click.option(
    "--session",
    type=_session_choice,
    metavar="refuse|wait|at_open",
    help="Where the market is closed: refuse the order (default), wait, or begin with the next session.",
)
@click.option(
    "--product", type=_product_choice, metavar="CNC|MIS|NRML", help="Default: the one that the operator has set."
)
@click.option(
    "--slice-timeout", type=int, metavar="SECONDS", help="How long a slice may work at the broker, 1 to 3600."
)
@click.option(
    "--catch-up",
    type=catch_up_choice,
    metavar="spread|next_slice|burst|skip",
    help="Where what it misses goes: over the rest of the window (default), with the next slice, at once, nowhere.",
)
@click.option(
    "--max-slice-multiple",
    type=int,
    metavar="TIMES",
    help="No slice and no interval gets more than so many times the plan's, 1 to 10. Default: 3.",
)
@click.option(
    "--extend-minutes", type=int, metavar="MINUTES", help="By how much the window may grow to catch up. Default: 0."
)
@click.option(
    "--leftover",
    type=leftover_choice,
    metavar="catch_up|drop",
    help="What becomes of the unfilled rest of a slice that has ended. Default: catch_up.",
)
@click.option(
    "--at-end",
    type=at_end_choice,
    metavar="leave|market",
    help="market: one last slice at market when the window is over. Default: leave.",
)
@click.option("--broker-account", metavar="NAME", help="Where it is traded. Default: the account of the installation.")
@click.option("--note", help="A note that is kept and shown with the order; up to 200 characters.")
@click.option("--key", help="The order's unique key, 1 to 64 characters; default: a new one.")
@click.option("--preview", "is_previewed", is_flag=True, help="Show the schedule and the money, and ask first.")
@click.option("--yes", "is_agreed", is_flag=True, help="With --preview: place it without asking.")
@options.as_json
@connection_options
def place(
    instrument: str,
    side: str,
    quantity: int,
    splits: int,
    minutes: int | None,
    until_close: bool,
    randomize: bool,
    limit_price: Decimal | None,
    order_type: str | None,
    start_at: datetime | None,
    session: str | None,
    product: str | None,
    slice_timeout: int | None,
    catch_up: str | None,
    max_slice_multiple: int | None,
    extend_minutes: int | None,
    leftover: str | None,
    at_end: str | None,
    broker_account: str | None,
    note: str | None,
    key: str | None,
    is_previewed: bool,
    is_agreed: bool,
    is_json: bool,
    is_only_shown: bool = False,
    **where: Unpack[Where],
) -> None:
    """Place an order; repeating the command with the same --key does not place a second one.

    The key is shown before the order is sent. If the command fails or is interrupted, repeat it with that key.
    With --preview the order has exactly the schedule that was shown, or is not placed.
    """
    order = NewOrder(
        order_unique_key=f"cli-{ULID()}" if key is None else key,
        instrument=instrument,
        side=Side(side),
        total_quantity=quantity,
        split_config=_split(splits, minutes, randomize, until_close),
        order_type=_order_type(order_type, limit_price),
        limit_price=limit_price,
        start_at=start_at,
        session=None if session is None else SessionRule(session),
        product=None if product is None else Product(product),
        slice_timeout_seconds=slice_timeout,
        client_note=note,
        broker_account=broker_account,
        catch_up=None if catch_up is None else CatchUp(catch_up),
        max_slice_multiple=max_slice_multiple,
        extend_minutes=extend_minutes,
        leftover=None if leftover is None else Leftover(leftover),
        at_end=None if at_end is None else AtEnd(at_end),
    )
    gateway = connect(**where)
    if is_previewed or is_only_shown:
        preview = gateway.preview(order)
        print_preview(preview, is_json=is_json)
        if is_only_shown:
            return
        if not is_agreed:
            click.confirm("Place this order?", abort=True, err=True)
        order = replace(order, plan_token=preview.plan_token)
    say(f"Placing the order with --key {order.order_unique_key}")
    _show(_place(gateway, order), is_json)


assert place.callback is not None  # noqa: S101
preview = click.Command(
    "preview",
    params=[one for one in place.params if one.name not in ("is_previewed", "is_agreed")],
    callback=partial(place.callback, is_previewed=False, is_agreed=False, is_only_shown=True),
    help="Show what an order would be and cost, with the options of `pulse orders place`; nothing is placed.",
    short_help="Show what an order would be and cost.",
)


def _split(splits: int, minutes: int | None, randomize: bool, until_close: bool) -> SplitConfig:
    if until_close == (minutes is not None):
        raise click.UsageError("State --minutes or --until-close, one of the two.")
    return SplitConfig(splits, minutes, randomize, until_close or None)


def _order_type(stated: str | None, limit_price: Decimal | None) -> OrderType | None:
    if stated is not None:
        return OrderType(stated)
    return None if limit_price is None else OrderType.LIMIT


def _place(gateway: Gateway, order: NewOrder) -> Placed:
    try:
        return gateway.place(order)
    except GatewayError as error:
        if error.retry_after is not None:
            say(f"It may have been placed. Repeat the command with --key {order.order_unique_key} to make sure.")
        raise


def _show(placed: Placed, is_json: bool) -> None:
    if placed.replayed:
        say("This order was already placed with this key; no new order was placed.")
    if is_json:
        print_json(placed)
        return
    print_facts((("Order", placed.order_id), ("Key", placed.order_unique_key)))
    say(f"Follow it: pulse orders watch {placed.order_id}")
