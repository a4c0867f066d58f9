"""`pulse policy` and `pulse users policy`: how an account's orders catch up that do not say so."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

import click

from api_contract.policy_rules import POLICY
from api_contract.vocabulary import AtEnd, CatchUp, Leftover
from pulse_client.policies import AccountPolicy as ToldPolicy
from pulse_client.policies import NewCatchUpPolicy
from pulse_core.clock import utcnow
from pulse_core.identity import accounts
from pulse_core.policies.setting import AccountPolicy, policy_of
from pulse_core.policies.setting import set_policy as put_policy
from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import print_facts, print_json, print_table

_KINDS: Mapping[str, Any] = {
    "catch_up": CatchUp,
    "max_slice_multiple": int,
    "extend_minutes": int,
    "leftover": Leftover,
    "at_end": AtEnd,
}
_set = click.option("--set", "stated", multiple=True, metavar="NAME=VALUE", help="Set one; the others stay.")
_clear = click.option("--clear", "cleared", multiple=True, metavar="NAME", help="Let what holds for all hold again.")


@click.command(
    "policy",
    epilog="""\b
Examples:
  pulse users policy meera
  pulse users policy meera --set catch_up=next_slice --set extend_minutes=30
  pulse users policy meera --clear catch_up""",
)
@click.argument("username")
@_set
@_clear
@options.as_json
@options.data_dir
def of_user(
    username: str, stated: tuple[str, ...], cleared: tuple[str, ...], is_json: bool, data_dir: Path | None
) -> None:
    """Show or set how a user's orders catch up that do not say so; those that were accepted keep theirs."""
    changes = _changes(stated, cleared)
    use_database(data_dir)
    account_id = accounts.account_named(username).id
    found = policy_of(account_id)
    if changes:
        found = put_policy(account_id, replace(found.own, **changes), accounts.TERMINAL, utcnow())
    _show(found, is_json)


@click.command("policy", epilog=EXIT_CODES)
@_set
@_clear
@options.as_json
@connection_options
def own_policy(stated: tuple[str, ...], cleared: tuple[str, ...], is_json: bool, **where: Unpack[Where]) -> None:
    """Show or set how your orders catch up that do not say so; those that were accepted keep theirs."""
    changes, gateway = _changes(stated, cleared), connect(**where)
    found = gateway.policy()
    if changes:
        own = {name: getattr(found.own, name) for name in POLICY}
        found = gateway.set_policy(NewCatchUpPolicy(**own | changes))
    _show(found, is_json)


def _show(found: AccountPolicy | ToldPolicy, is_json: bool) -> None:
    if is_json:
        print_json(asdict(found))
        return
    print_facts([("Account", found.account_id)])
    click.echo()
    print_table(("Policy", "Value", "Set for"), [_row(found, name) for name in POLICY])


def _row(found: AccountPolicy | ToldPolicy, name: str) -> tuple[object, ...]:
    whose = "all" if getattr(found.own, name) is None else "this account"
    return name, getattr(found.in_force, name), whose


def _changes(stated: tuple[str, ...], cleared: tuple[str, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for pair in stated:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair} is not NAME=VALUE.")
        changes[_known(name)] = _value(name, value)
    return changes | dict.fromkeys(map(_known, cleared))


def _known(name: str) -> str:
    if name not in POLICY:
        raise click.UsageError(f"There is no {name}: they are {', '.join(POLICY)}.")
    return name


def _value(name: str, text: str) -> Any:
    try:
        return _KINDS[name](text)
    except ValueError:
        raise click.UsageError(f"{text} is no value of {name}.") from None
