"""`pulse halt` and `celery -A pulse_tasks halt`."""

from importlib import import_module
from pathlib import Path

import click

from pulse_ops.cli import EXIT_CODES
from pulse_ops.cli.later import Later

_WHAT = "Name what is halted: --all, or one or more of --account, --broker-account and --instrument."


@click.group(
    cls=Later, commands_of="pulse_ops.cli.halt_commands:subcommands", invoke_without_command=True, epilog=EXIT_CODES
)
@click.option("--all", "is_all", is_flag=True, help="Halt everything.")
@click.option("--account", "account_id", metavar="ID", help="Halt the orders of this account.")
@click.option("--broker-account", metavar="NAME", help="Halt the orders for this broker account.")
@click.option("--instrument", metavar="EXCHANGE:SYMBOL", help="Halt the orders of this instrument.")
@click.option("--reason", help="Why; everybody sees it whose orders are held.")
@click.option(
    "--keep", "is_kept", is_flag=True, help="Leave at the broker what works there; by default it is cancelled."
)
@click.option("--no-follow", is_flag=True, help="Do not wait until nothing is left at the broker.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder of the stack.")
@click.pass_context
def halt(
    context: click.Context,
    is_all: bool,
    account_id: str | None,
    broker_account: str | None,
    instrument: str | None,
    reason: str | None,
    is_kept: bool,
    no_follow: bool,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Send nothing new, and call back what works at the broker, until the halt is released.

    Within a second of it nothing new reaches the broker. What works is cancelled there ahead of everything else; the
    command follows that until nothing is left, and Ctrl-C ends the following, not the halt.

    Works directly on Postgres, even with Redis down: on DATABASE_URL, else the running stack's database.
    """
    if context.invoked_subcommand is not None:
        return
    named = (account_id, broker_account, instrument)
    if is_all == any(named):
        raise click.UsageError(_WHAT)
    if reason is None:
        raise click.UsageError("Say why, with --reason.")
    import_module("pulse_ops.cli.halt_commands").halt_now(
        named, reason, is_kept=is_kept, is_followed=not no_follow, is_json=is_json, data_dir=data_dir
    )
