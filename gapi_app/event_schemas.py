"""The shapes of events, as a stream and as pages."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from gapi_app.fields import Instant, Limit, WholeNumber
from gapi_app.schemas import AnswerSchema, RequestSchema

_AFTER = {"description": "The event_id before the first one wanted."}
_RESUME = {"description": "Go on after this event_id, 0 for all; the header Last-Event-ID comes before it."}
_NEXT = {"description": "Ask again after this one; null when there were no others yet."}
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


class OrderEventsQuerySchema(StreamQuerySchema):
    format = fields.String(
        load_default="stream",
        validate=validate.OneOf(("stream", "json"), error="Must be stream or json."),
        metadata={"description": "json: a page of what has happened so far, with `after` and `limit`."},
    )
    after = EventId(load_default=0, metadata=_AFTER)
    limit = Limit(1, 500, load_default=100)


class AuditQuerySchema(RequestSchema):
    after = EventId(load_default=0, metadata=_AFTER)
    limit = Limit(1, 500, load_default=100)


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
    next_after = WholeNumber(required=True, allow_none=True, metadata=_NEXT)


class AuditSchema(AnswerSchema):
    order_id = fields.String(required=True)
    order_unique_key = fields.String(required=True)
    account_id = fields.String(required=True)
    trace = fields.Dict(required=True, metadata={"description": "Ids of the request that placed the order."})
    entries = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=_NEXT)


RESUME = ResumeSchema()
STREAM_QUERY = StreamQuerySchema()
ORDER_EVENTS_QUERY = OrderEventsQuerySchema()
AUDIT_QUERY = AuditQuerySchema()
