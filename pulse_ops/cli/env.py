"""`pulse env`: connect other programs to the running stack."""

import shlex
from pathlib import Path

import click

from pulse_ops.cli import options
from pulse_ops.stack import running

# With these anybody could trade with the accounts, or open what is sealed for them.
OF_THE_BROKER = frozenset({"PULSE_VAULT_KEYS", "KITE_ACCESS_TOKEN", "KITE_API_SECRET", "ALPACA_API_SECRET"})


@click.command()
@options.data_dir
def env(data_dir: Path | None) -> None:
    """Print the running stack's variables, most secrets included, for a shell: eval "$(pulse env)".

    What opens the accounts at brokers is not among them; the commands that need it find the stack by its data folder.
    """
    stack = running.find(options.stack_settings(data_dir=data_dir).data_dir)
    told = {name: value for name, value in stack.environment.items() if name not in OF_THE_BROKER}
    for name, value in sorted(told.items()):
        click.echo(f"export {name}={shlex.quote(value)}")
