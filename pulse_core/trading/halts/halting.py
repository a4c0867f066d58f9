"""Halt what is traded, and let it go on. From its commit on a halt is seen by every claim and every last look."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.errors import Forbidden, InvalidRequest, NotFound
from api_contract.ids import ACCOUNT_ID, HALT_ID
from api_contract.log import get_logger
from api_contract.order_rules import BROKER_ACCOUNT, INSTRUMENT, LONGEST_REASON
from api_contract.vocabulary import HaltedWorking
from pulse_core import db, queue
from pulse_core.boottime import boottime
from pulse_core.broker_accounts import directory
from pulse_core.failpoints import failpoint
from pulse_core.identity.store import audit
from pulse_core.owner import OneAccount, Owner
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.halt_tables import Halt
from pulse_core.trading.halts.receipt import HaltReport, halt_report
from pulse_core.trading.halts.watch import go_on, watch_halt
from pulse_core.trading.order import halted
from pulse_core.trading.store import alarms, halts
from pulse_core.trading.store.halts import HaltScope

log = get_logger(__name__)

# So long whoever asks for a release waits for the orders to get new times; the sweep goes on with the rest.
PATIENCE = 2.0


def halt(
    owner: Owner, scope: HaltScope, working: HaltedWorking, reason: str, actor: str, now: datetime
) -> tuple[HaltReport, bool]:
    """Send nothing new of what is in the scope until the halt is released; whether this call made it.

    One with the same scope that is in force is answered instead: it goes on if its release was asked for, and calls
    back what works if that is asked now. What belongs to one account can be halted only by that account and by those
    who may stop everybody. Raises InvalidRequest, Forbidden, NotFound for an account or broker account that is unknown.
    """
    scope = _narrowed(owner, scope)
    _check(scope, reason)
    began_at = boottime()
    with db.transaction() as session:
        halts.serialize(session)
        made = halts.of_scope(session, scope)
        is_new = made is None
        if made is None:
            made = _make(session, scope, working, reason, actor, now, began_at)
        else:
            _tighten(session, made, working, actor, now)
        halt_id = made.id
    failpoint("halt.after_commit")
    halted.forget()
    queue.wake(Task.CANCEL_SLICES)
    watch_halt(halt_id, now)
    return halt_report(owner, halt_id), is_new


def release(owner: Owner, halt_id: str, actor: str, now: datetime) -> HaltReport:
    """Let what was halted go on, what it missed in the rest of its window; repeating it is harmless.

    A halt is in force until the orders that it covers have new times: then nothing of them goes out in a rush. Raises
    NotFound, Forbidden for a halt of an account's own orders that somebody else made.
    """
    with db.transaction() as session:
        found = _existing(session, owner, halt_id)
        if isinstance(owner, OneAccount) and found.made_by != owner.account_id:
            raise Forbidden("this halt was made by somebody else, who may release it", {"made_by": found.made_by})
        if found.release_asked_at is None:
            halts.change(session, found, release_asked_at=now, release_asked_by=actor)
            audit.add(session, "halt.release", actor, found.account_id, now, halt_id=found.id)
    failpoint("halt.release_asked")
    go_on(halt_id, now, timedelta(seconds=PATIENCE))
    halted.forget()
    return halt_report(owner, halt_id)


def _narrowed(owner: Owner, scope: HaltScope) -> HaltScope:
    if not isinstance(owner, OneAccount):
        return scope
    if scope.account_id not in (None, owner.account_id):
        raise Forbidden("the orders of other accounts are halted by operators and admins", {"field": "account_id"})
    return HaltScope(owner.account_id, scope.broker_account, scope.instrument)


def _check(scope: HaltScope, reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        rule = f"1 to {LONGEST_REASON} printable characters"
        raise InvalidRequest(f"reason must have {rule}", {"field": "reason", "rule": rule})
    if scope.account_id is not None and not ACCOUNT_ID.fullmatch(scope.account_id):
        raise InvalidRequest("account_id must be an account_id", {"field": "account_id"})
    if scope.instrument is not None and not INSTRUMENT.fullmatch(scope.instrument):
        raise InvalidRequest("instrument must be EXCHANGE:SYMBOL", {"field": "instrument"})
    name = scope.broker_account
    if name is not None and (not BROKER_ACCOUNT.fullmatch(name) or directory.account_named(name) is None):
        raise NotFound("there is no such broker account")


def _make(
    session: Session,
    scope: HaltScope,
    working: HaltedWorking,
    reason: str,
    actor: str,
    now: datetime,
    began_at: float,
) -> Halt:
    halt_id = ids.halt_id(ULID.from_datetime(now))
    about = {"account_id": scope.account_id, "broker_account": scope.broker_account, "instrument": scope.instrument}
    # First of all, and what takes longest: the halt itself is the last row before the commit.
    halts.note_attempts(session, halt_id, scope, now, is_first=True)
    detail = {"halt_id": halt_id, "reason": reason, "made_by": actor, **about}
    alarms.raise_alarm(session, AlarmCode.HALTED, now, detail, subject=halt_id, account_id=scope.account_id)
    audit.add(session, "halt.make", actor, scope.account_id, now, halt_id=halt_id, reason=reason, **about)
    made = Halt(
        id=halt_id,
        **about,
        working=working,
        reason=reason,
        made_by=actor,
        made_at=now + timedelta(seconds=boottime() - began_at),
    )
    halts.add(session, made)
    log.error("alarm raised", alarm=AlarmCode.HALTED.meaning, code=AlarmCode.HALTED, **detail)
    return made


def _tighten(session: Session, made: Halt, working: HaltedWorking, actor: str, now: datetime) -> None:
    """Asked for once more: what is being released stays halted, and what was kept is called back."""
    changes: dict[str, object] = {}
    if made.release_asked_at is not None:
        changes |= {"release_asked_at": None, "release_asked_by": None}
    if working is HaltedWorking.CANCEL and made.working is HaltedWorking.KEEP:
        changes |= {"working": working, "quiet_at": None}
    if changes:
        halts.change(session, made, **changes)
        audit.add(session, "halt.tighten", actor, made.account_id, now, halt_id=made.id, working=working.value)


def _existing(session: Session, owner: Owner, halt_id: str) -> Halt:
    halts.serialize(session)
    # Not every text can be asked of Postgres: a NUL would fail there.
    found = halts.get(session, owner, halt_id, locked=True) if HALT_ID.fullmatch(halt_id) else None
    if found is None:
        raise NotFound("there is no such halt")
    return found
