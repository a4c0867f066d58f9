"""One order's life on one line of time: what the database recorded and what the processes logged."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pulse_core.events.names import EventKind
from pulse_core.trading.order.history import Happening, OrderHistory

DATABASE = "database"
# The database has these, too, with more certainty: a log may be cut, and a transaction that was logged may be undone.
RECORDED = frozenset({"slice moved", "slice filled", "order moved", "alarm raised"})
_IDS = frozenset({"order_id", "slice_id", "request_id", "trace_id", "traceparent"})
_HOUSEKEEPING = _IDS | {"event", "level", "logger", "service", "timestamp"}


@dataclass(frozen=True)
class Moment:
    """Something that happened, who told it, and to which slice (a number from 1) if to one."""

    at: datetime
    source: str
    what: str
    slice_number: int | None
    detail: Mapping[str, Any]
    traceparent: str | None = None


def timeline(history: OrderHistory, log_lines: Iterable[str]) -> list[Moment]:
    """All moments in the order of their time; of one instant, the logs' first, which were written before the commit."""
    logged = _logged(history, log_lines)
    recorded = (_recorded(history, one) for one in history.happenings)
    return sorted([*logged, *recorded], key=lambda moment: moment.at)


def _recorded(history: OrderHistory, one: Happening) -> Moment:
    return Moment(one.at, DATABASE, _what(one), history.sequence_numbers.get(one.slice_id or ""), one.detail)


def _what(one: Happening) -> str:
    if one.kind is not EventKind.MOVE:
        return one.kind.value.lower()
    move = " -> ".join(status for status in (one.from_status, one.to_status) if status)
    return move if one.slice_id else f"order {move}"


def _logged(history: OrderHistory, lines: Iterable[str]) -> Iterator[Moment]:
    mentions = _mentions(history)
    for line in lines:
        # Most lines are about something else, and reading each as JSON would take its time.
        if mentions.search(line) and (moment := _moment(history, line)) is not None:
            yield moment


def _mentions(history: OrderHistory) -> re.Pattern[str]:
    ids = (history.order_id, history.trace.get("request_id"), *history.sequence_numbers)
    return re.compile("|".join(re.escape(one) for one in ids if one))


def _moment(history: OrderHistory, line: str) -> Moment | None:
    fields = _fields(line)
    at = _instant(fields.get("timestamp"))
    if at is None or fields.get("event") in RECORDED or not _is_about(history, fields):
        return None
    return Moment(
        at=at,
        source=str(fields.get("service", "-")),
        what=str(fields.get("event", "")),
        slice_number=history.sequence_numbers.get(str(fields.get("slice_id"))),
        detail={name: value for name, value in fields.items() if name not in _HOUSEKEEPING and value is not None},
        traceparent=fields.get("traceparent"),
    )


def _is_about(history: OrderHistory, fields: Mapping[str, Any]) -> bool:
    """Whether a line tells of this order: one that names none belongs to the request that placed it."""
    if "order_id" in fields:
        return bool(fields["order_id"] == history.order_id)
    if "slice_id" in fields:
        return fields["slice_id"] in history.sequence_numbers
    return bool(fields.get("request_id") == history.trace.get("request_id"))


def _fields(line: str) -> Mapping[str, Any]:
    """The fields of a JSON line, whatever a container's log put before it; none where it is no such line."""
    start = line.find("{")
    try:
        fields = json.loads(line[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
