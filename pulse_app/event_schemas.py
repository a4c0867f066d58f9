"""The shapes of events, to be followed live, read page by page, and audited."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from pulse_app.fields import Instant, Limit, WholeNumber
from pulse_app.schemas import AnswerSchema, RequestSchema

MOST_AT_ONCE = 500
MOST_FEEDS = 500
_ACCOUNT_ID = validate.Regexp(r"acc_[0-9A-Z]{26}\Z", error="Must be an account's id.")
_NEXT = {"description": "Ask again after this one; null when there were no others yet."}


class EventId(fields.Integer):
    """A query's event id, in ASCII digits."""

    default_error_messages = {"invalid": "Must be an event_id, or 0."}  # noqa: RUF012

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": 0, "maximum": 10**18 - 1} | dict(metadata or {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,18}", value):
            raise self.make_error("invalid")
        return int(value)


class PollSchema(RequestSchema):
    after = fields.Dict(
        required=True,
        keys=fields.String(validate=_ACCOUNT_ID),
        values=WholeNumber(allow_none=True, validate=validate.Range(0, 10**18)),
        validate=validate.Length(1, MOST_FEEDS),
        metadata={
            "minProperties": 1,
            "maxProperties": MOST_FEEDS,
            "description": "The last event_id seen of each account; null asks for the latest and no events.",
        },
    )
    limit = WholeNumber(load_default=100, validate=validate.Range(1, MOST_AT_ONCE))


class EventQuerySchema(RequestSchema):
    after = EventId(load_default=0, metadata={"description": "The event_id before the first one wanted."})
    limit = Limit(1, MOST_AT_ONCE, load_default=100)


class EventSchema(AnswerSchema):
    event_id = WholeNumber(required=True, metadata={"description": "Rises by one from event to event of an account."})
    type = fields.String(required=True, metadata={"example": "slice.filled"})
    order_id = fields.String(required=True)
    slice_id = fields.String(required=True, allow_none=True)
    at = Instant(required=True)
    from_status = fields.String(required=True, allow_none=True)
    to_status = fields.String(required=True, allow_none=True)
    actor = fields.String(required=True, metadata={"description": "An account, an operator, `broker` or `pulse`."})
    reason = fields.String(required=True, metadata={"description": "For a person."})
    details = fields.Dict(required=True)


class FeedSchema(AnswerSchema):
    account_id = fields.String(required=True)
    events = fields.List(fields.Nested(EventSchema), required=True)
    last_event_id = WholeNumber(required=True, metadata={"description": "The latest that can be read."})
    is_complete = fields.Boolean(required=True, metadata={"description": "False while older events await numbers."})


class FeedsSchema(AnswerSchema):
    feeds = fields.List(fields.Nested(FeedSchema), required=True)


class OrderEventsSchema(FeedSchema):
    next_after = WholeNumber(required=True, allow_none=True, metadata=_NEXT)


class AuditSchema(AnswerSchema):
    order_id = fields.String(required=True)
    order_unique_key = fields.String(required=True)
    account_id = fields.String(required=True)
    trace = fields.Dict(required=True, metadata={"description": "Ids of the request that placed the order."})
    entries = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=_NEXT)


POLL = PollSchema()
EVENT_QUERY = EventQuerySchema()
