"""The shapes of events, as a stream and as pages."""

from typing import Any

from marshmallow import fields, post_load, validate

from api_contract.fields import EventId, Instant, Limit, WholeNumber
from api_contract.ids import ACCOUNT_ID
from api_contract.shapes.base import (
    A_SLICE,
    AN_ACCOUNT,
    AN_ORDER,
    AnswerSchema,
    RequestSchema,
    matches,
    next_cursor_field,
    shown,
)
from api_contract.shapes.orders import ACCEPTED_EXAMPLE

MOST_EVENTS_AT_ONCE = 500
_AFTER = {"description": "The event_id before the first one wanted."}
_RESUME = {"description": "Go on after this event_id, 0 for all; the header Last-Event-ID comes before it."}
NEXT = {"description": "Ask again after this one; null when there were no others yet."}
_ACTOR = {"description": "An account, an operator, `broker` or `pulse`."}
NAME = {"description": "The username of an account, else the actor itself.", "example": "meera"}
_CURSOR = {"description": "`next_cursor` of the page before, in place of `after`."}


class ResumeSchema(AnswerSchema):
    """Other headers are none of its business."""

    last_event_id = EventId(
        data_key="Last-Event-ID", metadata={"description": "Go on after this event_id; sent by clients that reconnect."}
    )


class StreamQuerySchema(RequestSchema):
    last_event_id = EventId(metadata=_RESUME)


class EventQuerySchema(RequestSchema):
    after = EventId(load_default=0, metadata=_AFTER)
    cursor = EventId(metadata=_CURSOR)
    limit = Limit(1, MOST_EVENTS_AT_ONCE, load_default=100)

    @post_load
    def where_to_go_on(self, query: dict[str, Any], **_: Any) -> dict[str, Any]:
        return query | {"after": query.pop("cursor", query["after"])}


class OrderEventsQuerySchema(EventQuerySchema, StreamQuerySchema):
    format = fields.String(
        load_default="stream",
        validate=validate.OneOf(("stream", "json"), error="Must be stream or json."),
        metadata={"description": "json: a page of what has happened so far, with `after` and `limit`."},
    )


class AccountEventsQuerySchema(OrderEventsQuerySchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**shown(ACCOUNT_ID), "description": "Of another account: for operators and admins."},
    )


class EventSchema(AnswerSchema):
    event_id = WholeNumber(required=True, metadata={"description": "Rises by one from event to event of an account."})
    type = fields.String(required=True, metadata={"example": "slice.filled"})
    order_id = fields.String(required=True)
    slice_id = fields.String(required=True, allow_none=True)
    at = Instant(required=True)
    from_status = fields.String(required=True, allow_none=True)
    to_status = fields.String(required=True, allow_none=True)
    actor = fields.String(required=True, metadata=_ACTOR)
    actor_name = fields.String(required=True, metadata=NAME)
    reason = fields.String(required=True, metadata={"description": "For a person."})
    details = fields.Dict(required=True, metadata={"description": "What is known beyond that; grows with time."})


class MergedEventSchema(EventSchema):
    event_id = WholeNumber(required=True, metadata={"description": "Rises by one from event to event of all accounts."})
    account_id = fields.String(required=True, metadata={**shown(ACCOUNT_ID), "description": "Whose order it is."})
    account_event_id = WholeNumber(required=True, metadata={"description": "Its event_id in the account's own feed."})


class EventPageSchema(AnswerSchema):
    events = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)
    next_cursor = next_cursor_field()


class MergedEventPageSchema(AnswerSchema):
    events = fields.List(fields.Nested(MergedEventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)
    next_cursor = next_cursor_field()


class AuditSchema(AnswerSchema):
    order_id = fields.String(required=True)
    order_unique_key = fields.String(required=True)
    account_id = fields.String(required=True)
    trace = fields.Dict(required=True, metadata={"description": "Ids of the request that placed the order."})
    entries = fields.List(fields.Nested(EventSchema), required=True)
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)
    next_cursor = next_cursor_field()


RESUME = ResumeSchema()
ORDER_EVENTS_QUERY, EVENT_QUERY = OrderEventsQuerySchema(), EventQuerySchema()
ACCOUNT_EVENTS_QUERY = AccountEventsQuerySchema()

EVENT_EXAMPLE = {
    "event_id": 18,
    "type": "slice.filled",
    "order_id": AN_ORDER,
    "slice_id": A_SLICE,
    "at": "2026-11-23T06:40:20.733000Z",
    "from_status": "WORKING",
    "to_status": "FILLED",
    "actor": "broker",
    "actor_name": "broker",
    "reason": "filled",
    "details": {},
}
MERGED_EVENT_EXAMPLE = EVENT_EXAMPLE | {"event_id": 4711, "account_id": AN_ACCOUNT, "account_event_id": 18}
EXAMPLES: dict[str, Any] = {
    "MergedEventPage": {"events": [MERGED_EVENT_EXAMPLE], "next_after": 4711, "next_cursor": "4711"},
    "EventPage": {"events": [EVENT_EXAMPLE], "next_after": 18, "next_cursor": "18"},
    "Audit": {
        **ACCEPTED_EXAMPLE,
        "account_id": AN_ACCOUNT,
        "trace": {"request_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "entries": [EVENT_EXAMPLE],
        "next_after": None,
        "next_cursor": None,
    },
}
