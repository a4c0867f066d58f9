"""What an event is called outside, who made it happen, and why."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from api_contract.alarms import AlarmEventKind
from api_contract.vocabulary import HoldReason, NotFittingReason, OrderStatus, ReplanCause, SliceStatus

PULSE, BROKER = "pulse", "broker"


class EventKind(StrEnum):
    MOVE = "MOVE"
    BROKER_CALL = "BROKER_CALL"
    FILL = "FILL"
    ALARM = "ALARM"
    REQUEST = "REQUEST"
    HELD = "HELD"
    RELEASED = "RELEASED"
    REPLANNED = "REPLANNED"
    AMENDED = "AMENDED"


_WHY_SLICE: Mapping[SliceStatus, str] = {
    SliceStatus.SCHEDULED: "it is to be sent again",
    SliceStatus.SENDING: "its time has come",
    SliceStatus.UNKNOWN: "it may be live at the broker, whose book will tell",
    SliceStatus.WORKING: "the broker has taken it",
    SliceStatus.FILLED: "the broker has filled it",
    SliceStatus.CANCELLED: "its order is being cancelled",
    SliceStatus.REJECTED: "the broker refused it",
    SliceStatus.EXPIRED: "its time at the broker ran out",
    SliceStatus.FAILED: "it could not be sent in the attempts allowed",
    SliceStatus.SKIPPED: "it no longer fits into the window",
}
_WHY_ORDER: Mapping[OrderStatus, str] = {
    OrderStatus.PENDING: "the client placed it",
    OrderStatus.IN_PROGRESS: "its slices are being worked",
    OrderStatus.PAUSED: "a pause was asked for",
    OrderStatus.CANCELLING: "its cancellation was asked for",
    OrderStatus.CANCELLED: "its cancellation is complete",
    OrderStatus.DONE: "all its slices have ended",
    OrderStatus.SKIPPED: "it could not be split",
}
# What an operator said: nothing of the broker's fills a slice that is UNKNOWN.
_SETTLED = (SliceStatus.UNKNOWN, SliceStatus.FILLED)
_BY_BROKER = frozenset({SliceStatus.FILLED, SliceStatus.REJECTED})


def event_type(kind: EventKind, slice_id: str | None, to_status: str | None) -> str:
    """The name clients know an event by, such as `slice.filled` or `order.alarm`."""
    subject = "order" if slice_id is None else "slice"
    match kind:
        case EventKind.MOVE:
            return f"{subject}.{(to_status or '').lower()}"
        case EventKind.ALARM:
            return "order.alarm"
        case EventKind.REPLANNED | EventKind.AMENDED:
            return f"order.{kind.lower()}"
        case EventKind.FILL | EventKind.BROKER_CALL | EventKind.REQUEST | EventKind.HELD | EventKind.RELEASED:
            return f"{subject}.{kind.lower()}"


def alarm_event_type(kind: AlarmEventKind) -> str:
    """The name operators know an event of an alarm by, such as `alarm.raised`."""
    return f"alarm.{kind.lower()}"


def event_actor(
    kind: EventKind, from_status: str | None, to_status: str | None, detail: Mapping[str, Any], account_id: str
) -> str:
    """Who made it happen: an account or an operator by name, `broker`, or `pulse` itself."""
    if detail.get("actor"):
        return str(detail["actor"])
    if kind is EventKind.MOVE and from_status is None:
        return account_id
    is_brokers = kind is EventKind.FILL or (kind is EventKind.MOVE and to_status in _BY_BROKER)
    return BROKER if is_brokers and (from_status, to_status) != _SETTLED else PULSE


def event_reason(kind: EventKind, slice_id: str | None, to_status: str | None, detail: Mapping[str, Any]) -> str:
    """Why it happened, in a sentence for a person."""
    match kind:
        case EventKind.ALARM:
            return str(detail.get("alarm"))
        case EventKind.HELD:
            return _why_held(detail)
        case EventKind.RELEASED:
            return f"{detail.get('reason')} holds it no longer: what it missed is sent in the rest of its window"
        case EventKind.AMENDED:
            return _why_amended(detail)
        case EventKind.REPLANNED:
            return _why_replanned(detail)
        case EventKind.REQUEST:
            return f"{detail.get('request')} was asked for"
        case EventKind.FILL:
            return _why_filled(detail)
        case EventKind.BROKER_CALL:
            return f"the broker was asked to {detail.get('call')}: {detail.get('outcome') or detail.get('answer')}"
        case EventKind.MOVE:
            return _why_moved(slice_id, to_status, detail)


def _why_filled(detail: Mapping[str, Any]) -> str:
    if detail.get("actor"):
        return f"{detail.get('quantity')} were traded, by the word of {detail.get('actor')}"
    return f"the broker traded {detail.get('quantity')}"


def _why_held(detail: Mapping[str, Any]) -> str:
    said = detail.get("message")
    return HoldReason(str(detail.get("reason"))).meaning + (f": {said}" if said else "")


def _why_amended(detail: Mapping[str, Any]) -> str:
    before, after = ("none" if detail[name] is None else detail[name] for name in ("before", "after"))
    return f"{detail['field']} was changed from {before} to {after}"


def _why_replanned(detail: Mapping[str, Any]) -> str:
    lost = detail.get("not_fitting_quantity")
    given_up = f"; {lost} are given up: {NotFittingReason(str(detail['not_fitting_reason'])).meaning}" if lost else ""
    return f"{ReplanCause(str(detail['cause'])).meaning}{given_up}"


def _why_moved(slice_id: str | None, to_status: str | None, detail: Mapping[str, Any]) -> str:
    stated = detail.get("error_message") or detail.get("error_code") or detail.get("skip_reason")
    if stated:
        return str(stated)
    return _WHY_ORDER[OrderStatus(to_status or "")] if slice_id is None else _WHY_SLICE[SliceStatus(to_status or "")]
