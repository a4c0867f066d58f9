"""`pulse markets`: when exchanges trade, and what holds for a day in place of their calendar."""

import getpass
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from api_contract.vocabulary import Product
from pulse_core.clock import utcnow
from pulse_core.markets import overrides
from pulse_core.markets.overrides import OverrideReport, Span, Statement
from pulse_core.markets.queries import MarketReport, market_report
from pulse_ops.cli import EXIT_CODES, instruments, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_facts, print_json, print_table, say

_SPAN = re.compile("([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})")
_day = click.DateTime(["%Y-%m-%d"])


@click.group(epilog=EXIT_CODES)
def markets() -> None:
    """Show when exchanges trade and what can be traded, and override single days. Times of a day are the exchange's.

    Works on the database of DATABASE_URL, else on that of the running stack.
    """


for _command in (instruments.instruments, instruments.load, instruments.loads):
    markets.add_command(_command)


@markets.command()
@click.argument("exchange")
@click.option("--day", type=_day, help="A day like 2026-11-30; default: today.")
@options.as_json
@options.data_dir
def show(exchange: str, day: datetime | None, is_json: bool, data_dir: Path | None) -> None:
    """Show the hours of EXCHANGE on a day, and its next session."""
    use_database(data_dir)
    report = market_report(exchange, None if day is None else day.date().isoformat(), utcnow())
    if is_json:
        print_json(asdict(report))
        return
    print_facts(_facts(report))
    if report.phases:
        click.echo()
        rows = (
            (one.name, _local(one.opens_at, report), _local(one.closes_at, report), ", ".join(one.takes))
            for one in report.phases
        )
        print_table(("Phase", "Opens", "Closes", "Takes"), rows)


@markets.command(
    epilog="""\b
Examples:
  an hour of trading on a holiday:
    pulse markets override NSE 2026-11-08 --session 18:00-19:00 --reason "Muhurat, circular 123"
  closed all day:
    pulse markets override NSE 2026-12-07 --closed --reason "day of mourning"
  one phase ends sooner, the others stay:
    pulse markets override NSE 2026-12-07 --phase continuous=09:15-13:00 --reason "circular 124"
  back to the calendar:
    pulse markets override NSE 2026-12-07 --revoke"""
)
@click.argument("exchange")
@click.argument("day", type=_day)
@click.option("--session", "sessions", multiple=True, metavar="HH:MM-HH:MM", help="Open then, and at no other time.")
@click.option("--phase", "phases", multiple=True, metavar="NAME=HH:MM-HH:MM", help="Move a phase; the others stay.")
@click.option("--closed", is_flag=True, help="Closed all day.")
@click.option(
    "--cut-off", "cut_offs", multiple=True, metavar="PRODUCT=HH:MM",
    help="Until when slices of a product are sent; default: as the calendar has it.",
)  # fmt: skip
@click.option("--reason", default="", help="Why, with the exchange's circular; kept and shown.")
@click.option("--revoke", is_flag=True, help="Let the calendar hold again.")
@options.data_dir
def override(
    exchange: str,
    day: datetime,
    sessions: tuple[str, ...],
    phases: tuple[str, ...],
    closed: bool,
    cut_offs: tuple[str, ...],
    reason: str,
    revoke: bool,
    data_dir: Path | None,
) -> None:
    """State what holds for DAY on EXCHANGE in place of its calendar, within a second in all processes.

    Slices that wait for their market are looked at again within a minute. Whoever states it is kept on record.
    """
    if sum(map(bool, (sessions, phases, closed, revoke))) != 1:
        raise click.UsageError("State one of --session, --phase, --closed and --revoke.")
    statement = Statement(
        [_span(one) for one in sessions],
        {name: _span(span) for name, span in map(_named, phases)} if phases else None,
        _cut_offs(cut_offs),
    )
    use_database(data_dir)
    if revoke:
        overrides.revoke_override(exchange, day.date(), _actor(), utcnow())
        say(f"The calendar of {exchange} holds again on {day:%Y-%m-%d}.")
        return
    overrides.override_day(exchange, day.date(), statement, reason, _actor(), utcnow())
    say(f"{exchange} is overridden on {day:%Y-%m-%d}. See `pulse markets show {exchange} --day {day:%Y-%m-%d}`.")


@markets.command("overrides")
@click.argument("exchange", required=False)
@options.as_json
@options.data_dir
def list_(exchange: str | None, is_json: bool, data_dir: Path | None) -> None:
    """List what was overridden, of all exchanges or of one, the latest first; those revoked too."""
    use_database(data_dir)
    found = overrides.list_overrides(exchange)
    if is_json:
        print_json([asdict(one) | {"day": one.day.isoformat()} for one in found])
        return
    print_table(("Exchange", "Day", "Phases", "Reason", "By", "At", "Revoked"), (_row(one) for one in found))


def _facts(report: MarketReport) -> list[tuple[str, object]]:
    following = report.next_session
    return [
        ("Exchange", report.exchange),
        ("Day", f"{report.day}{f', {report.day_name}' if report.day_name else ''}"),
        ("State", f"{'open' if report.phases else 'closed'}{', overridden' if report.is_override else ''}"),
        ("Kept", "yes" if report.is_kept else "no: orders are sent round the clock here"),
        ("Cut-offs", ", ".join(f"{name} {_local(at, report)}" for name, at in report.cut_offs.items()) or "-"),
        ("Next", "-" if following is None else f"{_on(following.start, report)} to {_local(following.end, report)}"),
        ("Known to", report.valid_until),
    ]


def _row(one: OverrideReport) -> tuple[object, ...]:
    phases = ", ".join(f"{phase['name']} {phase['opens']}-{phase['closes']}" for phase in one.phases) or "closed"
    revoked = None if one.revoked_at is None else f"{instant(one.revoked_at)} by {one.revoked_by}"
    return one.exchange, one.day, phases, one.reason, one.made_by, instant(one.made_at), revoked


def _span(stated: str) -> Span:
    match = _SPAN.fullmatch(stated)
    if match is None:
        raise click.UsageError(f"{stated!r} is not a span of time like 09:15-15:30.")
    return Span(_time(match[1]), _time(match[2]))


def _named(stated: str) -> tuple[str, str]:
    name, equals, span = stated.partition("=")
    if not equals:
        raise click.UsageError(f"{stated!r} is not like continuous=09:15-13:00.")
    return name, span


def _cut_offs(stated: tuple[str, ...]) -> Mapping[Product, time]:
    try:
        return {Product(name): _time(at) for name, at in map(_named, stated)}
    except ValueError:
        raise click.UsageError(f"--cut-off is for {', '.join(Product)}, like MIS=18:45.") from None


def _time(stated: str) -> time:
    try:
        return time.fromisoformat(stated)
    except ValueError:
        raise click.UsageError(f"{stated!r} is not a time like 09:15.") from None


def _local(at: datetime, report: MarketReport) -> str:
    return f"{at.astimezone(ZoneInfo(report.time_zone)):%H:%M}"


def _on(at: datetime, report: MarketReport) -> str:
    return f"{at.astimezone(ZoneInfo(report.time_zone)):%Y-%m-%d %H:%M}"


def _actor() -> str:
    return f"{getpass.getuser()} (command line)"
