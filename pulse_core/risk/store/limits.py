"""The only writer of accounts' limits."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_contract.risk_rules import RiskLimits
from api_contract.vocabulary import Product
from pulse_core.risk.tables import OwnLimits

_NAMES = [one.name for one in fields(RiskLimits)]
_COLUMNS = [getattr(OwnLimits, name) for name in _NAMES]


def every(connection: Connection) -> Mapping[str, RiskLimits]:
    """Those of all accounts that have some of their own, by account."""
    rows = connection.execute(select(OwnLimits.account_id, *_COLUMNS))
    return {row[0]: _limits(row[1:]) for row in rows}


def of_account(session: Session, account_id: str) -> RiskLimits:
    """Those of one account, none of them for one that has none of its own."""
    row = session.execute(select(*_COLUMNS).where(OwnLimits.account_id == account_id)).one_or_none()
    return RiskLimits() if row is None else _limits(row)


def put(session: Session, account_id: str, limits: RiskLimits, actor: str, now: datetime) -> None:
    """Write those of an account in place of the ones before."""
    stated = {name: getattr(limits, name) for name in _NAMES}
    for name in ("instruments", "products"):
        stated[name] = None if stated[name] is None else sorted(stated[name])
    row = {**stated, "set_at": now, "set_by": actor}
    added = insert(OwnLimits).values(account_id=account_id, **row)
    session.execute(added.on_conflict_do_update(index_elements=[OwnLimits.account_id], set_=row))


def _limits(row: object) -> RiskLimits:
    stated = dict(zip(_NAMES, row, strict=True))  # type: ignore[call-overload]
    for name, kind in (("instruments", str), ("products", Product)):
        stated[name] = None if stated[name] is None else frozenset(kind(one) for one in stated[name])
    return RiskLimits(**stated)
