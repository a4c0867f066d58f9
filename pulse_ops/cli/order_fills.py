"""`pulse orders fills`: every trade of an order at the broker."""

from typing import Unpack

import click

from pulse_client.order_models import Fill
from pulse_ops.cli import options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.output import instant, print_json, print_table, say

_COLUMNS = (">Slice", ">Quantity", ">Price", "Traded", "Broker's order", "Trade", "Settled by")


@click.command()
@click.argument("order_id")
@click.option("--csv", "is_csv", is_flag=True, help="As CSV, for spreadsheets.")
@options.as_json
@connection_options
def fills(order_id: str, is_csv: bool, is_json: bool, **where: Unpack[Where]) -> None:
    """List every trade of an order at the broker, in the order of their booking."""
    if is_csv and is_json:
        raise click.UsageError("--csv or --json: one of the two.")
    gateway = connect(**where)
    if is_csv:
        for page in gateway.fills_csv(order_id):
            click.echo(page, nl=False)
        return
    found = list(gateway.fills(order_id))
    if is_json:
        print_json(found)
        return
    if not found:
        say("There are no fills.")
        return
    print_table(_COLUMNS, map(_row, found))


def _row(fill: Fill) -> tuple[object, ...]:
    traded = fill.sequence_number, fill.quantity, fill.price, instant(fill.traded_at)
    return (*traded, fill.broker_order_id, fill.trade_id, fill.settled_by)
