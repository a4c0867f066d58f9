"""`pulse slices` and `celery -A pulse_tasks slices`: what operators do about slices that did not make it."""

import getpass
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pulse_core.brokers.base import BookUnavailable
from pulse_core.cli import EXIT_FAILURE, options
from pulse_core.clock import utcnow
from pulse_core.domain.enums import SliceStatus
from pulse_core.domain.errors import PulseError
from pulse_core.models import OrderSlice
from pulse_core.repositories.slices import SliceFilters
from pulse_core.services import retry
from pulse_core.stack import running

MOST_LISTED = 1000
RETRIABLE = (SliceStatus.FAILED, SliceStatus.REJECTED)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Since(click.ParamType[datetime]):
    """A length of time back from now, such as 90s, 30m, 1h or 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        match = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a length of time such as 90s, 30m, 1h or 2d", param, ctx)
        return utcnow() - timedelta(seconds=int(match[1]) * UNITS[match[2]])


status_option = click.option(
    "--status", "statuses", multiple=True, type=click.Choice([one.value for one in SliceStatus], case_sensitive=False)
)
order_option = click.option("--order", "order_id", metavar="ID", help="Slices of this order only.")
since_option = click.option("--since", type=Since(), help="Changed within this time, such as 30m, 1h or 2d.")


@click.group()
@options.data_dir
def slices(data_dir: Path | None) -> None:
    """List, inspect, retry and resolve slices of every account.

    Works on Postgres directly, with Redis down too: on DATABASE_URL, else on the running stack's.
    """
    if "DATABASE_URL" not in os.environ:
        os.environ.update(running.find(options.stack_settings(data_dir=data_dir).data_dir).environment)


@slices.command("list")
@status_option
@order_option
@since_option
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=100, show_default=True)
@options.as_json
def list_(statuses: tuple[str, ...], order_id: str | None, since: datetime | None, limit: int, is_json: bool) -> None:
    """List slices, the latest changed first."""
    wanted = SliceFilters(tuple(SliceStatus(one.upper()) for one in statuses), order_id, since)
    _print_slices(retry.list_slices(wanted, limit), is_json)


@slices.command()
@click.argument("slice_id")
@options.as_json
def show(slice_id: str, is_json: bool) -> None:
    """Show a slice with every attempt and every answer of the broker."""
    with _refusals():
        history = retry.slice_history(slice_id)
    if is_json:
        events = [_row(event, ("at", "kind", "from_status", "to_status", "detail")) for event in history.events]
        attempts = [_row(one, ("attempt", "client_order_id", "broker_order_id", "quantity", "claimed_at", "outcome"))
                    for one in history.attempts]  # fmt: skip
        _print_json({**_slice_row(history.slice), "attempts_made": attempts, "events": events})
        return
    _print_slices([history.slice], is_json=False)
    table = Table("At", "What", "From", "To", "Detail", box=None)
    for event in history.events:
        detail = ", ".join(f"{name}={value}" for name, value in event.detail.items())
        table.add_row(f"{event.at:%H:%M:%S.%f}", event.kind, event.from_status, event.to_status, detail)
    Console().print(table)


@slices.command("retry")
@click.argument("slice_ids", nargs=-1)
@order_option
@click.option("--all-failed", is_flag=True, help="Every FAILED or REJECTED slice; needs --since.")
@since_option
@click.option("--dry-run", is_flag=True, help="Say what would be retried, and change nothing.")
@options.as_json
def retry_(
    slice_ids: tuple[str, ...],
    order_id: str | None,
    all_failed: bool,
    since: datetime | None,
    dry_run: bool,
    is_json: bool,
) -> None:
    """Put failed or rejected slices back into the schedule, due at once.

    Name slices, or --order, or --all-failed with --since. A slice that must not be sent again is refused with
    the reason, and the command then ends with 1.
    """
    if sum((bool(slice_ids), order_id is not None, all_failed)) != 1:
        raise click.UsageError("Name slices, or --order, or --all-failed: one of the three.")
    if all_failed and since is None:
        raise click.UsageError("--all-failed needs --since, such as --since 1h.")
    chosen = slice_ids or [one.id for one in retry.list_slices(SliceFilters(RETRIABLE, order_id, since), MOST_LISTED)]
    outcomes = [_retry_one(slice_id, dry_run) for slice_id in chosen]
    _print_outcomes(outcomes, is_json)


@slices.command()
@click.argument("slice_ids", nargs=-1, required=True)
@options.as_json
def resolve(slice_ids: tuple[str, ...], is_json: bool) -> None:
    """Ask the broker's book about UNKNOWN slices now."""
    _print_outcomes([_resolve_one(slice_id) for slice_id in slice_ids], is_json)


@dataclass(frozen=True)
class Result:
    slice_id: str
    result: str
    reason: str | None = None


def _retry_one(slice_id: str, dry_run: bool) -> Result:
    try:
        if dry_run:
            history = retry.slice_history(slice_id)
            reason = retry.refusal(history.order, history.slice, utcnow())
            return Result(slice_id, "refused" if reason else "would retry", reason)
        retry.retry_slice(slice_id, _actor(), utcnow())
    except PulseError as error:
        return Result(slice_id, "refused", error.message)
    return Result(slice_id, "retried")


def _resolve_one(slice_id: str) -> Result:
    try:
        status = retry.resolve_slice(slice_id, _actor(), utcnow())
    except PulseError as error:
        return Result(slice_id, "refused", error.message)
    except BookUnavailable as error:
        return Result(slice_id, "refused", f"the broker's book cannot be read: {error.message}")
    return Result(slice_id, status)


def _actor() -> str:
    return f"{getpass.getuser()} (command line)"


class _refusals:  # noqa: N801
    """Turn a refusal of the services into one sentence and exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, PulseError):
            raise click.ClickException(error.message)


def _print_slices(found: Sequence[OrderSlice], is_json: bool) -> None:
    if is_json:
        _print_json([_slice_row(one) for one in found])
        return
    table = Table("Slice", "Order", "No", "Status", "Quantity", "Filled", "Attempts", "Changed", "Error", box=None)
    for one in found:
        error = f"{one.error_code}: {one.error_message}" if one.error_code else ""
        numbers = (str(one.quantity), str(one.filled_quantity), str(one.attempts))
        changed = f"{one.updated_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(one.id, one.order_id, str(one.sequence_number), one.status, *numbers, changed, error)
    Console(width=None if os.isatty(1) else 220).print(table)


def _print_outcomes(outcomes: Iterable[Result], is_json: bool) -> None:
    results = list(outcomes)
    if is_json:
        _print_json([vars(one) for one in results])
    else:
        for one in results:
            click.echo(f"{one.slice_id}  {one.result}" + (f": {one.reason}" if one.reason else ""))
    if not results:
        click.echo("There is nothing to do.", err=True)
    if any(one.result == "refused" for one in results):
        raise SystemExit(EXIT_FAILURE)


def _slice_row(one: OrderSlice) -> dict[str, Any]:
    names = ("order_id", "sequence_number", "status", "quantity", "filled_quantity", "average_price", "scheduled_at",
             "due_at", "sent_at", "attempts", "client_order_id", "broker_order_id", "error_code", "error_message",
             "updated_at")  # fmt: skip
    return {"slice_id": one.id, **_row(one, names)}


def _row(source: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, default=_plain, indent=2))


def _plain(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
