"""Record how attempts to place slices came out: an answer of the broker is a proof in hand, and is never dropped."""

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.troubles import troubles
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.backoff import backoff
from pulse_core.boottime import boottime
from pulse_core.brokers.port import ALREADY_THERE, RATE_LIMITED, BrokerOrder, BrokerOrderStatus, Scope
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable, LostRace
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.adopt import adopt, point_at
from pulse_core.trading.deadline import deadline
from pulse_core.trading.exposure import exposure
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.refused_accounts import Refusal
from pulse_core.trading.slice.claiming import Claim
from pulse_core.trading.slice.limited import LIMIT, hold_order
from pulse_core.trading.slice.refused import take_refusal
from pulse_core.trading.store import claims, events, placements, slices, totals
from pulse_core.trading.store.claims import Acknowledged
from pulse_core.trading.tables import Order, OrderSlice, Placement
from pulse_core.trading.vocabulary import PlacementOutcome

log = get_logger(__name__)

# While the database is away a worker goes on trying to record for so long, in seconds. After that, the book tells.
RECORD_FOR = 20.0
PAUSE = 0.25
# Nothing is sent of what is held.
HELD = "HELD"
# Claimed by what its order was a moment before.
AMENDED = "AMENDED"
OUR_OWN_REASONS = frozenset(
    {
        AMENDED,
        HELD,
        LIMIT,
        "CLAIM_LOST",
        "EARLIER_ATTEMPT_LIVE",
        "LATE",
        "ORDER_NOT_RUNNING",
        "OVER_QUANTITY",
        "OWN_RATE_LIMIT",
        "QUANTITY_CHANGED",
    }
)
# Who asks too often has to wait: no slice has failed by that, however often it is told so.
NOBODYS_FAILURES = OUR_OWN_REASONS | {RATE_LIMITED}


@dataclass(frozen=True)
class Outcome:
    """How the attempt came out, in the words of the placements table; `scope` is whose fault a refusal is."""

    kind: PlacementOutcome
    broker_order_id: str | None = None
    code: str | None = None
    message: str | None = None
    sent_at: datetime | None = None
    scope: Scope = Scope.ORDER


@dataclass(frozen=True)
class CameOut:
    """How the attempt of a claim came out; `received` is an instant of boottime()."""

    claim: Claim
    outcome: Outcome
    received: float

    @property
    def names(self) -> dict[str, str]:
        claimed = self.claim.claimed
        return {
            "order_id": claimed.order_id,
            "slice_id": claimed.slice_id,
            "client_order_id": claimed.client_order_id,
        }


def note(came_out: CameOut) -> None:
    """Log it, first of all: the log outlives a database that is lost between the answer and the record."""
    outcome = came_out.outcome
    answer = {"broker_order_id": outcome.broker_order_id, "code": outcome.code}
    log.info("attempt came out", outcome=outcome.kind, **came_out.names, **answer)


def acknowledge(came_out: Sequence[CameOut]) -> Collection[str]:
    """What nearly every slice takes, in one statement: one that works ends nothing, so its order is not locked.

    Returns the slices that are WORKING now. The others have to be recorded by themselves, each.
    """
    plain = [one for one in came_out if one.outcome.broker_order_id is not None]
    if not plain:
        return ()
    at = max(one.claim.now() for one in plain)
    answers = [_acknowledged(one, at) for one in plain]
    try:
        with db.statement() as connection:
            return claims.acknowledge(connection, answers, at)
    except DatabaseUnavailable as error:
        slice_ids = [one.claim.slice_id for one in plain]
        log.warning("answers are recorded one by one", slice_ids=slice_ids, reason=str(error))
    except Exception:
        log.exception("answers are recorded one by one")
    return ()


def record_once(came_out: CameOut) -> SliceStatus | None:
    """Record one outcome; returns the slice's status, None when it was not recorded."""
    return _try_to_record(came_out)


def record_anyhow(came_out: CameOut) -> SliceStatus:
    """Record one outcome, trying for RECORD_FOR since it was received. Returns the slice's status.

    Raises DatabaseUnavailable when it could not be recorded by then; the broker's book will tell.
    """
    while boottime() < came_out.received + RECORD_FOR:
        status = _try_to_record(came_out)
        if status is not None:
            return status
        time.sleep(PAUSE)
    raise DatabaseUnavailable(db.AWAY)


def reschedule(
    session: Session, one: OrderSlice, now: datetime, error_code: str | None, error_message: str | None
) -> None:
    """A slice that is certainly not at the broker goes back into the schedule, or is FAILED after its attempts.

    With an earlier attempt of it that may be live, that one is followed instead.
    """
    live = placements.live_beside(session, one.id, one.client_order_id)
    if live is not None:
        point_at(session, one.id, live, now)
        return
    failures = one.failures + (error_code not in NOBODYS_FAILURES)
    changes = {"failures": failures, "error_code": error_code, "error_message": error_message, "sent_at": None}
    if failures >= settings().placement_attempts:
        slices.move(session, one, SliceStatus.FAILED, now, **changes)
        return
    tries = one.attempts if error_code == RATE_LIMITED else failures
    pause = backoff(max(tries, 1), settings().retry_backoff_max, secrets.randbelow(1000) / 1000)
    slices.move(session, one, SliceStatus.SCHEDULED, now, due_at=now + pause, hinted_until=None, **changes)


def _acknowledged(came_out: CameOut, at: datetime) -> Acknowledged:
    claimed, outcome = came_out.claim.claimed, came_out.outcome
    deadline_at = deadline(at, claimed.slice_timeout_seconds, came_out.claim.matched_by)
    return Acknowledged(claimed, outcome.broker_order_id or "", outcome.sent_at, deadline_at)


def _try_to_record(came_out: CameOut) -> SliceStatus | None:
    claim = came_out.claim
    try:
        with db.transaction() as session:
            status = _write(session, claim, came_out.outcome, claim.now())
            failpoint("execute.before_record_commit")
    except (DatabaseUnavailable, LostRace) as error:
        told = {**came_out.names, "reason": str(error)}
        troubles.warn(log, str(told), "outcome not recorded yet", **told)
        return None
    return status


def _write(session: Session, claim: Claim, outcome: Outcome, now: datetime) -> SliceStatus:
    client_order_id = claim.claimed.client_order_id
    order, one = slices.lock(session, claim.slice_id)
    attempt = placements.by_client_order_id(session, client_order_id)
    if attempt is None or _is_recorded(attempt, outcome):
        return one.status
    if one.client_order_id != client_order_id or one.status not in (SliceStatus.SENDING, SliceStatus.UNKNOWN):
        _write_late(session, one, attempt, outcome, now)
        return one.status
    placements.complete(session, client_order_id, outcome.kind, outcome.broker_order_id)
    events.add(session, EventKind.BROKER_CALL, order.id, one.id, now, call="place", **_told(outcome))
    _move_on(session, order, one, claim, outcome, now)
    roll_up(session, order, now)
    return one.status


def _told(outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"outcome": outcome.kind.value, "answer": outcome.broker_order_id or outcome.message}
    return told | ({"scope": outcome.scope.value} if outcome.kind is PlacementOutcome.REFUSED else {})


def _is_recorded(attempt: Placement, outcome: Outcome) -> bool:
    """Whether it was recorded before: by a commit whose answer was lost, or by a look into the book."""
    if outcome.code == ALREADY_THERE:
        return attempt.outcome is PlacementOutcome.ACKNOWLEDGED
    if outcome.kind is PlacementOutcome.UNKNOWN:
        return attempt.outcome is not None
    return attempt.outcome is outcome.kind and attempt.broker_order_id == outcome.broker_order_id


def _write_late(session: Session, one: OrderSlice, attempt: Placement, outcome: Outcome, now: datetime) -> None:
    """The slice has gone on from this attempt: an order that the broker has must be followed all the same."""
    if outcome.code == ALREADY_THERE and one.status is SliceStatus.SCHEDULED:
        placements.complete(session, attempt.client_order_id, outcome.kind)
        point_at(session, one.id, attempt, now)
        slices.change(session, one.id, now, error_code=outcome.code, error_message=outcome.message)
    if outcome.broker_order_id is not None:
        row = BrokerOrder(
            broker_order_id=outcome.broker_order_id,
            client_order_id=attempt.client_order_id,
            status=BrokerOrderStatus.OPEN,
            quantity=attempt.quantity,
            filled_quantity=0,
            average_price=None,
            message=None,
        )
        adopt(session, attempt, row, now)


def _move_on(session: Session, order: Order, one: OrderSlice, claim: Claim, outcome: Outcome, now: datetime) -> None:
    error = {"error_code": outcome.code, "error_message": outcome.message}
    match outcome.kind:
        case PlacementOutcome.ACKNOWLEDGED:
            found = {"broker_order_id": outcome.broker_order_id, "sent_at": outcome.sent_at}
            deadline_at = deadline(now, order.slice_timeout_seconds, claim.matched_by)
            slices.move(session, one, SliceStatus.WORKING, now, deadline_at=deadline_at, **found, **error)
        case PlacementOutcome.REFUSED:
            began_at, sent_at = claim.claimed.claimed_at, outcome.sent_at
            refusal = Refusal(outcome.code or "", outcome.message, outcome.scope, began_at, sent_at)
            take_refusal(session, order, one, refusal, now)
        case PlacementOutcome.UNKNOWN:
            if one.status is SliceStatus.UNKNOWN:
                # It was given up as lost before the broker said that it is there.
                slices.change(session, one.id, now, **error)
            else:
                slices.move(session, one, SliceStatus.UNKNOWN, now, sent_at=outcome.sent_at, resolve_at=now, **error)
        case _:
            reschedule(session, one, now, outcome.code, outcome.message)
            if outcome.code == "OVER_QUANTITY":
                _make_room(session, order, one.id, now)
            if outcome.code == LIMIT:
                hold_order(session, order, outcome.message, now)


def _make_room(session: Session, order: Order, slice_id: str, now: datetime) -> None:
    """Lower a slice to what its order has room for, or skip it: something else of the order was overfilled."""
    one = slices.get(session, slice_id)
    if one is None or one.status is not SliceStatus.SCHEDULED:
        return
    too_much = exposure(totals.of_order(session, order.id)).total - order.total_quantity
    room = one.quantity - one.filled_quantity - too_much
    if too_much <= 0:
        return
    if room > 0:
        lowered = one.quantity - too_much
        told = {"lowered_from": one.quantity, "lowered_to": lowered}
        events.alarm(session, AlarmCode.SLICE_LOWERED, order.id, one.id, now, **told)
        slices.change(session, one.id, now, quantity=lowered)
        return
    no_room = AlarmCode.NO_ROOM
    if not events.was_raised_for(session, order.id, no_room):
        events.alarm(session, no_room, order.id, one.id, now)
    slices.move(session, one, SliceStatus.SKIPPED, now, error_code="OVER_QUANTITY", error_message=no_room.meaning)
