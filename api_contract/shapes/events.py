"""The shapes of events, as a stream and as pages."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api_contract.fields import Instant, Limit, WholeNumber
from api_contract.shapes.base import A_SLICE, AN_ACCOUNT, AN_ORDER, AnswerSchema, RequestSchema
from api_contract.shapes.orders import ACCEPTED_EXAMPLE

MOST_EVENTS_AT_ONCE = 500
_AFTER = {"description": "The event_id before the first one wanted."}
_RESUME = {"description": "Go on after this event_id, 0 for all; the header Last-Event-ID comes before it."}
NEXT = {"description": "Ask again after this one; null when there were no others yet."}
_ACTOR = {"description": "An account, an operator, `broker` or `pulse`."}


class EventId(fields.Integer):
    """A query's event id, in ASCII digits."""

    default_error_messages = {"invalid": "Must be an event_id, or 0."}  # noqa: RUF012

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": 0, "maximum": 10**18 - 1} | dict(metadata or {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,18}", value):
            raise self.make_error("invalid")
        return int(value)


class ResumeSchema(AnswerSchema):
    """Other headers are none of its business."""

    last_event_id = EventId(
        data_key="Last-Event-ID", metadata={"description": "Go on after this event_id; sent by clients that reconnect."}
    )


class StreamQuerySchema(RequestSchema):
    last_event_id = EventId(metadata=_RESUME)


class EventQuerySchema(RequestSchema):
    after = EventId(load_default=0, metadata=_AFTER)
    limit = Limit(1, MOST_EVENTS_AT_ONCE, load_default=100)


class OrderEventsQuerySchema(StreamQuerySchema):
    format = fields.String(
        load_default="stream",
        validate=validate.OneOf(("stream", "json"), error="Must be stream or json."),
        metadata={"description": "json: a page of what has happened so far, with `after` and `limit`."},
    )
    after = EventId(load_default=0, metadata=_AFTER)
    limit = Limit(1, MOST_EVENTS_AT_ONCE, load_default=100)


class EventSchema(AnswerSchema):
    event_id = WholeNumber(required=True, metadata={"description": "Rises by one from event to event of an account."})
    type = fields.String(required=True, metadata={"example": "slice.filled"})
    order_id = fields.String(required=True)
    slice_id = fields.String(required=True, allow_none=True)
    at = Instant(required=True)
    from_status = fields.String(required=True, allow_none=True)
    to_status = fields.String(required=True, allow_none=True)
    actor = fields.String(required=True, metadata=_ACTOR)
    reason = fields.String(required=True, metadata={"description": "For a person."})
    details = fields.Dict(required=True, metadata={"description": "What is known beyond that; grows with time."})


class EventPageSchema(AnswerSchema):
    events = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)


class AuditSchema(AnswerSchema):
    order_id = fields.String(required=True)
    order_unique_key = fields.String(required=True)
    account_id = fields.String(required=True)
    trace = fields.Dict(required=True, metadata={"description": "Ids of the request that placed the order."})
    entries = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)


RESUME = ResumeSchema()
STREAM_QUERY, ORDER_EVENTS_QUERY, EVENT_QUERY = StreamQuerySchema(), OrderEventsQuerySchema(), EventQuerySchema()

EVENT_EXAMPLE = {
    "event_id": 18,
    "type": "slice.filled",
    "order_id": AN_ORDER,
    "slice_id": A_SLICE,
    "at": "2026-11-23T06:40:20.733000Z",
    "from_status": "WORKING",
    "to_status": "FILLED",
    "actor": "broker",
    "reason": "filled",
    "details": {},
}
EXAMPLES: dict[str, Any] = {
    "EventPage": {"events": [EVENT_EXAMPLE], "next_after": 18},
    "Audit": {
        **ACCEPTED_EXAMPLE,
        "account_id": AN_ACCOUNT,
        "trace": {"request_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "entries": [EVENT_EXAMPLE],
        "next_after": None,
    },
}
