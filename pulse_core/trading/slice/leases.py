"""A claim lasts as long as its lease: what a worker that died had claimed becomes UNKNOWN."""

from datetime import datetime

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.batching import for_each
from pulse_core.failpoints import failpoint
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.store import due_slices, placements, slices
from pulse_core.trading.vocabulary import PlacementOutcome


def expire_claims(now: datetime, limit: int = 200) -> int:
    """Slices whose worker died between claim and record become UNKNOWN; returns how many there were.

    A stopped worker still holds the fence, and its slice is left alone until it wakes up or dies.
    """
    with db.transaction() as session:
        expired = due_slices.expired_claims(session, now, limit)
    for_each(expired, lambda slice_id: _expire(slice_id, now))
    return len(expired)


def _expire(slice_id: str, now: datetime) -> None:
    with db.fence(slice_id) as fence:
        if fence is None:
            return
        with fence.transaction() as session:
            order, one = slices.lock(session, slice_id)
            if one.status is not SliceStatus.SENDING or one.lease_expires_at is None or one.lease_expires_at > now:
                return
            error = {"error_code": "WORKER_LOST", "error_message": "the worker was lost between claim and answer"}
            placements.complete(session, one.client_order_id or "", PlacementOutcome.UNKNOWN)
            slices.move(session, one, SliceStatus.UNKNOWN, now, resolve_at=now, **error)
            roll_up(session, order, now)
            failpoint("expire.before_commit")
        failpoint("expire.after_commit")
