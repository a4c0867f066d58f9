"""How a command names an order: by its id, or by the key that its client gave it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True)
class OrderName:
    """An id; or, without one, a key, of another account if that is named."""

    order_id: str | None
    key: str
    account: str | None


def named_order(command: _Command) -> _Command:
    """Add ORDER_ID, --key and --account; give them to `order_name`."""
    command = click.option("--account", metavar="ID", help="With --key: the account whose order it is.")(command)
    command = click.option("--key", help="The order's unique key, in place of its id.")(command)
    return click.argument("order_id", required=False)(command)


def order_name(order_id: str | None, key: str | None, account: str | None) -> OrderName:
    """What was named. Raises UsageError unless it is one order."""
    if (order_id is None) == (key is None):
        raise click.UsageError("Give an order id or --key, one of the two.")
    if account is not None and key is None:
        raise click.UsageError("--account belongs to --key.")
    return OrderName(order_id, key or "", account)
