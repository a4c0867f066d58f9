"""`pulse broker keys`, `login`, `status` and `test`: who is logged in at the broker, and until when."""

import getpass
from dataclasses import asdict
from pathlib import Path

import click

from pulse_core.broker_accounts import login as logins
from pulse_core.broker_accounts.login import LoginReport
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.clock import utcnow
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.loopback import Redirects, request_token_of
from pulse_ops.cli.output import instant, print_json, print_table, say

PATIENCE_SECONDS = 300.0
_PORT = 5010


@click.command(
    epilog="""\b
Examples:
  the app's redirect address at the broker is http://127.0.0.1:5010/, and the browser runs on this machine:
    pulse broker login zerodha
  the browser runs elsewhere: copy the address that it ends up at
    pulse broker login zerodha --paste
  the first login says whose account it is:
    pulse broker login zerodha --user AB1234"""
)
@click.argument("name")
@click.option("--user", help="The broker's user whose account this is; needed at the first login.")
@click.option("--port", type=click.IntRange(0, 65_535), default=_PORT, show_default=True, help="Where to listen.")
@click.option("--paste", is_flag=True, help="Do not listen: ask for the address that the browser ends up at.")
@options.data_dir
def login(name: str, user: str | None, port: int, paste: bool, data_dir: Path | None) -> None:
    """Log a broker account in: open the address that is printed, log in there, and the new token is in use.

    Workers take it within a second, without a restart. Password and second factor are typed at the broker only. Where
    keys are enough, the broker is asked whether they work, and an account that was held goes on.
    """
    use_database(data_dir)
    if not logins.has_page(name):
        say(f"{logins.confirm(name, actor(), utcnow()).broker_user} trades with {name}: its keys work.")
        return
    address = logins.login_address(name)
    token = _pasted(address) if paste else _redirected(address, port)
    report = logins.log_in(name, token, actor(), utcnow(), user=user)
    until = f" until {instant(report.valid_until)}" if report.valid_until else ""
    say(f"{report.broker_user} is logged in for {name}{until}.")


@click.command(
    epilog="""\b
Examples:
  asks for both:
    pulse broker keys zerodha
  takes those of KITE_API_KEY and KITE_API_SECRET, or ALPACA_API_KEY and ALPACA_API_SECRET:
    pulse broker keys zerodha --from-environment"""
)
@click.argument("name")
@click.option("--user", help="The broker's user whose account this is; the first login need not say it then.")
@click.option("--from-environment", "is_imported", is_flag=True, help="Take those of the variables.")
@options.data_dir
def keys(name: str, user: str | None, is_imported: bool, data_dir: Path | None) -> None:
    """Seal the API key and secret of NAME, in place of those before.

    Where a person logs in, somebody has to afterwards. Where keys are enough, the broker is asked about them first, and
    workers use them within a second.
    """
    use_database(data_dir)
    if is_imported:
        api_key, secret = logins.stated_keys(name)
    else:
        api_key, secret = click.prompt("API key", err=True), click.prompt("API secret", hide_input=True, err=True)
    logins.set_keys(name, api_key, secret, user, actor(), utcnow())
    if logins.has_page(name):
        say(f"Sealed. Now log in: pulse broker login {name}")
    else:
        say(f"Sealed: {logins.login_reports(name)[0].broker_user} trades with {name}.")


@click.command()
@click.argument("name", required=False)
@options.as_json
@options.data_dir
def status(name: str | None, is_json: bool, data_dir: Path | None) -> None:
    """Show who is logged in for NAME, or for every broker account, and until when; exit 1 unless all are READY."""
    use_database(data_dir)
    found = logins.login_reports(name)
    if is_json:
        print_json([asdict(one) for one in found])
    else:
        print_table(("Account", "Broker", "Live", "State", "Since", "User", "Until", "Reason"), map(_row, found))
    if any(one.state is not BrokerAccountState.READY for one in found):
        raise SystemExit(EXIT_FAILURE)


@click.command()
@click.argument("name")
@options.data_dir
def test(name: str, data_dir: Path | None) -> None:
    """Ask the broker who the present token of NAME belongs to. Sends no order."""
    use_database(data_dir)
    say(f"The broker knows us as {logins.check_login(name)}.")


def actor() -> str:
    """Who is at the terminal, for the audit."""
    return f"{getpass.getuser()} (command line)"


def _redirected(address: str, port: int) -> str:
    try:
        redirects = Redirects(port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be listened on ({error.strerror}): choose another with --port, or use --paste."
        ) from error
    with redirects:
        click.echo(address)
        say(f"Open this address and log in. Waiting at {redirects.address}, which the app must redirect to.")
        token = redirects.wait(PATIENCE_SECONDS)
    if token is None:
        raise click.ClickException(f"Nothing came within {PATIENCE_SECONDS:.0f} s: log in again, or use --paste.")
    return token


def _pasted(address: str) -> str:
    click.echo(address)
    say("Open this address, log in, and copy the address that the browser ends up at.")
    token = request_token_of(click.prompt("Address", err=True))
    if token is None:
        raise click.UsageError("There is no request_token in this address.")
    return token


def _row(one: LoginReport) -> tuple[object, ...]:
    until = instant(one.valid_until) or ("not known" if one.is_logged_in else None)
    is_live = "yes" if one.is_live else "no"
    return one.name, one.broker, is_live, one.state, instant(one.state_since), one.broker_user, until, one.reason
