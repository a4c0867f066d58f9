"""Broker accounts as people see and add them. Each addition is in the audit of access."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api_contract.errors import InvalidRequest, InvalidState
from api_contract.order_rules import BROKER_ACCOUNT
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.store import accounts, grants
from pulse_core.broker_accounts.tables import BrokerAccount
from pulse_core.broker_accounts.vocabulary import PAPER, BrokerAccountState
from pulse_core.broker_keys import CREDENTIALS
from pulse_core.config import settings
from pulse_core.identity.store import audit

# What an account can be added for.
BROKERS = frozenset(CREDENTIALS) - {PAPER}


@dataclass(frozen=True)
class BrokerAccountReport:
    """A broker account without its credentials. `is_default`: that of orders that name none."""

    name: str
    broker: str
    is_live: bool
    is_default: bool
    state: BrokerAccountState
    reason: str | None
    state_since: datetime


def every_account() -> Sequence[BrokerAccountReport]:
    """All of them, by name. Raises DatabaseUnavailable."""
    # It makes those that are always there.
    names = directory.accounts_known()
    with db.transaction() as session:
        return [_report(found) for name in names if (found := accounts.get(session, name)) is not None]


def accounts_for(account_id: str) -> Sequence[BrokerAccountReport]:
    """Those that this account may trade with: on paper, and by grants. Raises DatabaseUnavailable."""
    with db.transaction() as session:
        granted = grants.granted_to(session, account_id)
    return [one for one in every_account() if not one.is_live or one.name in granted]


def add_account(name: str, broker: str, actor: str, now: datetime, *, is_live: bool = True) -> BrokerAccountReport:
    """Add an account at a broker; nobody may trade with it until it is granted.

    Raises InvalidRequest, or InvalidState when the name is taken.
    """
    if not BROKER_ACCOUNT.fullmatch(name):
        rule = "2 to 20 of a-z, 0-9 and -, the first a letter"
        raise InvalidRequest(f"name must be {rule}", {"field": "name", "rule": rule})
    if broker not in BROKERS:
        allowed = sorted(BROKERS)
        raise InvalidRequest(f"broker must be {' or '.join(allowed)}", {"field": "broker", "allowed": allowed})
    # The names of those that are always there are taken.
    directory.accounts_known()
    with db.transaction() as session:
        if not accounts.add(session, name, broker, now, is_live=is_live, made_by=actor):
            raise InvalidState(f"the broker account {name} exists already", {"field": "name"})
        audit.add(session, "broker_account.added", actor, name, now, broker=broker, is_live=is_live)
        report = _report(accounts.existing(session, name))
    directory.forget()
    return report


def _report(found: BrokerAccount) -> BrokerAccountReport:
    return BrokerAccountReport(
        name=found.name,
        broker=found.broker,
        is_live=found.is_live,
        is_default=found.name == settings().default_broker_account,
        state=found.state,
        reason=found.reason,
        state_since=found.state_since,
    )
