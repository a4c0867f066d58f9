"""`pulse users`: who may log in."""

import secrets
import sys
from datetime import timedelta
from pathlib import Path

import click

from api_contract.scopes import Role
from api_contract.vocabulary import OpenOrders
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, second_factor
from pulse_core.identity.accounts import AccountReport
from pulse_core.trading.order.wind_down import wind_down
from pulse_ops.cli import EXIT_CODES, options, policies, user_limits
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_json, print_table, say

_WINDING_DOWN = timedelta(minutes=5)
_role_choice = click.Choice([role.value for role in Role], case_sensitive=False)


@click.group(epilog=EXIT_CODES)
def users() -> None:
    """Add, list and change the accounts that may log in. Any change but a limit ends their logins; orders continue.

    Works on the database of DATABASE_URL, else on that of the running stack.
    """


@users.command()
@click.argument("username")
@click.option("--role", type=_role_choice, default=Role.TRADER.value, show_default=True)
@click.option("--generate", is_flag=True, help="Generate a password and print it once.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@options.as_json
@options.data_dir
def add(username: str, role: str, generate: bool, password_stdin: bool, is_json: bool, data_dir: Path | None) -> None:
    """Add an account; the password is asked for unless an option says otherwise."""
    if generate and password_stdin:
        raise click.UsageError("--generate and --password-stdin cannot be combined.")
    use_database(data_dir)
    password = secrets.token_urlsafe(18) if generate else _given_password(password_stdin)
    account = accounts.add_account(username, password, Role(role), utcnow())
    say(f"{account.username} may log in, as {account.role.value}.")
    if generate:
        say("The password is shown this once:")
    if is_json:
        print_json(_fields(account) | ({"password": password} if generate else {}))
    elif generate:
        click.echo(password)


@users.command("list")
@options.as_json
@options.data_dir
def list_(is_json: bool, data_dir: Path | None) -> None:
    """List every account."""
    use_database(data_dir)
    found = accounts.list_accounts()
    if is_json:
        print_json([_fields(account) for account in found])
        return
    columns = ("Username", "Role", "State", ">Per minute", "Second factor", "Created")
    print_table(columns, (_row(account) for account in found))


@users.command()
@click.argument("username")
@options.data_dir
def disable(username: str, data_dir: Path | None) -> None:
    """Disable an account: its logins, tokens and API keys end at once. Its orders continue."""
    use_database(data_dir)
    accounts.disable_account(username, utcnow())
    say(f"{username} can no longer log in.")


@users.command()
@click.argument("username")
@click.option("--remove", "is_lost", is_flag=True, help="Remove it: the password alone is enough then. Ends logins.")
@options.data_dir
def totp(username: str, is_lost: bool, data_dir: Path | None) -> None:
    """Say whether a user has a second factor; remove that of one who has lost phone and recovery codes."""
    use_database(data_dir)
    account_id = accounts.account_named(username).id
    if is_lost:
        second_factor.remove(account_id, accounts.TERMINAL, utcnow())
    found = second_factor.report(account_id)
    if not found.is_on:
        say(f"{username} has no second factor" + (", and needs one." if found.is_required else "."))
        return
    since, left = instant(found.since), found.recovery_codes_left
    say(f"{username} has a second factor since {since}, and {left} recovery codes left.")


@users.command()
@click.argument("username")
@click.option(
    "--open-orders", type=click.Choice([one.value for one in OpenOrders]), required=True,
    help="What becomes of the account's open orders.",
)  # fmt: skip
@options.data_dir
def offboard(username: str, open_orders: str, data_dir: Path | None) -> None:
    """Disable an account for good: its logins, tokens and API keys end; its open orders do as you say."""
    use_database(data_dir)
    now, account_id = utcnow(), accounts.account_named(username).id
    out = accounts.offboard_account(account_id, accounts.TERMINAL, now)
    orders = wind_down(account_id, OpenOrders(open_orders), accounts.TERMINAL, now, _WINDING_DOWN)
    say(f"{username} is out, {out.keys_revoked} API keys with them; {orders.changed} open orders were changed.")
    if orders.left:
        raise click.ClickException(f"{orders.left} open orders are not as you wish yet: run it again.")


@users.command()
@click.argument("username")
@options.data_dir
def enable(username: str, data_dir: Path | None) -> None:
    """Let a disabled account log in again; API keys that have not expired work again too."""
    use_database(data_dir)
    accounts.change_account(accounts.account_named(username).id, utcnow(), is_active=True)
    say(f"{username} may log in.")


@users.command()
@click.argument("username")
@click.argument("role", type=_role_choice)
@options.data_dir
def role(username: str, role: str, data_dir: Path | None) -> None:
    """Give an account another role."""
    use_database(data_dir)
    accounts.change_account(accounts.account_named(username).id, utcnow(), role=Role(role))
    say(f"{username} is {role}, from the next login on.")


@users.command()
@click.argument("username")
@click.option("--generate", is_flag=True, help="Generate a password and print it once.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@options.data_dir
def password(username: str, generate: bool, password_stdin: bool, data_dir: Path | None) -> None:
    """Set a new password; it is asked for unless an option says otherwise."""
    if generate and password_stdin:
        raise click.UsageError("--generate and --password-stdin cannot be combined.")
    use_database(data_dir)
    account = accounts.account_named(username)
    new = secrets.token_urlsafe(18) if generate else _given_password(password_stdin)
    accounts.change_account(account.id, utcnow(), password=new)
    say(f"{username} has a new password." + (" It is shown this once:" if generate else ""))
    if generate:
        click.echo(new)


@users.command()
@click.argument("username")
@click.argument("requests_per_minute", type=int, required=False)
@click.option("--clear", "is_cleared", is_flag=True, help="Apply the installation's limit again.")
@options.data_dir
def limit(username: str, requests_per_minute: int | None, is_cleared: bool, data_dir: Path | None) -> None:
    """Limit an account's requests per minute: for its keys within seconds, for logins from their next refresh on."""
    if (requests_per_minute is None) is not is_cleared:
        raise click.UsageError("Give the requests per minute, or --clear.")
    use_database(data_dir)
    accounts.change_account(accounts.account_named(username).id, utcnow(), requests_per_minute=requests_per_minute)
    said = "as many requests as everybody" if is_cleared else f"{requests_per_minute} requests a minute"
    say(f"{username} may make {said}.")


users.add_command(user_limits.limits)
users.add_command(policies.of_user)


def _given_password(is_on_stdin: bool) -> str:
    if is_on_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password: use --password-stdin or --generate.")
    password = click.prompt("Password, 12 characters or more", hide_input=True, confirmation_prompt=True, err=True)
    assert isinstance(password, str)  # noqa: S101
    return password


def _row(account: AccountReport) -> tuple[object, ...]:
    state = "active" if account.is_active else "disabled"
    since, created_at = instant(account.second_factor_since), instant(account.created_at)
    return account.username, account.role.value, state, account.requests_per_minute, since, created_at


def _fields(account: AccountReport) -> dict[str, object]:
    return {
        "account_id": account.id,
        "username": account.username,
        "role": account.role.value,
        "is_active": account.is_active,
        "requests_per_minute": account.requests_per_minute,
        "second_factor_since": account.second_factor_since,
        "created_at": account.created_at,
    }
