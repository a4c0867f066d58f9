"""What a demo ends with: the slices, how late they were, and whether the exchange agrees."""

from decimal import Decimal
from typing import Any

import click

from pulse_client.order_models import Order, Slice
from pulse_ops.cli.ledger_check import AtExchange, LedgerCheck, late_ms
from pulse_ops.cli.output import clock_time, print_facts, print_table
from pulse_ops.cli.watching import state

_COLUMNS = (">No", "Scheduled", "Arrived", ">Late ms", ">Quantity", ">Filled", ">Price", ">Exchange says")


def print_report(order: Order, check: LedgerCheck) -> None:
    """The table, the totals, the lateness and the verdict."""
    print_table(_COLUMNS, (_row(one, found) for one, found in check.slices))
    click.echo("Times are UTC; late is the arrival at the exchange after the scheduled time.\n")
    print_facts(
        [
            ("Order", f"{order.order_id} {state(order)}"),
            ("Pulse", _fills(order.filled_quantity, order.average_price)),
            ("Exchange", f"{_fills(check.quantity, _average(check))}, {check.value:.2f} in all"),
            ("Late", f"p50 {_ms(check.median_late_ms)} ms, max {_ms(max(check.late_ms, default=None))} ms"),
        ]
    )
    for difference in check.differences:
        click.echo(click.style(f"DIFFERS   {difference}", fg="red"))
    if not check.differences:
        click.echo(click.style("Pulse and the exchange's ledger agree to the share and the paisa.", fg="green"))


def as_json(order: Order, check: LedgerCheck) -> dict[str, Any]:
    """The same for a program; lateness in milliseconds."""
    return {
        "order": order,
        "slices": [_slice_json(one, found) for one, found in check.slices],
        "exchange": {"filled_quantity": check.quantity, "value": check.value, "average_price": _average(check)},
        "late_ms": {"p50": check.median_late_ms, "max": max(check.late_ms, default=None)},
        "agrees": not check.differences,
        "differences": list(check.differences),
    }


def _row(one: Slice, found: AtExchange) -> tuple[object, ...]:
    return (
        one.sequence_number,
        clock_time(one.scheduled_at),
        clock_time(found.arrived_at),
        _ms(late_ms(one, found)),
        one.quantity,
        one.filled_quantity,
        one.average_price,
        f"{found.quantity} for {found.value:.2f}",
    )


def _slice_json(one: Slice, found: AtExchange) -> dict[str, Any]:
    return one.as_json() | {
        "arrived_at": found.arrived_at,
        "late_ms": late_ms(one, found),
        "exchange": {
            "order_ids": [order.order_id for order in found.orders],
            "filled_quantity": found.quantity,
            "value": found.value,
        },
    }


def _average(check: LedgerCheck) -> Decimal | None:
    return round(check.value / check.quantity, 4) if check.quantity else None


def _fills(quantity: int, average: Decimal | None) -> str:
    return f"{quantity} filled" if average is None else f"{quantity} filled at {average:f} on average"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f}"
