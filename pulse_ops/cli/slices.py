"""`pulse slices` and `celery -A pulse_tasks slices`.

Every process of Celery's imports this to know the command: what it does is imported when somebody gives it.
"""

from functools import cache
from importlib import import_module

import click

from pulse_ops.cli import EXIT_CODES, Sentences


class Later(Sentences):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _commands().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _commands().get_command(ctx, cmd_name)


@cache
def _commands() -> click.Group:
    group: click.Group = import_module("pulse_ops.cli.slice_commands").slices
    return group


@click.group(cls=Later, epilog=EXIT_CODES)
def slices() -> None:
    """List, inspect, retry, resolve and settle slices of every account.

    Works directly on Postgres, even with Redis down: on DATABASE_URL, else the running stack's database.
    """
