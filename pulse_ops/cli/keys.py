"""`pulse keys`: the API keys of programs, and new keys for the services."""

from pathlib import Path

import click

from api_contract.scopes import Scope
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, api_keys
from pulse_core.identity.api_keys import KeyReport
from pulse_core.owner import EveryAccount, OneAccount
from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_json, print_table, say
from pulse_ops.cli.reseal import reseal
from pulse_ops.cli.service_keys import make
from pulse_ops.cli.vault_keys import rotate_vault

_EVERY = 10_000


@click.group(epilog=EXIT_CODES)
def keys() -> None:
    """Add, list and revoke API keys, with which programs trade without logging in; make keys for the services.

    API keys are those in the database of DATABASE_URL, else in that of the running stack.
    """


keys.add_command(make)
keys.add_command(reseal)
keys.add_command(rotate_vault)


@keys.command()
@click.argument("username")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True, required=True,
    help="What the key may do; may be given several times.",
)  # fmt: skip
@click.option("--days", type=int, default=90, show_default=True, help="How many days it is valid.")
@click.option("--network", "networks", multiple=True, help="Where it may be used from; may be given several times.")
@options.as_json
@options.data_dir
def add(
    username: str,
    name: str,
    scopes: tuple[str, ...],
    days: int,
    networks: tuple[str, ...],
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Make a key for an account. It is printed only once."""
    use_database(data_dir)
    account = accounts.account_named(username)
    chosen = {Scope(scope) for scope in scopes}
    made = api_keys.add_key(account.id, name, chosen, days, utcnow(), accounts.TERMINAL, networks)
    say(f"{made.key.id} works for {username} until {instant(made.key.expires_at)}. It is shown this once:")
    if is_json:
        print_json(_fields(made.key) | {"api_key": made.text})
        return
    click.echo(made.text)


@keys.command("list")
@click.option("--user", "username", help="Only the keys of this account.")
@options.as_json
@options.data_dir
def list_(username: str | None, is_json: bool, data_dir: Path | None) -> None:
    """List the keys, newest first; never the keys themselves."""
    use_database(data_dir)
    names = {account.id: account.username for account in accounts.list_accounts()}
    owner = OneAccount(accounts.account_named(username).id) if username else EveryAccount()
    found = api_keys.key_page(owner, _EVERY, None).keys
    if is_json:
        print_json([_fields(key) | {"username": names[key.account_id]} for key in found])
        return
    columns = ("Key", "Username", "Name", "Scopes", "State", "Expires", "Last used")
    print_table(columns, (_row(key, names[key.account_id]) for key in found))


@keys.command()
@click.argument("key_id")
@options.data_dir
def revoke(key_id: str, data_dir: Path | None) -> None:
    """Revoke a key; gateways refuse it within seconds."""
    use_database(data_dir)
    api_keys.revoke_key(EveryAccount(), key_id, accounts.TERMINAL, utcnow())
    say(f"{key_id} is revoked.")


def _row(key: KeyReport, username: str) -> tuple[object, ...]:
    scopes, expires_at = " ".join(key.scopes), instant(key.expires_at)
    return key.id, username, key.name, scopes, _state(key), expires_at, instant(key.last_used_at)


def _state(key: KeyReport) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.expires_at > utcnow() else "expired"


def _fields(key: KeyReport) -> dict[str, object]:
    return {
        "key_id": key.id,
        "account_id": key.account_id,
        "name": key.name,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
