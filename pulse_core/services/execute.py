"""Place one slice with its broker, once: claim, fence, last check, send, record."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from pulse_core import brokers, db
from pulse_core.brokers.base import Broker, NotSent, OutcomeUnknown, Placement, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.db import Fence
from pulse_core.domain import ids
from pulse_core.domain.backoff import backoff
from pulse_core.domain.enums import EventKind, OrderStatus, PlacementOutcome, SliceStatus
from pulse_core.domain.exposure import exposure
from pulse_core.failpoints import failpoint
from pulse_core.log import bound_trace, get_logger
from pulse_core.models import Order, OrderSlice
from pulse_core.repositories import attempts, events, placements, slices
from pulse_core.repositories.attempts import Claimed
from pulse_core.services.settle import settle_order

log = get_logger(__name__)

# An eta message may come a little early; a slice never goes out early.
EARLY = timedelta(seconds=1)
TURN_WAIT = 2.0
OUR_OWN_REASONS = frozenset({"CLAIM_LOST", "ORDER_NOT_RUNNING", "OVER_QUANTITY", "OWN_RATE_LIMIT"})


@dataclass(frozen=True)
class Claim:
    """What this worker, and nobody else, may now send. `not_after` is an instant of time.monotonic()."""

    claimed: Claimed
    placement: Placement
    not_after: float


@dataclass(frozen=True)
class Outcome:
    """How the attempt ended, in the words of the placements table."""

    kind: PlacementOutcome
    broker_order_id: str | None = None
    code: str | None = None
    message: str | None = None
    sent_at: datetime | None = None


def execute_slice(slice_id: str, clock: Callable[[], datetime] = utcnow) -> None:
    """Place a due slice, whatever woke us and however often.

    Raises DatabaseUnavailable; if that happens after the claim, the sweeps find out what became of the slice.
    """
    broker = brokers.connect(settings())
    with db.fence(slice_id) as fence:
        if fence is None:
            return
        claim = _claim(fence, slice_id, broker.name, clock)
        if claim is None:
            return
        with bound_trace(claim.claimed.trace):
            outcome = _place(fence, claim, broker, clock)
            failpoint("execute.after_send")
            _record(fence, claim, outcome, clock())
            failpoint("execute.after_record")
    failpoint("execute.after_unlock")


def _claim(fence: Fence, slice_id: str, broker: str, clock: Callable[[], datetime]) -> Claim | None:
    failpoint("execute.before_claim")
    claim = _try_to_claim(fence, slice_id, broker, clock)
    if claim is None and _comes_due(fence, slice_id, clock):
        claim = _try_to_claim(fence, slice_id, broker, clock)
    return claim


def _try_to_claim(fence: Fence, slice_id: str, broker: str, clock: Callable[[], datetime]) -> Claim | None:
    config = settings()
    # Before the clock is read: a worker that is stopped in between must not gain on its lease.
    started = time.monotonic()
    now = clock()
    client_order_id = ids.client_order_id(secrets.randbits(100))
    lease_expires_at, oldest_end = now + timedelta(seconds=config.lease), now - _late_grace()
    with fence.statement() as connection:
        claimed = attempts.claim(
            connection, slice_id, client_order_id, broker, now, lease_expires_at=lease_expires_at, oldest_end=oldest_end
        )
    if claimed is None:
        return None
    failpoint("execute.after_claim")
    not_after = started + config.lease - config.broker_timeout
    return Claim(claimed, _placement(claimed, client_order_id), not_after)


def _comes_due(fence: Fence, slice_id: str, clock: Callable[[], datetime]) -> bool:
    """Why a slice could not be claimed: wait for one that is a little early, skip one that can never go out."""
    with fence.transaction() as session:
        now = clock()
        one = slices.get(session, slice_id)
        if one is None or one.status is not SliceStatus.SCHEDULED or one.due_at - now > EARLY:
            return False
        order = session.get_one(Order, one.order_id)
        if order.status is not OrderStatus.IN_PROGRESS:
            return False
        if one.due_at <= now and (reason := _why_never(order, one, now)) is not None:
            _skip(session, slice_id, now, *reason)
            return False
    time.sleep(max((one.due_at - now).total_seconds(), 0))
    return True


def _why_never(order: Order, one: OrderSlice, now: datetime) -> tuple[str, str] | None:
    if order.end_at < now - _late_grace():
        return "WINDOW_CLOSED", "its order's window closed before the slice could go out"
    if one.filled_quantity >= one.quantity:
        return "ALREADY_FILLED", "late fills of an earlier attempt left nothing to send"
    return None


def _late_grace() -> timedelta:
    return timedelta(seconds=settings().late_grace)


def _placement(claimed: Claimed, client_order_id: str) -> Placement:
    return Placement(
        client_order_id=client_order_id,
        instrument=claimed.instrument,
        side=claimed.side,
        quantity=claimed.quantity,
        limit_price=claimed.limit_price,
        product=claimed.product,
    )


def _skip(session: Session, slice_id: str, now: datetime, code: str, message: str) -> None:
    order, one = slices.lock(session, slice_id)
    # It was seen without a lock: a cancellation may have come first.
    if one.status is SliceStatus.SCHEDULED:
        slices.move(session, one, SliceStatus.SKIPPED, now, error_code=code, error_message=message)
        settle_order(session, order, now)


def _place(fence: Fence, claim: Claim, broker: Broker, clock: Callable[[], datetime]) -> Outcome:
    sent_at = None
    try:
        broker.wait_for_turn(TURN_WAIT)
        failpoint("execute.after_turn")
        _check_may_send(fence, claim)
        failpoint("execute.before_send")
        sent_at = clock()
        broker_order_id = broker.place(claim.placement, claim.not_after)
    except Refused as error:
        return Outcome(PlacementOutcome.REFUSED, None, error.code, error.message, sent_at)
    except NotSent as error:
        return Outcome(PlacementOutcome.NOT_SENT, None, error.code, error.message)
    except OutcomeUnknown as error:
        return Outcome(PlacementOutcome.UNKNOWN, None, error.code, error.message, sent_at)
    return Outcome(PlacementOutcome.ACKNOWLEDGED, broker_order_id, sent_at=sent_at)


def _check_may_send(fence: Fence, claim: Claim) -> None:
    """The last look before the wire: a lost fence, a cancelled order or a full one stops it."""
    with fence.statement() as connection:
        standing = attempts.standing(connection, claim.claimed.slice_id)
    if standing is None or not _is_claimed(standing.slice_status, standing.client_order_id, claim):
        raise NotSent("CLAIM_LOST", "the claim on the slice was lost")
    if standing.order_status is not OrderStatus.IN_PROGRESS:
        raise NotSent("ORDER_NOT_RUNNING", f"the order is {standing.order_status}")
    if exposure(standing.tally).total > standing.total_quantity:
        raise NotSent("OVER_QUANTITY", "sending it could exceed the order's quantity")


def _is_claimed(status: SliceStatus, client_order_id: str | None, claim: Claim) -> bool:
    return status is SliceStatus.SENDING and client_order_id == claim.placement.client_order_id


def _record(fence: Fence, claim: Claim, outcome: Outcome, now: datetime) -> None:
    if outcome.broker_order_id is not None:
        _acknowledge(fence, claim, outcome.broker_order_id, outcome.sent_at, now)
        return
    with fence.transaction() as session:
        order, one = slices.lock(session, claim.claimed.slice_id)
        if not _is_claimed(one.status, one.client_order_id, claim):
            return
        placements.complete(session, claim.placement.client_order_id, outcome.kind)
        events.add(
            session,
            EventKind.BROKER_CALL,
            order.id,
            one.id,
            now,
            call="place",
            outcome=outcome.kind,
            answer=outcome.message,
        )
        _move_on(session, order, one, outcome, now)
        settle_order(session, order, now)
        failpoint("execute.before_record_commit")


def _acknowledge(fence: Fence, claim: Claim, broker_order_id: str, sent_at: datetime | None, now: datetime) -> None:
    """A slice that works ends nothing, so its order is neither locked nor settled here."""
    deadline_at = now + _patience(claim.claimed.slice_timeout_seconds)
    with fence.statement() as connection:
        attempts.acknowledge(
            connection,
            claim.claimed,
            claim.placement.client_order_id,
            broker_order_id,
            sent_at=sent_at,
            deadline_at=deadline_at,
            now=now,
        )


def _move_on(session: Session, order: Order, one: OrderSlice, outcome: Outcome, now: datetime) -> None:
    error = {"error_code": outcome.code, "error_message": outcome.message}
    match outcome.kind:
        case PlacementOutcome.REFUSED:
            slices.move(session, one, SliceStatus.REJECTED, now, sent_at=outcome.sent_at, **error)
        case PlacementOutcome.UNKNOWN:
            slices.move(session, one, SliceStatus.UNKNOWN, now, sent_at=outcome.sent_at, resolve_at=now, **error)
        case _:
            put_back(session, one, now, outcome.code, outcome.message)


def deadline(order: Order, sent_at: datetime) -> datetime:
    """When what is left of a slice sent at this instant is called back."""
    return sent_at + _patience(order.slice_timeout_seconds)


def _patience(slice_timeout_seconds: int | None) -> timedelta:
    return timedelta(seconds=slice_timeout_seconds or settings().slice_timeout)


def put_back(
    session: Session, one: OrderSlice, now: datetime, error_code: str | None, error_message: str | None
) -> None:
    """A slice that is certainly not at the broker goes back into the schedule, or is FAILED after its attempts."""
    failures = one.failures + (error_code not in OUR_OWN_REASONS)
    changes = {"failures": failures, "error_code": error_code, "error_message": error_message, "sent_at": None}
    if failures >= settings().placement_attempts:
        slices.move(session, one, SliceStatus.FAILED, now, **changes)
        return
    pause = backoff(max(failures, 1), settings().retry_backoff_max, secrets.randbelow(1000) / 1000)
    slices.move(session, one, SliceStatus.SCHEDULED, now, due_at=now + pause, hinted_until=None, **changes)
