"""`pulse users limits` and `pulse limits`: what an account may do at most."""

from dataclasses import asdict, fields, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Unpack

import click

from api_contract.risk_rules import LimitName, RiskLimits
from api_contract.vocabulary import Product
from pulse_client.models import AccountLimits as ToldLimits
from pulse_core.account_limits import AccountLimits, limits_report, set_limits
from pulse_core.clock import utcnow
from pulse_core.identity import accounts
from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_facts, print_json, print_table

_WHOLE = (LimitName.ORDER_QUANTITY, LimitName.DAY_QUANTITY, LimitName.OPEN_ORDERS, LimitName.ORDERS_PER_MINUTE)
_NONE = "-"


@click.command(
    epilog="""\b
Examples:
  pulse users limits meera
  pulse users limits meera --set order_quantity=5000 --set day_worth=5000000
  pulse users limits meera --set instruments=NSE:SBIN,NSE:INFY --clear price_collar_percent"""
)
@click.argument("username")
@click.option("--set", "stated", multiple=True, metavar="LIMIT=VALUE", help="Set one; the others stay.")
@click.option("--clear", "cleared", multiple=True, metavar="LIMIT", help="Let the installation's hold again.")
@click.option("--broker-account", help="Show what holds there; default: the installation's account.")
@options.as_json
@options.data_dir
def limits(
    username: str,
    stated: tuple[str, ...],
    cleared: tuple[str, ...],
    broker_account: str | None,
    is_json: bool,
    data_dir: Path | None,
) -> None:
    """Show what an account may do at most and what is left of it; raise, lower or clear its limits."""
    changes = _stated(stated) | dict.fromkeys(map(_name, cleared))
    use_database(data_dir)
    account_id, now = accounts.account_named(username).id, utcnow()
    found = limits_report(account_id, broker_account, now)
    if changes:
        set_limits(account_id, replace(found.own, **changes), accounts.TERMINAL, now)
        found = limits_report(account_id, broker_account, now)
    _show(found, is_json)


@click.command("limits", epilog=EXIT_CODES)
@click.option("--broker-account", help="Default: the installation's account.")
@options.as_json
@connection_options
def own_limits(broker_account: str | None, is_json: bool, **where: Unpack[Where]) -> None:
    """Show what you may do at most with a broker account, and what is left of it."""
    _show(connect(**where).limits(broker_account), is_json)


def _show(found: AccountLimits | ToldLimits, is_json: bool) -> None:
    if is_json:
        print_json(_plain(asdict(found)))
        return
    whose = [("Account", found.account_id), ("Broker", found.broker_account)]
    print_facts([*whose, ("Day ends", instant(found.day_ends_at))])
    click.echo()
    print_table(("Limit", ">Most", ">Used", ">Left", "Set for", "Note"), [_row(found, name) for name in LimitName])


def _plain(value: Any) -> Any:
    """The same with lists in place of sets."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return sorted(value) if isinstance(value, set | frozenset) else value


def _row(found: AccountLimits | ToldLimits, name: LimitName) -> tuple[object, ...]:
    most, own = getattr(found.in_force, name), getattr(found.own, name)
    note = next((one.reason for one in found.not_enforced if one.limit == name), "")
    whose = _NONE if most is None else "all" if own is None else "this account"
    return name, _text(most), getattr(found.used, name, None), _text(getattr(found.left, name, None)), whose, note


def _text(value: object) -> object:
    if value is None:
        return _NONE
    return ", ".join(sorted(value)) if isinstance(value, list | set | frozenset | tuple) else value


def _stated(pairs: tuple[str, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair} is not LIMIT=VALUE.")
        changes[_name(name)] = _value(_name(name), value)
    return changes


def _name(text: str) -> LimitName:
    known = [one.name for one in fields(RiskLimits)]
    if text not in known:
        raise click.UsageError(f"There is no limit {text}: they are {', '.join(known)}.")
    return LimitName(text)


def _value(name: LimitName, text: str) -> Any:
    try:
        if name is LimitName.PRODUCTS:
            return frozenset(Product(one) for one in text.split(","))
        if name is LimitName.INSTRUMENTS:
            return frozenset(text.split(","))
        return int(text) if name in _WHOLE else _decimal(text)
    except (ValueError, InvalidOperation):
        raise click.UsageError(f"{text} is no value of {name}.") from None


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value
