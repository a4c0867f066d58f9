"""The only writer of accounts' policies."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_contract.policy_rules import POLICY, CatchUpPolicy
from pulse_core.policies.tables import OwnPolicy

_COLUMNS = [getattr(OwnPolicy, name) for name in POLICY]


def every(connection: Connection) -> Mapping[str, CatchUpPolicy]:
    """Those of all accounts that have one of their own, by account."""
    rows = connection.execute(select(OwnPolicy.account_id, *_COLUMNS))
    return {row[0]: CatchUpPolicy(*row[1:]) for row in rows}


def of_account(session: Session, account_id: str) -> CatchUpPolicy:
    """That of one account, which states nothing if it has none of its own."""
    row = session.execute(select(*_COLUMNS).where(OwnPolicy.account_id == account_id)).one_or_none()
    return CatchUpPolicy() if row is None else CatchUpPolicy(*row)


def put(session: Session, account_id: str, policy: CatchUpPolicy, actor: str, now: datetime) -> None:
    """Write that of an account in place of the one before."""
    row = {name: getattr(policy, name) for name in POLICY} | {"set_at": now, "set_by": actor}
    added = insert(OwnPolicy).values(account_id=account_id, **row)
    session.execute(added.on_conflict_do_update(index_elements=[OwnPolicy.account_id], set_=row))
