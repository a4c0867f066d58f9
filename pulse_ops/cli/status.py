"""`pulse status`: is everything up, and does it keep up."""

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.doctor import show
from pulse_ops.doctor.deployment import find_deployment
from pulse_ops.doctor.status import Status, status_of
from pulse_ops.stack.errors import NotRunning

_WIDTH_OF_FILES = 160


@click.command()
@options.data_dir
@options.disk_floor
@options.as_json
def status(data_dir: Path | None, disk_floor: int, is_json: bool) -> None:
    """Show each process, the queues, the database, the lag and each trouble; exit 1 unless all is well.

    Looks at the deployment of DATABASE_URL, PULSE_QUEUE_URL, PULSE_QUEUE_PREFIX and PULSE_GATEWAY_URL, or the stack
    that runs on the data folder.
    """
    deployment = find_deployment(options.stack_settings(data_dir=data_dir), disk_floor)
    if not deployment.is_named:
        raise NotRunning(
            f"No stack runs on {deployment.data_dir}, and DATABASE_URL names no other deployment: "
            "start one with `make run` or `pulse up`, or set it."
        )
    found = status_of(deployment)
    if is_json:
        click.echo(json.dumps(asdict(found), default=str))
    else:
        _show(found)
    if not found.is_healthy:
        raise SystemExit(EXIT_FAILURE)


def _show(found: Status) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
    if found.processes:
        table = Table("Process", "State", "Pid", "Up", "Restarts", box=None, pad_edge=False)
        for one in found.processes:
            state = one.state if one.state == "running" else f"[red]{one.state}[/red]"
            table.add_row(one.name, state, str(one.pid or ""), _duration(one.uptime_seconds), str(one.restarts))
        console.print(table)
        console.print()
    if found.reported:
        _show_reported(found, console)
    queues = ", ".join(f"{name} {_or_unknown(depth)}" for name, depth in found.queues.items())
    database = "up to date" if found.database_revision == found.code_revision else f"code needs {found.code_revision}"
    console.print(f"Queues    {queues}")
    console.print(f"Database  {found.database_revision or 'no answer'} ({database})")
    console.print(f"Lag       {_or_unknown(found.lag_seconds)} s (oldest slice that should have gone out)")
    console.print(f"Alarms    {_or_unknown(found.open_alarms)} open (pulse alarms list)")
    for account in found.broker_accounts:
        console.print(f"Broker    {account.name}: {account.words}")
    for trouble in found.troubles:
        show(trouble)


def _show_reported(found: Status, console: Console) -> None:
    columns = ("Reported", "Host", "Pid", "Up", "Seen", "Clock", "Version", "Tables", "Settings")
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False)
    for one in found.reported:
        seen = f"{one.seen_seconds:.0f} s ago"
        clock = "" if one.clock_skew_seconds is None else f"{one.clock_skew_seconds:+.2f} s"
        table.add_row(
            one.kind,
            one.host,
            str(one.pid),
            _duration(one.started_seconds),
            f"[red]{seen}[/red]" if one.is_silent else seen,
            clock,
            one.version,
            one.schema_revision or "",
            one.settings_digest,
        )
    console.print(table)
    console.print()


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=int(seconds)))


def _or_unknown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
