"""The commands of `pulse slices`: what operators do about slices that went wrong."""

import getpass
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.order_rules import Settlement
from api_contract.vocabulary import SliceStatus
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.trading.slice import operations, settlement
from pulse_core.trading.slice.operations import SliceState
from pulse_core.trading.store.slices import SliceFilters
from pulse_ops.cli import EXIT_REFUSED, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import clock_time, instant, print_json, print_table, say

MOST_LISTED = 1000
RETRIABLE = (SliceStatus.FAILED, SliceStatus.REJECTED)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SLICE_FIELDS = (
    "order_id", "sequence_number", "status", "quantity", "filled_quantity", "average_price", "scheduled_at", "due_at",
    "sent_at", "attempts", "client_order_id", "broker_order_id", "error_code", "error_message", "updated_at",
)  # fmt: skip
ATTEMPT_FIELDS = ("attempt", "client_order_id", "broker_order_id", "quantity", "claimed_at", "outcome")
EVENT_FIELDS = ("at", "kind", "from_status", "to_status", "detail")


class Since(click.ParamType[datetime]):
    """A length of time back from now, such as 90s, 30m, 1h or 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        match = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a length of time such as 90s, 30m, 1h or 2d", param, ctx)
        return utcnow() - timedelta(seconds=int(match[1]) * UNITS[match[2]])


class Price(click.ParamType[Decimal]):
    """A price per share, such as 2500.05."""

    name = "price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", str(value)) is None:
            self.fail(f"{value!r} is not a price such as 2500.05", param, ctx)
        return Decimal(str(value))


status_option = click.option(
    "--status", "statuses", multiple=True, type=click.Choice([one.value for one in SliceStatus], case_sensitive=False)
)
order_option = click.option("--order", "order_id", metavar="ID", help="Slices of this order only.")
since_option = click.option("--since", type=Since(), help="Changed within this time, such as 30m, 1h or 2d.")


slices = click.Group()


@slices.command("list")
@status_option
@order_option
@since_option
@click.option("--to-settle", is_flag=True, help="Only slices that an operator must settle.")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=100, show_default=True)
@options.as_json
@options.data_dir
def list_(
    statuses: tuple[str, ...],
    order_id: str | None,
    since: datetime | None,
    to_settle: bool,
    limit: int,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """List slices, the latest changed first.

    With --to-settle, those whose outcome no book of the broker shows any more: UNKNOWN when the broker's day ended, or
    ended unseen with that day (END_UNSEEN).
    """
    use_database(data_dir)
    doubted_before = settlement.doubted_before(utcnow()) if to_settle else None
    wanted = SliceFilters(tuple(SliceStatus(one.upper()) for one in statuses), order_id, since, doubted_before)
    found = operations.list_slices(wanted, limit)
    if is_json:
        print_json([_slice_row(one) for one in found])
        return
    _print_slices(found)


@slices.command()
@click.argument("slice_id")
@options.as_json
@options.data_dir
def show(slice_id: str, is_json: bool, data_dir: Path | None) -> None:
    """Show a slice with every attempt and every answer of the broker."""
    use_database(data_dir)
    history = operations.slice_history(slice_id)
    if is_json:
        attempts = [_row(one, ATTEMPT_FIELDS) for one in history.attempts]
        events = [_row(one, EVENT_FIELDS) for one in history.events]
        print_json({**_slice_row(history.slice), "attempts_made": attempts, "events": events})
        return
    _print_slices([history.slice])
    print_table(
        ["At", "What", "From", "To", "Detail"],
        [
            [clock_time(one.at), one.kind, one.from_status, one.to_status, _detail(one.detail)]
            for one in history.events
        ],
    )  # fmt: skip


@slices.command("retry")
@click.argument("slice_ids", nargs=-1)
@order_option
@click.option("--all-failed", is_flag=True, help="Every FAILED or REJECTED slice; needs --since.")
@since_option
@click.option("--dry-run", is_flag=True, help="Say what would be retried, and change nothing.")
@options.as_json
@options.data_dir
def retry_(
    slice_ids: tuple[str, ...],
    order_id: str | None,
    all_failed: bool,
    since: datetime | None,
    dry_run: bool,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Put failed or rejected slices back into the schedule, due at once.

    Name slices, or --order, or --all-failed with --since. A slice that must not be sent again is refused with
    the reason, and the command exits with 4.
    """
    if sum((bool(slice_ids), order_id is not None, all_failed)) != 1:
        raise click.UsageError("Give one of these: slice ids, --order, or --all-failed.")
    if all_failed and since is None:
        raise click.UsageError("--all-failed needs --since, such as --since 1h.")
    use_database(data_dir)
    chosen = slice_ids or [
        one.id for one in operations.list_slices(SliceFilters(RETRIABLE, order_id, since), MOST_LISTED)
    ]
    _print_results([_retry_one(slice_id, dry_run) for slice_id in chosen], is_json)


@slices.command()
@click.argument("slice_ids", nargs=-1, required=True)
@options.as_json
@options.data_dir
def resolve(slice_ids: tuple[str, ...], is_json: bool, data_dir: Path | None) -> None:
    """Look up UNKNOWN slices in the broker's book now."""
    use_database(data_dir)
    _print_results([_resolve_one(slice_id) for slice_id in slice_ids], is_json)


@slices.command(
    epilog="""\b
Examples, from the contract note of the day:
  pulse slices settle SLICE_ID --filled 20 --price 2500.05
  pulse slices settle SLICE_ID --absent --reason "not in the tradebook"
"""
)
@click.argument("slice_id")
@click.option("--filled", type=int, metavar="SHARES", help="Total shares filled by its last attempt.")
@click.option("--price", type=Price(), help="Their average price per share.")
@click.option("--absent", is_flag=True, help="It was never placed, or no more was filled than is booked.")
@click.option("--reason", default="", help="How you know; needed with --absent.")
@options.as_json
@options.data_dir
def settle(
    slice_id: str,
    filled: int | None,
    price: Decimal | None,
    absent: bool,
    reason: str,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Book the outcome of a slice that no book of the broker shows any more.

    For slices of `list --to-settle`. It is booked as you state it, under your name, and cannot be undone. A slice that
    was never placed becomes FAILED, and may be retried. Refused while the broker's book can still show it.
    """
    use_database(data_dir)
    _print_results([_settle_one(slice_id, Settlement(filled, price, absent, reason))], is_json)


@dataclass(frozen=True)
class Result:
    slice_id: str
    result: str
    reason: str | None = None


def _retry_one(slice_id: str, dry_run: bool) -> Result:
    try:
        if dry_run:
            reason = operations.why_not_retried(slice_id, utcnow())
            return Result(slice_id, "refused" if reason else "would retry", reason)
        operations.retry_slice(slice_id, _actor(), utcnow())
    except (InvalidState, NotFound) as error:
        return Result(slice_id, "refused", error.message)
    return Result(slice_id, "retried")


def _resolve_one(slice_id: str) -> Result:
    try:
        status = operations.resolve_slice(slice_id, _actor(), utcnow())
    except (InvalidState, NotFound) as error:
        return Result(slice_id, "refused", error.message)
    except BookUnavailable as error:
        return Result(slice_id, "refused", f"the broker's book cannot be read: {error.message}")
    return Result(slice_id, status)


def _settle_one(slice_id: str, said: Settlement) -> Result:
    try:
        status = settlement.settle_slice(slice_id, _actor(), utcnow(), **asdict(said))
    except (InvalidRequest, InvalidState, NotFound) as error:
        return Result(slice_id, "refused", error.message)
    return Result(slice_id, status)


def _actor() -> str:
    return f"{getpass.getuser()} (command line)"


def _print_results(results: Sequence[Result], is_json: bool) -> None:
    if is_json:
        print_json([asdict(one) for one in results])
    else:
        for one in results:
            click.echo(f"{one.slice_id}  {one.result}" + (f": {one.reason}" if one.reason else ""))
    if not results:
        say("There is nothing to do.")
    if any(one.result == "refused" for one in results):
        raise SystemExit(EXIT_REFUSED)


def _print_slices(found: Sequence[SliceState]) -> None:
    print_table(
        ["Slice", "Order", "No", "Status", "Quantity", "Filled", "Attempts", "Changed", "Error"],
        [
            [one.id, one.order_id, one.sequence_number, one.status, one.quantity, one.filled_quantity, one.attempts,
             instant(one.updated_at), f"{one.error_code}: {one.error_message}" if one.error_code else None]
            for one in found
        ],
    )  # fmt: skip


def _slice_row(one: SliceState) -> dict[str, Any]:
    return {"slice_id": one.id, **_row(one, SLICE_FIELDS)}


def _row(source: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in detail.items())
