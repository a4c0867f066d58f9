"""`pulse alarms`: the inbox of what operators must see."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api_contract.alarms import LONGEST_ALARM_NOTE, AlarmCode, AlarmStatus
from api_contract.errors import InvalidRequest, InvalidState, NotFound
from pulse_core.clock import utcnow
from pulse_core.events.names import alarm_event_type
from pulse_core.trading import inbox
from pulse_core.trading.inbox import AlarmFilters, AlarmHistory, AlarmReport
from pulse_ops.cli import EXIT_CODES, EXIT_REFUSED, Sentences, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_facts, print_json, print_table, say

_FACTS = (
    "code", "meaning", "status", "account_id", "order_id", "slice_id", "occurrences", "first_seen_at", "opened_at",
    "last_seen_at", "acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by", "note",
)  # fmt: skip

Deed = Callable[[str], AlarmReport]


@click.group(cls=Sentences, epilog=EXIT_CODES)
def alarms() -> None:
    """List, inspect, acknowledge, note and resolve alarms of every account.

    Works directly on Postgres, even with Redis down: on DATABASE_URL, else the running stack's database.
    """


@alarms.command("list")
@click.option("--status", type=click.Choice([one.value for one in AlarmStatus], case_sensitive=False))
@click.option("--all", "is_all", is_flag=True, help="Resolved ones too; by default only what is not resolved.")
@click.option("--code", type=click.Choice([one.value for one in AlarmCode], case_sensitive=False))
@click.option("--order", "order_id", metavar="ID", help="Alarms of this order only.")
@click.option("--account", "account_id", metavar="ID", help="Alarms of this account's orders only.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", metavar="CURSOR", help="Continue after the page that gave this cursor.")
@options.as_json
@options.data_dir
def list_(
    status: str | None,
    is_all: bool,
    code: str | None,
    order_id: str | None,
    account_id: str | None,
    limit: int,
    cursor: str | None,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """List alarms, the latest first: those that are not resolved, unless --status or --all says otherwise."""
    if status and is_all:
        raise click.UsageError("--status and --all cannot be combined.")
    use_database(data_dir)
    wanted = AlarmFilters(
        status=AlarmStatus(status.upper()) if status else None,
        code=AlarmCode(code.upper()) if code else None,
        order_id=order_id,
        account_id=account_id,
        is_unresolved=not status and not is_all,
    )
    page = inbox.alarm_page(wanted, limit, cursor)
    if is_json:
        print_json({"alarms": [_row(one) for one in page.alarms], "next_cursor": page.next_cursor})
        return
    _print_alarms(page.alarms)
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")


@alarms.command()
@click.argument("alarm_id")
@options.as_json
@options.data_dir
def show(alarm_id: str, is_json: bool, data_dir: Path | None) -> None:
    """Show an alarm, what is known about it, and what was done about it."""
    use_database(data_dir)
    found = inbox.alarm_history(alarm_id)
    if is_json:
        print_json({"alarm": _row(found.alarm), "events": [_event(one) for one in found.events]})
        return
    _print_history(found)


@alarms.command()
@click.argument("alarm_ids", nargs=-1, required=True)
@options.as_json
@options.data_dir
def acknowledge(alarm_ids: tuple[str, ...], is_json: bool, data_dir: Path | None) -> None:
    """Take open alarms on, under your name."""
    use_database(data_dir)
    _print_results(
        [_do(one, lambda id_: inbox.acknowledge_alarm(id_, _actor(), utcnow())) for one in alarm_ids], is_json
    )


@alarms.command()
@click.argument("alarm_ids", nargs=-1, required=True)
@options.as_json
@options.data_dir
def resolve(alarm_ids: tuple[str, ...], is_json: bool, data_dir: Path | None) -> None:
    """Say that the cause of alarms is dealt with. They open again if the same happens again."""
    use_database(data_dir)
    _print_results([_do(one, lambda id_: inbox.resolve_alarm(id_, _actor(), utcnow())) for one in alarm_ids], is_json)


@alarms.command(epilog='Example: pulse alarms note ALARM_ID "the broker is looking into it"')
@click.argument("alarm_id")
@click.argument("note")
@options.as_json
@options.data_dir
def note(alarm_id: str, note: str, is_json: bool, data_dir: Path | None) -> None:
    """Keep a note with an alarm, in place of the one before."""
    if len(note.strip()) > LONGEST_ALARM_NOTE:
        raise click.UsageError(f"A note has at most {LONGEST_ALARM_NOTE} characters.")
    use_database(data_dir)
    _print_results([_do(alarm_id, lambda id_: inbox.note_alarm(id_, note, _actor(), utcnow()))], is_json)


@dataclass(frozen=True)
class Result:
    alarm_id: str
    result: str
    reason: str | None = None


def _do(alarm_id: str, deed: Deed) -> Result:
    try:
        return Result(alarm_id, deed(alarm_id).status)
    except (InvalidRequest, InvalidState, NotFound) as error:
        return Result(alarm_id, "refused", error.message)


def _actor() -> str:
    return f"{getpass.getuser()} (command line)"


def _print_results(results: Sequence[Result], is_json: bool) -> None:
    if is_json:
        print_json([asdict(one) for one in results])
    else:
        for one in results:
            click.echo(f"{one.alarm_id}  {one.result}" + (f": {one.reason}" if one.reason else ""))
    if any(one.result == "refused" for one in results):
        raise SystemExit(EXIT_REFUSED)


def _print_alarms(found: Sequence[AlarmReport]) -> None:
    print_table(
        ["Alarm", "Code", "Status", ">Times", "First seen", "Last seen", "About", "Note"],
        [
            [one.id, one.code, one.status, one.occurrences, instant(one.first_seen_at), instant(one.last_seen_at),
             one.slice_id or one.order_id or "installation", one.note]
            for one in found
        ],
    )  # fmt: skip


def _print_history(found: AlarmHistory) -> None:
    known = [(name, getattr(found.alarm, name)) for name in _FACTS]
    about = [*known, *found.alarm.detail.items()]
    print_facts((f"{name:<17}", _shown(value)) for name, value in about if value is not None)
    click.echo()
    print_table(
        ["At", "What", "By", "Detail"],
        [
            [instant(one.at), alarm_event_type(one.kind), one.actor, _detail(one.detail)]
            for one in found.events
        ],
    )  # fmt: skip


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in detail.items())


def _shown(value: object) -> object:
    return instant(value) if isinstance(value, datetime) else value


def _row(one: AlarmReport) -> dict[str, Any]:
    known = asdict(one)
    return {"alarm_id": known.pop("id"), **known}


def _event(one: inbox.Happening) -> dict[str, Any]:
    return {"type": alarm_event_type(one.kind), "at": one.at, "actor": one.actor, "detail": one.detail}
