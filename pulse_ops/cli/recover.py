"""`pulse recover`: what the database has forgotten after a restore or a failover, and the end of the hold."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from pulse_core import brokers
from pulse_core.brokers.port import BookUnavailable, BrokerOrder
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.book.reading import Book
from pulse_core.trading.order import recheck
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.recovery.lost_claims import Findings, LostClaim
from pulse_core.trading.recovery.sending_hold import Standing
from pulse_ops.cli import EXIT_FAILURE, EXIT_REFUSED, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_facts, print_json, print_table, say

EXIT_CODES = """\b
Exit codes:
  0    slices may be sent
  1    nothing is sent: the hold stands
  2    wrong usage or settings
  3    no stack is running, or the database gives no answer
  4    the broker's book cannot be read, or does not show enough to release the hold
Results go to stdout, messages to stderr."""


@click.command(epilog=EXIT_CODES)
@click.option("--release", "is_release", is_flag=True, help="End the hold, even if the database has forgotten orders.")
@click.option("--yes", is_flag=True, help="End the hold without asking.")
@click.option("--account", metavar="NAME", help="Let a broker account that is held go on, and do nothing else.")
@options.as_json
@options.data_dir
def recover(is_release: bool, yes: bool, account: str | None, is_json: bool, data_dir: Path | None) -> None:
    """Compare the database with the brokers' books after a restore or a failover, and record what it has lost.

    A database that lost its last commits shows slices as unsent that are at the broker. Pulse notices this: it sends
    nothing (the hold), finds the lost attempts in the book and records them. The hold ends by itself once nothing more
    can turn up, unless the book shows orders that the database has forgotten altogether: only you can tell what they
    are. Deal with them at the broker, then end the hold with --release.

    A broker account that its broker refuses is held by itself: --account NAME lets it go on once you have seen to it.

    Uses DATABASE_URL, else the running stack's database, and reads the book of every broker account that can be reached
    from here.
    """
    use_database(data_dir)
    if account is not None:
        _let_go_on(account)
        return
    found = _compare()
    stands = sending_hold.standing()
    if is_json:
        print_json(_summary(stands, found))
    else:
        _show(stands, found)
    if is_release and stands.hold is not None:
        _release(found, stands.hold.since, yes)
    elif stands.hold is not None:
        raise SystemExit(EXIT_FAILURE)


def _let_go_on(account: str) -> None:
    if not recheck.release_by_operator(account, f"{getpass.getuser()} (command line)"):
        say(f"No broker account {account} is held.")
        raise SystemExit(EXIT_FAILURE)
    say(f"Slices are sent to {account} again; if the broker still refuses it, it is held again.")


def _compare() -> Sequence[Findings]:
    accounts = brokers.reachable()
    if not accounts:
        say("No broker account can be reached from here, so nothing was compared and nothing is released.")
        raise SystemExit(EXIT_REFUSED)
    try:
        return [sending_hold.compare(broker, utcnow()) for broker in accounts]
    except BookUnavailable as error:
        say(f"The broker's book cannot be read, so nothing was compared and nothing is released: {error.message}")
        raise SystemExit(EXIT_REFUSED) from error


def _release(found: Sequence[Findings], since: datetime, yes: bool) -> None:
    if not all(findings.is_conclusive for findings in found):
        say("The hold is not ended: the book is incomplete, or a worker holds a slice whose attempt was lost.")
        raise SystemExit(EXIT_REFUSED)
    if not yes:
        click.confirm(_question(found, since), abort=True, err=True)
    sending_hold.release(f"{getpass.getuser()} (command line)")
    say("Slices are sent again.")


def _question(found: Sequence[Findings], since: datetime) -> str:
    delay = settings().settle_delay
    if delay == "never" or utcnow() - since < timedelta(seconds=delay):
        say("A request sent before the hold may still turn up at the broker: PULSE_SETTLE_DELAY has not passed.")
    unexplained = sum(len(findings.unexplained) for findings in found)
    return f"Send slices again, with {unexplained} orders at the broker that no slice explains?"


def _show(stands: Standing, found: Sequence[Findings]) -> None:
    held = stands.hold
    print_facts(
        [
            ("database", stands.present),
            ("known", stands.known),
            *(("book", _told(findings.book)) for findings in found),
            ("hold", f"since {instant(held.since)}: {held.reason}" if held else "none, slices are sent"),
        ]
    )
    _show_claims(_all(found, "recorded"), _all(found, "pending"))
    unexplained, foreign = _all(found, "unexplained"), _all(found, "foreign")
    _show_orders("Orders of this installation that no slice explains: see to them at the broker", unexplained)
    _show_orders("Orders of another installation, or of a time when tags did not say whose they are", foreign)


def _told(book: Book) -> str:
    state = "whole" if book.is_evidence else f"lacks {len(book.lacking)} acknowledged orders"
    return f"{len(book.by_broker_order_id)} orders of {book.broker_account} today, {state}"


def _all(found: Sequence[Findings], what: str) -> list[Any]:
    return [one for findings in found for one in getattr(findings, what)]


def _show_claims(recorded: Sequence[LostClaim], pending: Sequence[LostClaim]) -> None:
    claims = [("recorded", one) for one in recorded] + [("held by a worker", one) for one in pending]
    if claims:
        click.echo("\nAttempts that the database had lost:")
        rows = [[one.slice_id, one.attempt, one.broker_order_id, state] for state, one in claims]
        print_table(["Slice", ">Attempt", "Broker order", "Now"], rows)


def _show_orders(what: str, rows: Any) -> None:
    if rows:
        click.echo(f"\n{what}:")
        columns = ["Broker order", "Tag", "Status", ">Quantity", ">Filled"]
        print_table(columns, [[getattr(row, name) for name in _ORDER_FIELDS] for row in rows])


_ORDER_FIELDS = ("broker_order_id", "client_order_id", "status", "quantity", "filled_quantity")


def _summary(stands: Standing, found: Sequence[Findings]) -> dict[str, Any]:
    return {
        "database": stands.present,
        "known_database": stands.known,
        "held_since": stands.hold.since if stands.hold else None,
        "hold_code": stands.hold.code if stands.hold else None,
        "hold_reason": stands.hold.reason if stands.hold else None,
        "broker_accounts": [findings.book.broker_account for findings in found],
        "book_is_whole": all(findings.book.is_evidence for findings in found),
        "recorded": [asdict(one) for one in _all(found, "recorded")],
        "pending": [asdict(one) for one in _all(found, "pending")],
        "unexplained": [_order(row) for row in _all(found, "unexplained")],
        "foreign": [_order(row) for row in _all(found, "foreign")],
    }


def _order(row: BrokerOrder) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _ORDER_FIELDS}
