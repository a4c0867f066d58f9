"""What an order would be and cost, as a person reads it; every time is in UTC."""

from collections.abc import Iterator
from decimal import Decimal

import click

from pulse_client.preview_models import Money, OrderPreview
from pulse_ops.cli.order_tables import catching_up
from pulse_ops.cli.output import instant, print_facts, print_json, print_table, say


def print_preview(preview: OrderPreview, *, is_json: bool) -> None:
    """The schedule, the money and the warnings; as JSON, all of it in a line."""
    if is_json:
        print_json(preview)
        return
    print_facts(_facts(preview))
    click.echo()
    rows = ((one.sequence_number, instant(one.scheduled_at), one.quantity) for one in preview.slices)
    print_table((">No", "Scheduled", ">Quantity"), rows)
    for warned in preview.warnings:
        say(f"Warning: {warned.message}.")
    for untold in preview.money.not_told:
        say(f"Not told by the broker: {untold.what} ({untold.reason}).")


def _facts(preview: OrderPreview) -> Iterator[tuple[str, object]]:
    yield "Order", f"{preview.side} {preview.total_quantity} {preview.instrument} at {preview.broker_account}"
    yield "Window", f"{instant(preview.start_at)} to {instant(preview.end_at)}"
    if preview.catch_up is not None:
        yield "Catches up", catching_up(preview)
    if preview.worth is not None:
        yield "Worth", f"{_money(preview.worth, preview)} at {preview.price}"
    yield from _of_account(preview.money, preview)


def _of_account(money: Money, preview: OrderPreview) -> Iterator[tuple[str, object]]:
    if money.margin is not None:
        yield "Margin", _money(money.margin, preview)
    if money.funds is not None:
        yield "Funds", _money(money.funds, preview)
    if money.charges is not None:
        parts = ", ".join(f"{name} {_rounded(amount)}" for name, amount in money.charges.parts.items() if amount)
        yield "Charges", _money(money.charges.total, preview) + (f" ({parts})" if parts else "")
    if money.holdings is not None:
        promised = f", of which open orders will sell {money.promised}" if money.promised else ""
        yield "Holdings", f"{money.holdings}{promised}"


def _money(amount: Decimal, preview: OrderPreview) -> str:
    return f"{_rounded(amount)} {preview.currency or ''}".rstrip()


def _rounded(amount: Decimal) -> str:
    return f"{amount:,.2f}"
