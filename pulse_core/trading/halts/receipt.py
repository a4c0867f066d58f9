"""What a halt has done: numbers and lists from the rows as they stand, right at every moment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.errors import NotFound
from api_contract.ids import HALT_ID, SLICE_ID
from api_contract.vocabulary import HaltedState, HaltedWorking, HaltStatus
from pulse_core import clock, cursors, db
from pulse_core.owner import OneAccount, Owner
from pulse_core.trading.halt_tables import Halt
from pulse_core.trading.store import halts
from pulse_core.trading.store.halts import HaltedSlice, Share

_KEY = re.compile(rf"[A-Z0-9]{{20}}|{SLICE_ID.pattern}")


@dataclass(frozen=True)
class HaltReport:
    """A halt with its receipt. `quiet_after_ms`: how long it took until nothing that it covers was at the broker,
    or only what is kept there; None while something is, or may be.
    """

    halt_id: str
    account_id: str | None
    account_name: str | None
    broker_account: str | None
    instrument: str | None
    working: HaltedWorking
    reason: str
    status: HaltStatus
    made_by: str
    made_by_name: str
    made_at: datetime
    release_asked_by: str | None
    release_asked_at: datetime | None
    released_at: datetime | None
    is_quiet: bool
    quiet_at: datetime | None
    quiet_after_ms: int | None
    slices: Mapping[HaltedState, Share]


@dataclass(frozen=True)
class HaltPage:
    """Halts, the latest first, and the cursor of the next page, None on the last."""

    halts: Sequence[HaltReport]
    next_cursor: str | None


@dataclass(frozen=True)
class HaltedSlicePage:
    """Slices that a halt covers, and the cursor of the next page, None on the last."""

    slices: Sequence[HaltedSlice]
    next_cursor: str | None


def halt_report(owner: Owner, halt_id: str) -> HaltReport:
    """One halt of the owner's orders, as it stands. Raises NotFound."""
    with db.transaction() as session:
        return _reports(session, [_existing(session, owner, halt_id)])[0]


def halt_page(owner: Owner, *, is_released: bool | None, limit: int, cursor: str | None) -> HaltPage:
    """Up to `limit` halts, the latest first; those that are released, or not. Raises InvalidRequest for the cursor."""
    scope = f"halts {owner.account_id if isinstance(owner, OneAccount) else 'all'} {is_released}"
    beyond = None if cursor is None else cursors.decode(cursor, scope, HALT_ID)
    with db.transaction() as session:
        found = halts.page(session, owner, is_released=is_released, limit=limit + 1, beyond=beyond)
        reports = _reports(session, found[:limit])
    return HaltPage(reports, cursors.encode(reports[-1].halt_id, scope) if len(found) > limit else None)


def halted_slices(
    owner: Owner, halt_id: str, state: HaltedState | None, limit: int, cursor: str | None
) -> HaltedSlicePage:
    """Up to `limit` slices that a halt covers, in this state; without one all that were, or may be, at the broker.

    Raises NotFound, InvalidRequest for the cursor.
    """
    scope = f"halt {halt_id} {state}"
    beyond = None if cursor is None else cursors.decode(cursor, scope, _KEY)
    with db.transaction() as session:
        halt = _existing(session, owner, halt_id)
        found = halts.slices(session, halt, state, limit + 1, beyond)
    shown = found[:limit]
    return HaltedSlicePage(shown, cursors.encode(shown[-1].key, scope) if len(found) > limit else None)


def _existing(session: Session, owner: Owner, halt_id: str) -> Halt:
    # Not every text can be asked of Postgres: a NUL would fail there.
    found = halts.get(session, owner, halt_id) if HALT_ID.fullmatch(halt_id) else None
    if found is None:
        raise NotFound("there is no such halt")
    return found


def _reports(session: Session, found: Sequence[Halt]) -> list[HaltReport]:
    names = halts.names(session, found)
    return [_report(session, halt, names) for halt in found]


def _report(session: Session, halt: Halt, names: Mapping[str, str]) -> HaltReport:
    # Whatever a worker has done since the last sweep is in it.
    halts.keep_receipt(session, halt, clock.utcnow())
    quiet_at = halt.quiet_at
    return HaltReport(
        halt_id=halt.id,
        account_id=halt.account_id,
        account_name=names.get(halt.account_id or ""),
        broker_account=halt.broker_account,
        instrument=halt.instrument,
        working=halt.working,
        reason=halt.reason,
        status=_status(halt),
        made_by=halt.made_by,
        made_by_name=names.get(halt.made_by, halt.made_by),
        made_at=halt.made_at,
        release_asked_by=halt.release_asked_by,
        release_asked_at=halt.release_asked_at,
        released_at=halt.released_at,
        is_quiet=quiet_at is not None,
        quiet_at=quiet_at,
        quiet_after_ms=None if quiet_at is None else (quiet_at - halt.made_at) // timedelta(milliseconds=1),
        slices=halts.shares(session, halt),
    )


def _status(halt: Halt) -> HaltStatus:
    if halt.released_at is not None:
        return HaltStatus.RELEASED
    return HaltStatus.ACTIVE if halt.release_asked_at is None else HaltStatus.RELEASING
