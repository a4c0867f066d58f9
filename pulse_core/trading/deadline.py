"""A slice's deadline: until when its order may work at the broker, and how it ends when it was cancelled there.

`slice/cancel_working.py` asks the broker to cancel what is past its deadline.
"""

from datetime import datetime, timedelta

from api_contract.vocabulary import SliceStatus
from pulse_core.config import settings
from pulse_core.trading.vocabulary import CancelReason


def deadline(sent_at: datetime, slice_timeout_seconds: int | None, matched_by: datetime | None = None) -> datetime:
    """When it is over: so long after it was sent as its order says, or the setting `slice_timeout`.

    In an auction not before that was matched: nothing trades sooner.
    """
    over_at = sent_at + timedelta(seconds=slice_timeout_seconds or settings().slice_timeout)
    return over_at if matched_by is None else max(over_at, matched_by)


def end_of_cancelled(reason: CancelReason | None) -> SliceStatus:
    """EXPIRED at its deadline, CANCELLED with its order, while that is paused, or by the exchange."""
    return SliceStatus.EXPIRED if reason is CancelReason.DEADLINE else SliceStatus.CANCELLED


def end_of_expired(reason: CancelReason | None) -> SliceStatus:
    """EXPIRED with its session; CANCELLED if it was being cancelled with its order."""
    return SliceStatus.CANCELLED if reason is CancelReason.ORDER_CANCELLED else SliceStatus.EXPIRED
