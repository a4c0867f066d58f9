"""The shapes of alarms, for operators."""

from typing import Any

from marshmallow import fields, validate

from api_contract.alarms import LONGEST_ALARM_NOTE, AlarmCode, AlarmEventKind, AlarmStatus
from api_contract.fields import Instant, Limit, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, ALARM_ID, ORDER_ID
from api_contract.shapes.base import (
    A_SLICE,
    AN_ACCOUNT,
    AN_ALARM,
    AN_ORDER,
    AnswerSchema,
    RequestSchema,
    cursor_field,
    matches,
    next_cursor_field,
    shown,
)
from api_contract.shapes.events import NAME, NEXT

_ACCOUNT_ID, _ORDER_ID = shown(ACCOUNT_ID), shown(ORDER_ID)
_WHO = {"description": "An account, an operator at a terminal, or `pulse`."}
_TYPES = [f"alarm.{kind.lower()}" for kind in AlarmEventKind]


class AlarmQuerySchema(RequestSchema):
    status = Word(AlarmStatus)
    code = Word(AlarmCode)
    order_id = fields.String(validate=matches(ORDER_ID, "Must be an order_id."), metadata=_ORDER_ID)
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)
    limit = Limit(1, 200, load_default=50)
    cursor = cursor_field()


class AlarmNoteSchema(RequestSchema):
    note = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_ALARM_NOTE),
        metadata={"description": "In place of the one before."},
    )


class AlarmSchema(AnswerSchema):
    alarm_id = fields.String(required=True, attribute="id", metadata=shown(ALARM_ID))
    code = Word(AlarmCode, required=True)
    meaning = fields.String(required=True, metadata={"description": "For a person."})
    status = Word(AlarmStatus, required=True)
    account_id = fields.String(required=True, allow_none=True, metadata={"description": "Whose order it is about."})
    order_id = fields.String(
        required=True, allow_none=True, metadata={"description": "null: it is about the installation as a whole."}
    )
    slice_id = fields.String(required=True, allow_none=True)
    detail = fields.Dict(required=True, metadata={"description": "What the latest occurrence said."})
    note = fields.String(required=True, allow_none=True)
    occurrences = WholeNumber(required=True)
    first_seen_at = Instant(required=True)
    opened_at = Instant(required=True, metadata={"description": "When it was last raised anew."})
    last_seen_at = Instant(required=True)
    acknowledged_at = Instant(required=True, allow_none=True)
    acknowledged_by = fields.String(required=True, allow_none=True, metadata=_WHO)
    resolved_at = Instant(required=True, allow_none=True)
    resolved_by = fields.String(required=True, allow_none=True, metadata=_WHO)


class AlarmPageSchema(AnswerSchema):
    alarms = fields.List(fields.Nested(AlarmSchema), required=True)
    next_cursor = next_cursor_field()


class AlarmHappeningSchema(AnswerSchema):
    type = fields.String(required=True, validate=validate.OneOf(_TYPES), metadata={"example": "alarm.raised"})
    at = Instant(required=True)
    actor = fields.String(required=True, metadata=_WHO)
    actor_name = fields.String(required=True, metadata=NAME)
    detail = fields.Dict(required=True)


class AlarmHistorySchema(AnswerSchema):
    alarm = fields.Nested(AlarmSchema, required=True)
    events = fields.List(
        fields.Nested(AlarmHappeningSchema), required=True, metadata={"description": "The latest 200, oldest first."}
    )


class AlarmEventSchema(AlarmHappeningSchema):
    event_id = WholeNumber(required=True, metadata={"description": "Rises by one from event to event of all alarms."})
    alarm_id = fields.String(required=True)
    code = Word(AlarmCode, required=True)
    account_id = fields.String(required=True, allow_none=True)
    order_id = fields.String(required=True, allow_none=True)
    slice_id = fields.String(required=True, allow_none=True)


class AlarmEventPageSchema(AnswerSchema):
    events = fields.List(fields.Nested(AlarmEventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)
    next_cursor = next_cursor_field()


ALARM_QUERY, ALARM_NOTE = AlarmQuerySchema(), AlarmNoteSchema()

_ALARM = {
    "alarm_id": AN_ALARM,
    "code": "TURNED_UP",
    "meaning": AlarmCode.TURNED_UP.meaning,
    "status": "ACKNOWLEDGED",
    "account_id": AN_ACCOUNT,
    "order_id": AN_ORDER,
    "slice_id": A_SLICE,
    "detail": {"broker_order_id": "2611232308200000002"},
    "note": "compared with the contract note",
    "occurrences": 2,
    "first_seen_at": "2026-11-23T06:40:20.733000Z",
    "opened_at": "2026-11-23T06:40:20.733000Z",
    "last_seen_at": "2026-11-23T06:41:02.116000Z",
    "acknowledged_at": "2026-11-23T06:45:00.000000Z",
    "acknowledged_by": AN_ACCOUNT,
    "resolved_at": None,
    "resolved_by": None,
}
_HAPPENING = {
    "type": "alarm.raised",
    "at": "2026-11-23T06:40:20.733000Z",
    "actor": "pulse",
    "actor_name": "pulse",
    "detail": {"broker_order_id": "2611232308200000002"},
}
_ABOUT = {"alarm_id": AN_ALARM, "code": "TURNED_UP", "account_id": AN_ACCOUNT, "order_id": AN_ORDER}
ALARM_EVENT_EXAMPLE = {"event_id": 7, **_HAPPENING, **_ABOUT, "slice_id": A_SLICE}
EXAMPLES: dict[str, Any] = {
    "AlarmNote": {"note": "compared with the contract note"},
    "Alarm": _ALARM,
    "AlarmPage": {"alarms": [_ALARM], "next_cursor": None},
    "AlarmHistory": {"alarm": _ALARM, "events": [_HAPPENING]},
    "AlarmEventPage": {"events": [ALARM_EVENT_EXAMPLE], "next_after": None, "next_cursor": None},
}
