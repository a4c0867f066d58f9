"""Follow an order to its end: a bar on a terminal, a line for each change elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pulse_client.errors import NotReachable
from pulse_client.gateway import Gateway
from pulse_client.order_models import Order
from pulse_ops.cli.interrupts import heard_interrupts
from pulse_ops.cli.output import say

INTERVAL_SECONDS = 1.0
OUTAGE_SECONDS = 120.0

Show = Callable[[Order], None]


def changes_of(gateway: Gateway, order_id: str) -> Iterator[Order]:
    """The order now, at every change, and last in its final status. Raises GatewayError.

    A gateway that is away for up to two minutes is waited for: the order goes on without it.
    """
    seen: Order | None = None
    with heard_interrupts() as check_interrupt:
        while seen is None or not seen.is_final:
            order = gateway.order(order_id) if seen is None else _order_after_outages(gateway, order_id)
            check_interrupt()
            if order != seen:
                yield order
            seen = order
            if not seen.is_final:
                time.sleep(INTERVAL_SECONDS)


@contextmanager
def progress(console: Console | None = None) -> Iterator[Show]:
    """Shows an order each time it is given, on stderr."""
    console = console or Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        yield _line_for_each_news()
        return
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)
        yield lambda order: bar.update(
            task, total=order.total_quantity, completed=order.filled_quantity, description=summary(order)
        )


def summary(order: Order) -> str:
    """The progress of the order, in one line."""
    slices = f", {order.finished_slices} of {sum(order.slices.values())} slices" if order.slices else ""
    price = f" at {order.average_price}" if order.average_price is not None else ""
    unknown = f", {order.exposure.unknown} being cleared up with the broker" if order.exposure.unknown else ""
    return f"{state(order)}: {order.filled_quantity} of {order.total_quantity} filled{price}{slices}{unknown}"


def state(order: Order) -> str:
    """Status, result and the reason of a skipped order."""
    words = [str(order.status)]
    if order.result:
        words.append(order.result)
    if order.skip_reason:
        words.append(order.skip_reason)
    if order.held:
        words.append(f"held: {order.held.reason}")
    return ", ".join(words)


def _line_for_each_news() -> Show:
    said = ""

    def show(order: Order) -> None:
        nonlocal said
        if summary(order) != said:
            said = summary(order)
            say(f"{order.updated_at.astimezone():%H:%M:%S} {said}")

    return show


def _order_after_outages(gateway: Gateway, order_id: str) -> Order:
    gives_up_at = time.monotonic() + OUTAGE_SECONDS
    is_told = False
    while True:
        try:
            return gateway.order(order_id)
        except NotReachable as error:
            if time.monotonic() > gives_up_at:
                raise
            if not is_told:
                say(f"{error} The order continues; waiting for the gateway.")
            is_told = True
        time.sleep(INTERVAL_SECONDS)
