"""The row of what belongs to the database as a whole: the key of its attempts' ids, and a hold on all sending."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Engine, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core import db
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.tables import Installation


@dataclass(frozen=True)
class Hold:
    """Since when no slice is sent, and why."""

    since: datetime
    code: HoldCode | None
    reason: str


def is_held() -> ColumnElement[bool]:
    """The condition that no slice may be sent, for statements that send one."""
    return exists().where(Installation.held_since.is_not(None))


def client_order_id_key() -> bytes:
    """The key from which the ids of all attempts follow, read once by each process. Raises DatabaseUnavailable."""
    return _key_of(db.engine())


def forget_key() -> None:
    """Read the key again when it is next needed: another database may have taken the place of the former one."""
    _key_of.cache_clear()


def held(session: Session) -> Hold | None:
    """The hold on all sending; None while slices may be sent."""
    columns = (Installation.held_since, Installation.hold_code, Installation.hold_reason)
    row = session.execute(select(*columns)).one_or_none()
    return None if row is None or row.held_since is None else Hold(row.held_since, row.hold_code, row.hold_reason)


def hold(session: Session, code: HoldCode, now: datetime) -> bool:
    """Stop all sending from now on; False if it was stopped already, and only the hold starts over."""
    was_held = _locked(session).held_since is not None
    why = {} if was_held else {"hold_code": code, "hold_reason": code.meaning}
    session.execute(update(Installation).values(held_since=now, **why))
    return not was_held


def release(session: Session) -> bool:
    """Let slices be sent again; False when nothing was held."""
    was_held = _locked(session).held_since is not None
    session.execute(update(Installation).values(held_since=None, hold_code=None, hold_reason=None))
    return was_held


def known_database(session: Session) -> str | None:
    """The database that the broker's book was last compared with; None when that was never done."""
    return session.scalar(select(Installation.known_database))


def know_database(session: Session, database: str) -> None:
    """Remember the database that the broker's book was compared with."""
    _locked(session)
    session.execute(update(Installation).values(known_database=database))


@cache
def _key_of(_engine: Engine) -> bytes:
    with db.transaction() as session:
        key = session.scalar(select(Installation.client_order_id_key))
        return bytes.fromhex(key or _locked(session).client_order_id_key)


def _locked(session: Session) -> Installation:
    row = {"id": 1, "client_order_id_key": secrets.token_hex(32)}
    # The migration makes it; tables that were made without one lack it.
    session.execute(insert(Installation).values(row).on_conflict_do_nothing())
    return session.scalars(select(Installation).with_for_update().execution_options(populate_existing=True)).one()
