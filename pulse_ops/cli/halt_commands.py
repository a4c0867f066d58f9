"""What `pulse halt` does, and `pulse halts`."""

import getpass
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api_contract.vocabulary import HaltedState, HaltedWorking, HaltStatus
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount
from pulse_core.trading.halts import halting, receipt
from pulse_core.trading.halts.receipt import HaltReport
from pulse_core.trading.store.halts import HaltScope
from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.interrupts import heard_interrupts
from pulse_ops.cli.output import instant, print_facts, print_json, print_table, say

ALL = EveryAccount()
LOOKED_AT_EVERY = 0.5
_FACTS = (
    "halt_id", "status", "reason", "account_id", "broker_account", "instrument", "working", "made_by", "made_by_name",
    "made_at", "release_asked_by", "released_at", "quiet_at", "quiet_after_ms",
)  # fmt: skip

subcommands = click.Group()


def halt_now(
    named: tuple[str | None, str | None, str | None],
    reason: str,
    *,
    is_kept: bool,
    is_followed: bool,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Halt what is named, an account, a broker account and an instrument, and follow it until nothing is left."""
    use_database(data_dir)
    working = HaltedWorking.KEEP if is_kept else HaltedWorking.CANCEL
    found, is_new = halting.halt(ALL, HaltScope(*named), working, reason, _actor(), utcnow())
    say(f"{found.halt_id} {'halts' if is_new else 'halts already'} {_scope(found)}.")
    _print(_followed(found) if is_followed else found, is_json)


@subcommands.command()
@click.argument("halt_id")
@options.as_json
@options.data_dir
def release(halt_id: str, is_json: bool, data_dir: Path | None) -> None:
    """Let what was halted go on, in the rest of its window and without a rush."""
    use_database(data_dir)
    found = halting.release(ALL, halt_id, _actor(), utcnow())
    if found.status is not HaltStatus.RELEASED:
        say("Its orders are being given new times; nothing is sent before they have them.")
    _print(found, is_json)


@subcommands.command()
@click.argument("halt_id")
@click.option("--state", type=click.Choice([one.value for one in HaltedState], case_sensitive=False))
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor", metavar="CURSOR", help="Continue after the page that gave this cursor.")
@click.option("--follow", "is_followed", is_flag=True, help="Wait until nothing of it is left at the broker.")
@options.as_json
@options.data_dir
def show(
    halt_id: str,
    state: str | None,
    limit: int,
    cursor: str | None,
    is_followed: bool,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Show what a halt has done: cancelled, filled meanwhile, working still, unknown, unsent.

    With --state, the slices in it.
    """
    use_database(data_dir)
    if state is not None:
        _print_slices(halt_id, HaltedState(state.upper()), limit, cursor, is_json)
        return
    found = receipt.halt_report(ALL, halt_id)
    _print(_followed(found) if is_followed else found, is_json)


@click.command(epilog=EXIT_CODES)
@click.option("--all", "is_all", is_flag=True, help="Released ones too; by default only those in force.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--cursor", metavar="CURSOR", help="Continue after the page that gave this cursor.")
@options.as_json
@options.data_dir
def halts(is_all: bool, limit: int, cursor: str | None, is_json: bool, data_dir: Path | None) -> None:
    """List halts, the latest first."""
    use_database(data_dir)
    page = receipt.halt_page(ALL, is_released=None if is_all else False, limit=limit, cursor=cursor)
    if is_json:
        print_json({"halts": [asdict(one) for one in page.halts], "next_cursor": page.next_cursor})
        return
    print_table(
        ["Halt", "Status", "Of", "Since", "By", "Quiet", "Reason"],
        [
            [one.halt_id, one.status, _scope(one), instant(one.made_at), one.made_by_name, _quiet(one), one.reason]
            for one in page.halts
        ],
    )
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")


def _actor() -> str:
    return f"{getpass.getuser()} (command line)"


def _followed(found: HaltReport) -> HaltReport:
    said = ""
    with heard_interrupts() as check_interrupt:
        while not found.is_quiet and found.status is HaltStatus.ACTIVE:
            if _told(found) != said:
                said = _told(found)
                say(said)
            time.sleep(LOOKED_AT_EVERY)
            found = receipt.halt_report(ALL, found.halt_id)
            check_interrupt()
    return found


def _told(found: HaltReport) -> str:
    return ", ".join(f"{share.count} {state.lower()}" for state, share in found.slices.items() if share.count)


def _scope(found: HaltReport) -> str:
    named = filter(None, (found.account_id, found.broker_account, found.instrument))
    return ", ".join(named) or "everything"


def _quiet(found: HaltReport) -> str | None:
    return None if found.quiet_after_ms is None else f"after {found.quiet_after_ms / 1000:.1f} s"


def _print(found: HaltReport, is_json: bool) -> None:
    if is_json:
        print_json(asdict(found))
        return
    known = ((name, getattr(found, name)) for name in _FACTS)
    shown = ((name, instant(one) if isinstance(one, datetime) else one) for name, one in known if one is not None)
    print_facts((f"{name:<20}", one) for name, one in shown)
    click.echo()
    print_table(
        ["State", "Meaning", ">Slices", ">Lacking", ">Filled meanwhile"],
        [
            [state, state.meaning, share.count, share.leaves_quantity, share.filled_meanwhile]
            for state, share in found.slices.items()
        ],
    )


def _print_slices(halt_id: str, state: HaltedState, limit: int, cursor: str | None, is_json: bool) -> None:
    page = receipt.halted_slices(ALL, halt_id, state, limit, cursor)
    if is_json:
        rows: Sequence[dict[str, Any]] = [
            {name: value for name, value in asdict(one).items() if name != "key"} for one in page.slices
        ]
        print_json({"slices": rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ["Slice", "Order", ">No", "Instrument", ">Quantity", ">Filled", ">Meanwhile", "Broker order"],
        [
            [one.slice_id, one.order_id, one.sequence_number, one.instrument, one.quantity, one.filled_quantity,
             one.filled_meanwhile, one.broker_order_id]
            for one in page.slices
        ],
    )  # fmt: skip
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")
