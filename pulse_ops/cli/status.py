"""`pulse status`: is everything up, and does it keep up."""

import json
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.stack import running
from pulse_ops.stack.status import StackStatus, status_of


@click.command()
@options.data_dir
@options.as_json
def status(data_dir: Path | None, is_json: bool) -> None:
    """Show each process, the queues, the database and the lag; exit 1 unless all is well."""
    settings = options.stack_settings(data_dir=data_dir)
    found = status_of(running.find(settings.data_dir), time.time())
    if is_json:
        click.echo(json.dumps(asdict(found)))
    else:
        _show(found)
    if not found.is_healthy:
        raise SystemExit(EXIT_FAILURE)


def _show(found: StackStatus) -> None:
    table = Table("Process", "State", "Pid", "Up", "Restarts", box=None, pad_edge=False)
    for one in found.processes:
        uptime = "" if one.uptime_seconds is None else str(timedelta(seconds=int(one.uptime_seconds)))
        state = one.state if one.state == "running" else f"[red]{one.state}[/red]"
        table.add_row(one.name, state, str(one.pid or ""), uptime, str(one.restarts))
    console = Console()
    console.print(table)
    queues = ", ".join(f"{name} {_or_unknown(depth)}" for name, depth in found.queues.items())
    database = "up to date" if found.database_revision == found.code_revision else f"code needs {found.code_revision}"
    console.print(f"\nQueues    {queues}")
    console.print(f"Database  {found.database_revision or 'no answer'} ({database})")
    console.print(f"Lag       {_or_unknown(found.lag_seconds)} s (oldest slice that should have gone out)")
    console.print(f"Alarms    {_or_unknown(found.open_alarms)} open (pulse alarms list)")


def _or_unknown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
