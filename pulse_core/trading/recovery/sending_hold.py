"""Keep what a database has forgotten from being bought again.

A restored backup, or a standby that was promoted without the last commits, holds slices as unsent that are at the
broker. So no process sends for a broker account before it has compared the account's book with the database that it is
connected to, and the whole installation sends nothing, for as long as a request may take to turn up, once something is
known to be lost.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import brokers, clock, db
from pulse_core.broker_accounts.store import accounts as broker_accounts
from pulse_core.brokers.port import BookUnavailable, Broker
from pulse_core.config import settings
from pulse_core.events.names import PULSE
from pulse_core.postgres.lineage import Lineage, Seen, lineage
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode, HoldCode
from pulse_core.trading.recovery import remembered
from pulse_core.trading.recovery.lost_claims import Findings, find_lost_claims, first_attempts
from pulse_core.trading.store import alarms, ended_alarms, installation
from pulse_core.trading.store.installation import Hold

log = get_logger(__name__)

# How long a thread waits for the one that compares, and nobody compares again after a failure, in seconds.
PATIENCE = 5.0
PAUSE = 2.0
# After a longer pause between two readings an outage of the broker may have gone unseen.
LONGEST_PAUSE = timedelta(seconds=10)
# How many orders an alarm names.
MOST_NAMED = 20

# What the database has forgotten altogether nobody but an operator can tell. A hold without a code is of a service that
# did not know of codes yet.
_ENDED_BY_OPERATORS = (HoldCode.FIRST_LOOK, None)


@dataclass(frozen=True)
class Standing:
    """The database at hand, the one that the broker's book was last compared with, and the hold on all sending."""

    present: str
    known: str | None
    hold: Hold | None


class _Setbacks:
    """How many setbacks of the database's log this process has seen that are held."""

    held = 0


class _Clearance:
    """Which database this process may send from for one account: the one it has compared with the account's book.

    Until it meets another.
    """

    def __init__(self) -> None:
        self.under_way = threading.Lock()
        self._breaks = -1
        self._not_before = float("-inf")
        # The ids of the attempts that the book shows and no slice explains.
        self.forgotten: frozenset[str] = frozenset()

    def is_given(self, seen: Lineage) -> bool:
        return self._breaks == seen.breaks

    def is_due(self) -> bool:
        return time.monotonic() >= self._not_before

    def give(self, breaks: int) -> None:
        self._breaks = breaks

    def put_off(self, seconds: float) -> None:
        self._not_before = time.monotonic() + seconds


class _Quiet:
    """Since when every reading of an account in this process was evidence and showed nothing lost.

    With no long pause in between.
    """

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: datetime | None = None

    def interrupt(self) -> None:
        self._since = None

    def since(self, findings: Findings) -> datetime:
        book = findings.book
        is_gap = self._last is None or book.started_at - self._last > LONGEST_PAUSE
        if is_gap or self._since is None or findings.recorded or not findings.is_conclusive:
            self._since = book.ended_at
        self._last = book.ended_at
        return self._since


def is_cleared(broker_account: str) -> bool:
    """Whether this process has compared the account's book with its database. Costs nothing.

    Ask while holding the fence of a slice and the connection that it is claimed on: a new one may have led to another
    database.
    """
    return _clearance(db.fence_engine(), broker_account).is_given(lineage(db.fence_engine()))


def may_send(broker: Broker) -> bool:
    """Whether this process may send for an account; compares first where that was not done, while others wait.

    Ask before taking a fence: recording a lost claim needs it. Raises DatabaseUnavailable.
    """
    if is_cleared(broker.name):
        return True
    clearance = _clearance(db.fence_engine(), broker.name)
    if not clearance.is_due() or not clearance.under_way.acquire(timeout=PATIENCE):
        return False
    try:
        return is_cleared(broker.name) or _clear(broker)
    finally:
        clearance.under_way.release()


def without_forgotten(broker: Broker, slice_ids: Sequence[str]) -> Sequence[str]:
    """Those of the slices of which the account's book showed no attempt that the database knows nothing of.

    An order that is placed again has the slices of the one that was forgotten: where one of them is to be sent, the
    book is read anew, and what it shows of them is recorded. Ask before taking a fence: recording needs it.
    """
    clearance = _clearance(db.fence_engine(), broker.name)
    if not clearance.forgotten:
        return slice_ids
    if _known_of(clearance, slice_ids) and clearance.is_due():
        _look_for_forgotten(broker, clearance)
    return [one for one in slice_ids if not _known_of(clearance, [one])]


def compare(broker: Broker, now: datetime) -> Findings:
    """Compare an account's book with the database, record lost claims, and hold all sending where something was lost.

    Raises BookUnavailable.
    """
    last_seen = remembered.last_seen()
    with db.transaction() as session:
        setbacks = _hold_another(session, now, last_seen)
    _setbacks(db.fence_engine()).held = setbacks
    # Only now: whoever finds this in its place need not hold any more.
    remembered.note(lineage(db.fence_engine()).seen)
    # Another database may have another one.
    installation.forget_key()
    findings = find_lost_claims(broker, now)
    with db.transaction() as session:
        _conclude(session, findings)
    return findings


def standing() -> Standing:
    """The database at hand and the hold, as they are now."""
    last_seen = remembered.last_seen()
    with db.transaction() as session:
        return Standing(_present(session, last_seen), installation.known_database(session), installation.held(session))


def watch_hold(now: datetime) -> int:
    """Notice another database, and end a hold once nothing lost can turn up; returns how many claims were recorded.

    A hold ends by itself when no reading of any account that can be reached has shown anything lost for as long as
    PULSE_SETTLE_DELAY, or anything that the database does not know. Raises BookUnavailable.
    """
    stands = standing()
    is_known = stands.known in (None, stands.present)
    if stands.hold is None and is_known and not _is_set_back():
        remembered.note(lineage(db.fence_engine()).seen)
        return 0
    found: list[Findings] = []

    def compare_anew(broker: Broker) -> int:
        try:
            findings = compare(broker, now)
        except BookUnavailable:
            _quiet_of(broker.name).interrupt()
            raise
        found.append(findings)
        return len(findings.recorded)

    # Meanwhile nothing is sent, and the hold ends for all or for none.
    recorded = brokers.for_each_account(Task.WATCH_HOLD, compare_anew, is_each_waited_for=True)
    # None of them failed.
    if len(found) == len(brokers.reachable()):
        _release_if_settled(found)
    return recorded


def release(actor: str) -> bool:
    """End the hold for an operator; False if there was none."""
    with db.transaction() as session:
        is_released = installation.release(session)
        ended_alarms.resolve_hold(session, actor, clock.utcnow())
    if is_released:
        log.warning("hold released", actor=actor)
    return is_released


@cache
def _clearance(_engine: Engine, _broker_account: str) -> _Clearance:
    return _Clearance()


@cache
def _setbacks(_engine: Engine) -> _Setbacks:
    return _Setbacks()


@cache
def _quiet_of(_broker_account: str) -> _Quiet:
    return _Quiet()


def _clear(broker: Broker) -> bool:
    clearance, seen = _clearance(db.fence_engine(), broker.name), lineage(db.fence_engine())
    if not clearance.is_due():
        return False
    # Before anything is read: a database that is replaced meanwhile must be compared as well.
    breaks, started = seen.breaks, time.monotonic()
    try:
        findings = compare(broker, clock.utcnow())
    except BookUnavailable as error:
        told = {"broker_account": broker.name, "reason": str(error)}
        troubles.warn(log, str(told), "nothing is sent before the book was read", **told)
        clearance.put_off(max(PAUSE, brokers.rest_after(time.monotonic() - started)))
        return False
    if not findings.is_conclusive:
        about = {"broker_account": broker.name, "lacking": len(findings.book.lacking), "pending": len(findings.pending)}
        troubles.warn(log, str(about), "nothing is sent before the book is whole", **about)
        clearance.put_off(PAUSE)
        return False
    if findings.unexplained:
        _alarm_unexplained(findings)
    clearance.forgotten = _forgotten(findings)
    clearance.give(breaks)
    return is_cleared(broker.name)


def _known_of(clearance: _Clearance, slice_ids: Sequence[str]) -> bool:
    return not clearance.forgotten.isdisjoint(first_attempts(slice_ids))


def _look_for_forgotten(broker: Broker, clearance: _Clearance) -> None:
    started = time.monotonic()
    try:
        clearance.forgotten = _forgotten(find_lost_claims(broker, clock.utcnow()))
    except BookUnavailable as error:
        told = {"broker_account": broker.name, "reason": str(error)}
        troubles.warn(log, str(told), "nothing is sent of an order that was forgotten", **told)
        clearance.put_off(max(PAUSE, brokers.rest_after(time.monotonic() - started)))


def _forgotten(findings: Findings) -> frozenset[str]:
    """The client order ids in the book that no recorded attempt has."""
    unknown = {one.broker_order_id for one in findings.pending} | {one.broker_order_id for one in findings.unexplained}
    return frozenset(tag for tag, row in findings.book.by_client_order_id.items() if row.broker_order_id in unknown)


def _alarm_unexplained(findings: Findings) -> None:
    of_broker = [row.broker_order_id for row in findings.unexplained]
    code = AlarmCode.UNEXPLAINED_ORDERS
    with db.transaction() as session:
        alarms.raise_alarm(
            session, code, findings.book.ended_at, {"orders": of_broker[:MOST_NAMED], "in_all": len(of_broker)}
        )
    log.error("alarm raised", alarm=code.meaning, code=code, orders=of_broker)


def _present(session: Session, last_seen: Seen | None = None) -> str:
    driver = session.connection().connection.driver_connection
    assert driver is not None  # noqa: S101
    return lineage(db.fence_engine()).look(driver, last_seen).database


def _is_set_back() -> bool:
    return lineage(db.fence_engine()).setbacks > _setbacks(db.fence_engine()).held


def _hold_another(session: Session, now: datetime, last_seen: Seen | None) -> int:
    """How many setbacks this process has seen that are held now."""
    present, known = _present(session, last_seen), installation.known_database(session)
    setbacks = lineage(db.fence_engine()).setbacks
    if known not in (None, present):
        installation.know_database(session, present)
        _hold(session, HoldCode.ANOTHER_DATABASE, now, known=known, present=present)
    elif _is_set_back():
        _hold(session, HoldCode.LOG_WENT_BACK, now, present=present)
    return setbacks


def _conclude(session: Session, findings: Findings) -> None:
    at, name = findings.book.ended_at, findings.book.broker_account
    if findings.recorded:
        _hold(session, HoldCode.CLAIMS_WERE_LOST, at, broker_account=name, claims=len(findings.recorded))
    if not findings.is_conclusive:
        return
    is_known = installation.known_database(session) is not None
    if is_known and not broker_accounts.is_first_comparison(session, name):
        return
    if findings.unexplained or findings.foreign:
        orders = len(findings.unexplained) + len(findings.foreign)
        _hold(session, HoldCode.FIRST_LOOK, at, broker_account=name, orders=orders)
    broker_accounts.note_comparison(session, name, at)
    if not is_known:
        installation.know_database(session, _present(session))


def _hold(session: Session, code: HoldCode, now: datetime, **detail: object) -> None:
    if installation.hold(session, code, now):
        what = AlarmCode.SENDING_HELD
        alarms.raise_alarm(session, what, now, {"hold_code": code.value, "reason": code.meaning, **detail})
        log.error("alarm raised", alarm=f"{what.meaning}: {code.meaning}", code=what, hold_code=code, **detail)


def _release_if_settled(found: Sequence[Findings]) -> None:
    quiet = [(one, _quiet_of(one.book.broker_account).since(one)) for one in found]
    with db.transaction() as session:
        hold = installation.held(session)
        if hold is None or not quiet or hold.code in _ENDED_BY_OPERATORS:
            return
        if all(_is_settled(one, since, hold) for one, since in quiet):
            installation.release(session)
            ended_alarms.resolve_hold(session, PULSE, max(one.book.ended_at for one in found))
            log.warning("hold released", reason=hold.reason, held_since=hold.since)


def _is_settled(findings: Findings, quiet_since: datetime, hold: Hold) -> bool:
    settle_delay = settings().settle_delay
    if settle_delay == "never" or findings.unexplained or not findings.is_conclusive:
        return False
    return findings.book.started_at >= max(quiet_since, hold.since) + timedelta(seconds=settle_delay)
