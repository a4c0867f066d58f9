"""Claim the slices of a batch, each by its own right: one that cannot be claimed holds up no other."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from api_contract.log import get_logger
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.boottime import boottime
from pulse_core.brokers.port import Placement
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.failpoints import failpoint
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.sending_fence import SendingFence
from pulse_core.trading import client_order_ids
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.sessions import opens_at
from pulse_core.trading.slice.skipping import why_never
from pulse_core.trading.store import claims, installation, schedules, slices
from pulse_core.trading.store.claims import Claimed, NextAttempt, OpenNow
from pulse_core.trading.tables import OrderSlice

# An eta message may come a little early; a slice never goes out early.
EARLY = timedelta(seconds=1)
# Nobody waits longer for another slice of the batch.
NEARLY = timedelta(milliseconds=10)

Clock = Callable[[], datetime]

log = get_logger(__name__)


@dataclass(frozen=True)
class Claim:
    """What this worker, and nobody else, may now send. `not_after` and `received` are instants of boottime().

    What an auction takes is only traded when that is matched, `matched_by` an instant.
    """

    claimed: Claimed
    not_after: float
    received: float
    matched_by: datetime | None = None

    @property
    def slice_id(self) -> str:
        return self.claimed.slice_id

    @property
    def placement(self) -> Placement:
        return Placement(
            client_order_id=self.claimed.client_order_id,
            instrument=self.claimed.instrument,
            side=self.claimed.side,
            quantity=self.claimed.quantity,
            limit_price=self.claimed.limit_price,
            product=self.claimed.product,
        )

    def now(self) -> datetime:
        """The database's time: that of the claim, and what has passed since on a clock that never stands still."""
        return self.claimed.claimed_at + timedelta(seconds=boottime() - self.received)


@dataclass(frozen=True)
class Claims:
    """What of a batch may be sent now.

    Of the rest, `over` can never go out, `closed` have to wait for their market, and the orders of `crowded` have to be
    planned anew before more of them goes out, as seen at these instants.
    `held_up` could go out and were not claimed: most likely somebody else had them locked.
    """

    made: Sequence[Claim]
    over: Mapping[str, datetime] = field(default_factory=dict)
    closed: Mapping[str, datetime] = field(default_factory=dict)
    crowded: Mapping[str, datetime] = field(default_factory=dict)
    held_up: Sequence[str] = ()


@dataclass(frozen=True)
class _Ready:
    """A slice that may be claimed after all: its next attempt, and from when on."""

    attempt: int
    at: datetime


@dataclass(frozen=True)
class _Look:
    now: datetime
    ready: Mapping[str, _Ready] = field(default_factory=dict)
    over: Mapping[str, datetime] = field(default_factory=dict)
    closed: Mapping[str, datetime] = field(default_factory=dict)
    crowded: Mapping[str, datetime] = field(default_factory=dict)


def claim_together(fence: SendingFence, broker_account: str, clock: Clock | None) -> Claims:
    """Claim what the fence holds and is due; what is due in a moment is waited for, if nothing else has to wait."""
    failpoint("execute.before_claim")
    # Nearly every slice is claimed for the first time, so nobody asks how often it was tried before.
    made = _try_to_claim(fence, dict.fromkeys(fence.slice_ids, 1), broker_account, clock)
    missed = _without(fence.slice_ids, made)
    if not missed:
        return Claims(made)
    look = _look(fence, missed, broker_account, clock)
    ready = _wait(look, is_other_waiting=bool(made))
    more = _try_to_claim(fence, {slice_id: one.attempt for slice_id, one in ready.items()}, broker_account, clock)
    return Claims([*made, *more], look.over, look.closed, look.crowded, _without(ready, more))


def _without(slice_ids: Collection[str], claimed: Sequence[Claim]) -> list[str]:
    taken = {one.slice_id for one in claimed}
    return [one for one in slice_ids if one not in taken]


def _try_to_claim(
    fence: SendingFence, attempts: Mapping[str, int], broker_account: str, clock: Clock | None
) -> list[Claim]:
    if not attempts:
        return []
    try:
        return _claim(fence, attempts, broker_account, clock)
    except DBAPIError as error:
        if len(fence.slice_ids) == 1:
            raise
        # One of them spoils it for all: nothing is claimed, and each is tried by itself.
        log.error("slices are claimed one by one", slice_ids=list(attempts), reason=str(error.orig))
        return []


def _claim(fence: SendingFence, attempts: Mapping[str, int], broker_account: str, clock: Clock | None) -> list[Claim]:
    config, key = settings(), installation.client_order_id_key()
    next_attempts = [
        NextAttempt(slice_id, attempt, client_order_ids.client_order_id(key, slice_id, attempt))
        for slice_id, attempt in attempts.items()
    ]
    known = hours.current()
    # Before the clock is read: a worker that is stopped in between must not gain on its lease.
    started = boottime()
    fence.check_stands()
    with db.statement() as connection:
        # This connection or the fence's may be a new one, to another database.
        if not sending_hold.is_cleared(broker_account):
            return []
        claimed = claims.claim(
            connection,
            next_attempts,
            broker_account,
            lease=timedelta(seconds=config.lease),
            late_grace=_late_grace(),
            turn_lasts=admit.turn_lasts(),
            open_now=_open_now(known, broker_account, clock),
            now=clock() if clock else None,
        )
    if not claimed:
        return []
    failpoint("execute.after_claim")
    not_after = started + config.lease - config.broker_timeout
    received = boottime()
    made = {one.slice_id: Claim(one, not_after, received, _matched_by(known, broker_account, one)) for one in claimed}
    # Who has waited longest goes first.
    return [made[slice_id] for slice_id in attempts if slice_id in made]


def _open_now(known: Hours, broker_account: str, clock: Clock | None) -> OpenNow | None:
    """About now by this process's estimate; Postgres's clock decides."""
    if not known.are_kept_by(broker_account):
        return None
    return OpenNow(known.calendars, known.openings(clock() if clock else utcnow()), known.default_product)


def _matched_by(known: Hours, broker_account: str, claimed: Claimed) -> datetime | None:
    calendar = known.calendar_of(broker_account, claimed.instrument)
    return None if calendar is None else calendar.matched_by(claimed.claimed_at)


def _look(fence: SendingFence, missed: Sequence[str], broker_account: str, clock: Clock | None) -> _Look:
    """Why slices could not be claimed. A lone one is looked at when nobody else has it locked any more."""
    ready: dict[str, _Ready] = {}
    over: dict[str, datetime] = {}
    closed: dict[str, datetime] = {}
    crowded: dict[str, datetime] = {}
    known = hours.current()
    with db.transaction() as session:
        now = clock() if clock else db.now(session)
        kept_back = schedules.kept_back(session, missed, now)
        is_lone = len(fence.slice_ids) == 1
        for one, order in slices.with_orders(session, missed, SliceStatus.SCHEDULED, is_waited_for=is_lone):
            if one.due_at - now > EARLY:
                continue
            if order.status is not OrderStatus.IN_PROGRESS or order.broker_account != broker_account:
                continue
            if one.due_at <= now and why_never(known, order, one, now) is not None:
                over[one.id] = now
                continue
            if order.hold is not None:
                continue
            if one.due_at <= now and opens_at(known, order, now) != now:
                closed[one.id] = now
                continue
            if one.due_at <= now and one.id in kept_back:
                crowded[one.id] = now
                continue
            ready_at = _ready_at(one)
            if ready_at is not None and ready_at - now <= EARLY:
                ready[one.id] = _Ready(one.attempts + 1, ready_at)
    return _Look(now, ready, over, closed, crowded)


def _ready_at(one: OrderSlice) -> datetime | None:
    """When it may be claimed; None while it waits to be given a turn."""
    if not is_on():
        return one.due_at
    return None if one.turn_at is None else max(one.due_at, one.turn_at)


def _wait(look: _Look, *, is_other_waiting: bool) -> Mapping[str, _Ready]:
    """Those that come first, when their time has come; the others are left to other messages."""
    if not look.ready:
        return {}
    first = min(one.at for one in look.ready.values())
    latest = (look.now if is_other_waiting else max(first, look.now)) + NEARLY
    ready = {slice_id: one for slice_id, one in look.ready.items() if one.at <= latest}
    pause = max((one.at - look.now for one in ready.values()), default=timedelta(0))
    if pause > timedelta(0):
        time.sleep(pause.total_seconds())
    return ready


def _late_grace() -> timedelta:
    return timedelta(seconds=settings().late_grace)
