"""`pulse env`: connect other programs to the running stack."""

import shlex
from pathlib import Path

import click

from pulse_ops.cli import options
from pulse_ops.stack import running


@click.command()
@options.data_dir
def env(data_dir: Path | None) -> None:
    """Print the running stack's variables, secrets included, for a shell: eval "$(pulse env)"."""
    stack = running.find(options.stack_settings(data_dir=data_dir).data_dir)
    for name, value in sorted(stack.environment.items()):
        click.echo(f"export {name}={shlex.quote(value)}")
