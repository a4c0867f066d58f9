"""`python -m pulse_tasks worker`, `... beat`, `... flower`: Celery's commands of these names, each by itself.

`celery -A pulse_tasks` knows them too. For the commands beside them it loads a prompt, and Flower into every worker.
"""

from importlib import import_module

import click
from celery.bin.base import CLIContext

from pulse_tasks import app

_MODULES = {"worker": "celery.bin.worker", "beat": "celery.bin.beat", "flower": "flower.command"}


class _Commands(click.Group):
    """Loads the one that is asked for."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _MODULES:
            return None
        command: click.Command = getattr(import_module(_MODULES[name]), name)
        return command


@click.command(cls=_Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """Run a process of the background."""
    context.obj = CLIContext(app=app, no_color=None, workdir=None)


if __name__ == "__main__":
    main(prog_name="python -m pulse_tasks", auto_envvar_prefix="CELERY")
