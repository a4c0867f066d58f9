"""`pulse slices` and `celery -A pulse_tasks slices`."""

import click

from pulse_ops.cli import EXIT_CODES
from pulse_ops.cli.later import Later


@click.group(cls=Later, commands_of="pulse_ops.cli.slice_commands:slices", epilog=EXIT_CODES)
def slices() -> None:
    """List, inspect, retry, resolve and settle slices of every account.

    Works directly on Postgres, even with Redis down: on DATABASE_URL, else the running stack's database.
    """
