"""`pulse migrate`: upgrade the database to the tables that this code needs."""

from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from pulse_core import migrations
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning, StackError


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 unless the database is up to date.")
@click.option("--down", metavar="REVISION", help="Go back to this revision; `base` removes every table.")
@options.data_dir
def migrate(check: bool, down: str | None, data_dir: Path | None) -> None:
    """Upgrade the database of DATABASE_URL, or of the running stack."""
    if check and down:
        raise click.UsageError("--check and --down cannot be combined.")
    database_url = _database_url(data_dir)
    try:
        if not check:
            migrations.downgrade(database_url, down) if down else migrations.upgrade(database_url)
        current = migrations.current(database_url)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StackError(f"The database could not be migrated: {reason}") from error
    click.echo(current or "empty")
    if check and current != migrations.head():
        click.echo(f"The newest revision is {migrations.head()}: run `pulse migrate`.", err=True)
        raise SystemExit(EXIT_FAILURE)


def _database_url(data_dir: Path | None) -> str:
    settings = options.stack_settings(data_dir=data_dir)
    if settings.database_url:
        return settings.database_url.get_secret_value()
    try:
        return running.find(settings.data_dir).environment["DATABASE_URL"]
    except NotRunning as error:
        raise NotRunning("No database: set DATABASE_URL, or start the stack with `pulse up`.") from error
