"""`pulse broker`: the accounts at brokers, and who may trade with them."""

from pathlib import Path

import click

from pulse_core.broker_accounts import accounts, grants
from pulse_core.broker_accounts import login as logins
from pulse_core.broker_accounts.accounts import BROKERS, BrokerAccountReport
from pulse_core.clock import utcnow
from pulse_core.identity import accounts as users
from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.broker_login import keys, login, status, test
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_json, print_table, say

_ACCOUNTS = ("Name", "Broker", "Money", "State", "Since", "Default")


@click.group(epilog=EXIT_CODES)
def broker() -> None:
    """List and add the accounts at brokers, say who may trade with them, and log them in.

    Works on the database of DATABASE_URL, else on that of the running stack.
    """


@broker.command("list")
@options.as_json
@options.data_dir
def list_(is_json: bool, data_dir: Path | None) -> None:
    """List every broker account, with those who have a grant for it."""
    use_database(data_dir)
    found = accounts.every_account()
    granted = {one.name: [grant.username for grant in grants.grants_of(one.name)] for one in found}
    if is_json:
        print_json([vars(one) | {"granted_to": granted[one.name]} for one in found])
        return
    print_table((*_ACCOUNTS, "Granted to"), ((*_row(one), _named(one, granted[one.name])) for one in found))


@broker.command()
@click.argument("name")
@click.option("--broker", "at", type=click.Choice(sorted(BROKERS)), required=True, help="Where the account is.")
@click.option("--paper", "is_paper", is_flag=True, help="No money moves there: everybody may trade with it.")
@options.as_json
@options.data_dir
def add(name: str, at: str, is_paper: bool, is_json: bool, data_dir: Path | None) -> None:
    """Add an account at a broker. Its name never changes; nobody may trade with it until it is granted.

    With --paper everybody may, as its broker only simulates what is done there. Pulse cannot see that it does.
    """
    use_database(data_dir)
    added = accounts.add_account(name, at, users.TERMINAL, utcnow(), is_live=not is_paper)
    how = (
        "Everybody may trade with it" if is_paper else f"Let somebody trade with it: pulse broker grant {name} USERNAME"
    )
    say(f"{name} is there. {how}")
    then = f", pulse broker login {name}" if logins.has_page(name) else ""
    say(f"Then seal its API key{' and log in' if then else ''}: pulse broker keys {name}{then}")
    if is_json:
        print_json(vars(added))


@broker.command()
@click.argument("name")
@click.argument("username")
@options.data_dir
def grant(name: str, username: str, data_dir: Path | None) -> None:
    """Let a user trade with a broker account."""
    use_database(data_dir)
    grants.grant(name, users.account_named(username).id, users.TERMINAL, utcnow())
    say(f"{username} may trade with {name}.")


@broker.command("revoke-grant")
@click.argument("name")
@click.argument("username")
@options.data_dir
def revoke_grant(name: str, username: str, data_dir: Path | None) -> None:
    """Let a user place no more orders with a broker account. Their open orders go on."""
    use_database(data_dir)
    grants.revoke_grant(name, users.account_named(username).id, users.TERMINAL, utcnow())
    say(f"{username} can place no more orders with {name}; those that are open go on.")


def _row(one: BrokerAccountReport) -> tuple[object, ...]:
    state = one.state.value if one.reason is None else f"{one.state.value}: {one.reason}"
    money = "real" if one.is_live else "paper"
    return one.name, one.broker, money, state, instant(one.state_since), "yes" if one.is_default else ""


def _named(one: BrokerAccountReport, usernames: list[str]) -> str:
    return ", ".join(usernames) if one.is_live else "everybody"


broker.add_command(keys)
broker.add_command(login)
broker.add_command(status)
broker.add_command(test)
