"""`pulse demo`: one order through the public API to its fills, compared with the exchange's own ledger."""

import sqlite3
from pathlib import Path

import click
import psycopg2
from ulid import ULID

from pulse_client.gateway import Credentials, Gateway
from pulse_client.new_order import NewOrder, SplitConfig
from pulse_client.order_models import Order, Slice
from pulse_client.vocabulary import Side
from pulse_ops.cli import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_NOT_FILLED, options, watching
from pulse_ops.cli.demo_report import as_json, print_report
from pulse_ops.cli.demo_stack import stack_for_demo
from pulse_ops.cli.ledger_check import LedgerCheck, check_against_ledger, tags_of
from pulse_ops.cli.order_tables import described
from pulse_ops.cli.output import print_json, say
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.running import RunningStack

INSTRUMENT = "NSE:RELIANCE"


@click.command()
@click.option("--quantity", type=int, default=100, show_default=True, help="Total shares.")
@click.option("--splits", type=int, default=5, show_default=True, help="Number of slices.")
@click.option("--minutes", type=int, default=1, show_default=True, help="Length of the window.")
@options.as_json
@options.data_dir
def demo(quantity: int, splits: int, minutes: int, is_json: bool, data_dir: Path | None) -> None:
    """Buy shares in slices, watch them fill, and compare with the exchange's own ledger.

    Trades at the paper exchange of the running stack, or of one that is started for it and stopped afterwards.
    Exit code 0 only when all is filled (else 5) and Pulse and the exchange agree to the share and the paisa (else 1).
    """
    new_order = NewOrder(f"demo-{ULID()}", INSTRUMENT, Side.BUY, quantity, SplitConfig(splits, minutes))
    try:
        with stack_for_demo(options.stack_settings(data_dir=data_dir)) as stack:
            exit_code = _trade(stack, new_order, is_json)
    except KeyboardInterrupt:
        say("Interrupted. If the stack keeps running, the order continues: pulse orders list")
        exit_code = EXIT_INTERRUPTED
    raise SystemExit(exit_code)


def _trade(stack: RunningStack, new_order: NewOrder, is_json: bool) -> int:
    if stack.demo_user is None or stack.demo_password is None or stack.ledger is None:
        raise StackError("The demo trades at the paper exchange only, and this stack sends orders to a real broker.")
    gateway = Gateway(stack.urls["gapi"], Credentials(stack.demo_user, stack.demo_password), say)
    order = _follow(gateway, gateway.place(new_order).order_id)
    slices = gateway.slices(order.order_id)
    check = _compare(stack, stack.ledger, order, slices)
    if is_json:
        print_json(as_json(order, check))
    else:
        print_report(order, check)
    if check.differences:
        return EXIT_FAILURE
    return 0 if order.is_filled else EXIT_NOT_FILLED


def _follow(gateway: Gateway, order_id: str) -> Order:
    is_announced = False
    with watching.progress() as show:
        for order in watching.changes_of(gateway, order_id):
            if not is_announced:
                say(f"{described(order)} (order {order_id})")
            is_announced = True
            show(order)
    return order


def _compare(stack: RunningStack, ledger: Path, order: Order, slices: list[Slice]) -> LedgerCheck:
    try:
        tags = tags_of(stack.environment["DATABASE_URL"], order.order_id)
        return check_against_ledger(order, slices, tags, ledger)
    except (psycopg2.Error, sqlite3.Error) as error:
        raise StackError(f"The comparison with the exchange's ledger could not be made: {error}") from error
