"""Groups of commands that are imported when somebody gives one.

Every process of Celery's imports what `celery` may be told, to know its commands.
"""

from importlib import import_module
from typing import Any

import click

from api_contract.log import keep_logs_off_stdout
from pulse_ops.cli import Sentences


class Later(Sentences):
    """A group with the commands of another one, which is told as module:name."""

    def __init__(self, *arguments: Any, commands_of: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._commands_of = commands_of

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._group().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        # Celery's own command leaves them there.
        keep_logs_off_stdout()
        return super().invoke(ctx)

    def _group(self) -> click.Group:
        module, _, name = self._commands_of.partition(":")
        group: click.Group = getattr(import_module(module), name)
        return group
