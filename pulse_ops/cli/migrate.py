"""`pulse migrate`: upgrade the database to the tables that this code needs."""

import sys
from pathlib import Path

import click
import psycopg2
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from pulse_core import migrations
from pulse_core.migrations.rights import OneRole, let_services_in
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.output import say
from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning, StackError


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 unless the database is up to date.")
@click.option("--down", metavar="REVISION", help="Go back to this revision; `base` removes every table.")
@click.option("--yes", is_flag=True, help="Go back without being asked.")
@options.data_dir
def migrate(check: bool, down: str | None, yes: bool, data_dir: Path | None) -> None:
    """Upgrade the database of DATABASE_URL, or of the running stack.

    With PULSE_OWNER_DATABASE_URL that role migrates, and the role of DATABASE_URL is given the right to read and write
    rows, and no other; it is made if the owner may make roles.

    A table that is in use for longer than two seconds is left alone, and asked for again: up to twenty times, with
    nothing of that revision changed meanwhile.
    """
    if check and down:
        raise click.UsageError("--check and --down cannot be combined.")
    owner_url, services_url = database_urls(data_dir)
    try:
        if down and not yes:
            _ask_before_going_back(owner_url, down)
        if not check:
            _go_back(owner_url, down) if down else migrations.upgrade(owner_url, held_up=_tell_of_wait)
            if services_url:
                let_services_in(owner_url, services_url)
        current = migrations.current(owner_url)
    except CommandError as error:
        raise click.UsageError(f"{error}.") from error
    except OneRole as error:
        raise StackError(str(error)) from error
    except (SQLAlchemyError, psycopg2.Error) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StackError(f"The database could not be migrated: {reason}") from error
    click.echo(current or "empty")
    if check and current != migrations.head():
        click.echo(f"The newest revision is {migrations.head()}: run `pulse migrate`.", err=True)
        raise SystemExit(EXIT_FAILURE)


def _go_back(owner_url: str, revision: str) -> None:
    migrations.downgrade(owner_url, revision, held_up=_tell_of_wait)


def _ask_before_going_back(owner_url: str, revision: str) -> None:
    undone = migrations.undone_by(owner_url, revision)
    if not undone:
        return
    say("This undoes, with all that is kept for it:\n  " + "\n  ".join(undone))
    if not sys.stdin.isatty():
        raise click.UsageError("Give --yes to go back: there is no terminal to ask at.")
    click.confirm("Go back?", abort=True, err=True)


def _tell_of_wait() -> None:
    say("The tables are in use: this revision changed nothing, and it is tried again.")


def database_urls(data_dir: Path | None) -> tuple[str, str | None]:
    """For the role that migrates, and for that of the services where they have one of their own."""
    settings = options.stack_settings(data_dir=data_dir)
    if settings.database_url:
        database_url = settings.database_url.get_secret_value()
        if settings.owner_database_url is None:
            direct = settings.fence_database_url
            return (direct.get_secret_value() if direct else database_url), None
        return settings.owner_database_url.get_secret_value(), database_url
    try:
        stack = running.find(settings.data_dir)
        database_url = stack.environment["DATABASE_URL"]
        return (stack.owner_database_url, database_url) if stack.owner_database_url else (database_url, None)
    except NotRunning as error:
        raise NotRunning("No database: set DATABASE_URL, or start the stack with `pulse up`.") from error
