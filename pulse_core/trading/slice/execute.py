"""Place one slice with its broker, once: claim, fence, last check, send, record."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.spans import continued
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import brokers, db
from pulse_core.boottime import boottime
from pulse_core.brokers.port import RATE_LIMITED, Broker, NotSent, OutcomeUnknown, Placement, Refused
from pulse_core.clock import is_steady
from pulse_core.config import settings
from pulse_core.db import Fence
from pulse_core.failpoints import failpoint
from pulse_core.metrics.slices import note_sent
from pulse_core.trading import client_order_ids
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.exposure import exposure
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.outcome import Outcome, record
from pulse_core.trading.store import claims, installation, slices
from pulse_core.trading.store.claims import Claimed, LastLook
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome

# An eta message may come a little early; a slice never goes out early.
EARLY = timedelta(seconds=1)
TURN_WAIT = 2.0

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Claim:
    """What this worker, and nobody else, may now send. `not_after` and `received` are instants of boottime()."""

    claimed: Claimed
    placement: Placement
    not_after: float
    received: float

    def now(self) -> datetime:
        """The database's time: that of the claim, and what has passed since on a clock that never stands still."""
        return self.claimed.claimed_at + timedelta(seconds=boottime() - self.received)


@dataclass(frozen=True)
class Attempted:
    """How an attempt came out, and the status of its slice after that."""

    outcome: Outcome
    status: SliceStatus


def execute_slice(slice_id: str, clock: Clock | None = None) -> Attempted | None:
    """Place a due slice, whatever woke us and however often. Postgres's clock decides, unless a test gives its own.

    Returns None when nothing was to be sent. Raises DatabaseUnavailable; if that happens after the claim, the sweeps
    find out what became of the slice.
    """
    if not is_steady():
        # The database's clock was set, or is another one: it is left to a later message or the watch.
        return None
    broker = brokers.connect(settings())
    if not sending_hold.may_send():
        return None
    with db.fence(slice_id) as fence:
        # Asked again: the fenced connection may be a new one, to another database.
        if fence is None or not sending_hold.is_cleared():
            return None
        claim = _claim(fence, slice_id, broker.name, clock)
        if claim is None:
            return None
        with continued(claim.claimed.trace):
            outcome = _place(fence, claim, broker)
            failpoint("execute.after_send")
            status = record(fence, claim.claimed, claim.placement.client_order_id, outcome, claim.now)
            failpoint("execute.after_record")
            _note(claim.claimed, outcome)
    failpoint("execute.after_unlock")
    return Attempted(outcome, status)


def skip_over(slice_id: str, now: datetime) -> None:
    """Skip a due slice that can never go out: its order's window closed, or nothing of it is left to send."""
    with db.transaction() as session:
        one = slices.get(session, slice_id)
        if one is not None and (reason := _why_never(session.get_one(Order, one.order_id), one, now)) is not None:
            _skip(session, slice_id, now, *reason)


def _note(claimed: Claimed, outcome: Outcome) -> None:
    if outcome.sent_at is not None:
        note_sent(claimed.scheduled_at, claimed.due_at, claimed.admitted_at or claimed.due_at, outcome.sent_at)
    if outcome.code == RATE_LIMITED and is_on():
        admit.note_full()


def _claim(fence: Fence, slice_id: str, broker: str, clock: Clock | None) -> Claim | None:
    failpoint("execute.before_claim")
    # Nearly every slice is claimed for the first time, so nobody asks how often it was tried before.
    claim = _try_to_claim(fence, slice_id, 1, broker, clock)
    if claim is None and (attempt := _next_attempt(fence, slice_id, broker, clock)):
        claim = _try_to_claim(fence, slice_id, attempt, broker, clock)
    return claim


def _try_to_claim(fence: Fence, slice_id: str, attempt: int, broker: str, clock: Clock | None) -> Claim | None:
    config = settings()
    client_order_id = client_order_ids.client_order_id(installation.client_order_id_key(), slice_id, attempt)
    # Before the clock is read: a worker that is stopped in between must not gain on its lease.
    started = boottime()
    with fence.statement() as connection:
        claimed = claims.claim(
            connection,
            slice_id,
            attempt,
            client_order_id,
            broker,
            lease=timedelta(seconds=config.lease),
            late_grace=_late_grace(),
            turn_lasts=admit.turn_lasts(),
            now=clock() if clock else None,
        )
    if claimed is None:
        return None
    failpoint("execute.after_claim")
    not_after = started + config.lease - config.broker_timeout
    return Claim(claimed, _placement(claimed, client_order_id), not_after, received=boottime())


def _next_attempt(fence: Fence, slice_id: str, broker: str, clock: Clock | None) -> int | None:
    """Why a slice could not be claimed: wait for one that is a little early, skip one that can never go out.

    The number of its next attempt where it may be claimed after all.
    """
    with fence.transaction() as session:
        now = clock() if clock else db.now(session)
        one = slices.get(session, slice_id)
        if one is None or one.status is not SliceStatus.SCHEDULED or one.due_at - now > EARLY:
            return None
        order = session.get_one(Order, one.order_id)
        if order.status is not OrderStatus.IN_PROGRESS or order.broker != broker:
            return None
        if one.due_at <= now and (reason := _why_never(order, one, now)) is not None:
            _skip(session, slice_id, now, *reason)
            return None
        ready_at = _ready_at(one)
        if ready_at is None or ready_at - now > EARLY:
            return None
    if ready_at > now:
        time.sleep((ready_at - now).total_seconds())
    return one.attempts + 1


def _ready_at(one: OrderSlice) -> datetime | None:
    """When it may be claimed; None while it waits to be given a turn."""
    if not is_on():
        return one.due_at
    return None if one.turn_at is None else max(one.due_at, one.turn_at)


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
        roll_up(session, order, now)


def _place(fence: Fence, claim: Claim, broker: Broker) -> Outcome:
    sent_at = None
    try:
        _check_room(claim)
        broker.wait_for_turn(TURN_WAIT)
        failpoint("execute.after_turn")
        _check_may_send(fence, claim)
        failpoint("execute.before_send")
        sent_at = claim.now()
        broker_order_id = broker.place(claim.placement, claim.not_after)
    except Refused as error:
        return Outcome(PlacementOutcome.REFUSED, None, error.code, error.message, sent_at)
    except NotSent as error:
        return Outcome(PlacementOutcome.NOT_SENT, None, error.code, error.message)
    except OutcomeUnknown as error:
        return Outcome(PlacementOutcome.UNKNOWN, None, error.code, error.message, sent_at)
    return Outcome(PlacementOutcome.ACKNOWLEDGED, broker_order_id, sent_at=sent_at)


def _check_room(claim: Claim) -> None:
    """Seen with the claim, before a turn of the broker's rate is spent on what cannot be sent."""
    if claim.claimed.exposed > claim.claimed.total_quantity:
        raise NotSent("OVER_QUANTITY", "sending it could exceed the order's quantity")


def _check_may_send(fence: Fence, claim: Claim) -> None:
    """The last look before the wire: a lost fence, a cancelled order, a full one or an earlier attempt stops it."""
    with fence.statement() as connection:
        look = claims.last_look(connection, claim.claimed.slice_id, claim.placement.client_order_id)
    if look is None or not _is_claimed(look, claim):
        raise NotSent("CLAIM_LOST", "the claim on the slice was lost")
    if look.order_status is not OrderStatus.IN_PROGRESS:
        raise NotSent("ORDER_NOT_RUNNING", f"the order is {look.order_status}")
    if look.has_live_duplicate:
        raise NotSent("EARLIER_ATTEMPT_LIVE", "an earlier attempt of the slice may be live at the broker")
    if look.lacking < claim.placement.quantity:
        raise NotSent("QUANTITY_CHANGED", f"late fills of an earlier attempt left {look.lacking} to send")
    if exposure(look.totals).total > look.total_quantity:
        raise NotSent("OVER_QUANTITY", "sending it could exceed the order's quantity")


def _is_claimed(look: LastLook, claim: Claim) -> bool:
    is_sending = look.slice_status is SliceStatus.SENDING
    return is_sending and look.client_order_id == claim.placement.client_order_id
