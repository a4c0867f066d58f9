"""Who may trade with which live broker account. Each grant, and each end of one, is in the audit of access."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, NotFound
from api_contract.ids import ACCOUNT_ID
from pulse_core import db
from pulse_core.broker_accounts.store import accounts as broker_accounts
from pulse_core.broker_accounts.store import grants
from pulse_core.identity.store import accounts, audit
from pulse_core.identity.tables import Account

# Whom `pulse up` makes for newcomers, with a password that it prints: on paper only.
DEMO_USER = re.compile("demo(-[0-9a-f]{6})?")


@dataclass(frozen=True)
class GrantReport:
    """A grant in force, and whose it is."""

    broker_account: str
    account_id: str
    username: str
    granted_by: str
    granted_at: datetime


def grants_of(broker_account: str) -> Sequence[GrantReport]:
    """The grants in force for a broker account, the oldest first. Raises NotFound."""
    with db.transaction() as session:
        broker_accounts.existing(session, broker_account)
        found = grants.of_broker_account(session, broker_account)
        names = accounts.usernames(session, [one.account_id for one in found])
    return [
        GrantReport(one.broker_account, one.account_id, names[one.account_id], one.granted_by, one.granted_at)
        for one in found
    ]


def grant(broker_account: str, account_id: str, actor: str, now: datetime) -> None:
    """Let an account trade with a broker account; repeating it is harmless.

    Raises NotFound, or InvalidState for the demo user, who trades on paper only.
    """
    with db.transaction() as session:
        is_live = broker_accounts.existing(session, broker_account).is_live
        account = _account(session, account_id)
        if is_live and DEMO_USER.fullmatch(account.username):
            raise InvalidState(
                f"{account.username} is the demo user, and trades on paper only", {"field": "account_id"}
            )
        if grants.add(session, account.id, broker_account, actor, now):
            audit.add(session, "broker_account.granted", actor, account.id, now, broker_account=broker_account)


def revoke_grant(broker_account: str, account_id: str, actor: str, now: datetime) -> None:
    """End the grant of an account; its open orders go on. Repeating it is harmless. Raises NotFound."""
    with db.transaction() as session:
        broker_accounts.existing(session, broker_account)
        account = _account(session, account_id)
        if grants.revoke(session, account.id, broker_account, actor, now):
            audit.add(session, "broker_account.grant_revoked", actor, account.id, now, broker_account=broker_account)


def _account(session: Session, account_id: str) -> Account:
    found = accounts.get(session, account_id) if ACCOUNT_ID.fullmatch(account_id) else None
    if found is None:
        raise NotFound("there is no such account")
    return found
