"""The shapes of webhooks and of what is posted to them."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate

from api_contract.account_rules import LONGEST_SECRET_OVERLAP_SECONDS, LONGEST_WEBHOOK_URL, MOST_WEBHOOK_TYPES
from api_contract.fields import Instant, Limit, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, DELIVERY_ID, KEY_ID, WEBHOOK_ID
from api_contract.shapes.base import A_WEBHOOK, AN_ACCOUNT, AnswerSchema, RequestSchema, matches, shown
from api_contract.vocabulary import DeliveryKind, DeliveryStatus, WebhookFeed, WebhookStatus

EVENT_TYPE = re.compile(r"(order|slice|alarm)\.(\*|[a-z_]{1,40})")
A_DAY_OF_SECONDS = 86_400
A_DELIVERY = "whd_01M83HD4E5F6G7H8J9K0M1N2P3"

_URL = {"format": "uri", "example": "https://example.com/pulse-events"}
_ACCOUNT_ID = shown(ACCOUNT_ID)
_TYPES = {"example": ["slice.fill", "order.*"], "description": "Types of events, or `order.*` for all of a kind."}
_CURSOR = validate.Regexp(r"[A-Za-z0-9_=-]{1,200}\Z", error="Must be a next_cursor of an earlier answer.")
_NEXT_CURSOR = {"description": "The `cursor` of the next page; null after the last."}


def _few(types: list[str]) -> None:
    if not 1 <= len(types) <= MOST_WEBHOOK_TYPES:
        raise ValidationError(f"Length must be between 1 and {MOST_WEBHOOK_TYPES}.")


def _cursor() -> fields.String:
    return fields.String(validate=_CURSOR, metadata={"description": "`next_cursor` of the page before."})


class NewWebhookSchema(RequestSchema):
    url = fields.String(required=True, validate=validate.Length(1, LONGEST_WEBHOOK_URL), metadata=_URL)
    feed = Word(
        WebhookFeed,
        "Must be orders or alarms.",
        load_default=WebhookFeed.ORDERS,
        metadata={"description": "alarms: what happens to everybody's alarms, for operators and admins."},
    )
    types = fields.List(
        fields.String(validate=matches(EVENT_TYPE, "Must be a type of events, or all of a kind such as order.*.")),
        load_default=None,
        allow_none=True,
        validate=_few,
        metadata=_TYPES | {"minItems": 1, "maxItems": MOST_WEBHOOK_TYPES},
    )


class SecretRollSchema(RequestSchema):
    overlap_seconds = WholeNumber(
        load_default=A_DAY_OF_SECONDS,
        validate=validate.Range(0, LONGEST_SECRET_OVERLAP_SECONDS),
        metadata={"description": "So long both secrets sign."},
    )


class RedeliverySchema(RequestSchema):
    event_id = WholeNumber(
        required=True,
        validate=validate.Range(1, 10**18 - 1),
        metadata={"description": "An event that was delivered.", "example": 18},
    )


class DeliveryQuerySchema(RequestSchema):
    limit = Limit(1, 200, load_default=50)
    cursor = _cursor()


class WebhookQuerySchema(DeliveryQuerySchema):
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)


class WebhookSchema(AnswerSchema):
    webhook_id = fields.String(required=True, attribute="id", metadata=shown(WEBHOOK_ID))
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    key_id = fields.String(
        required=True, allow_none=True, metadata=shown(KEY_ID) | {"description": "The API key it was made with."}
    )
    url = fields.String(required=True)
    feed = Word(WebhookFeed, required=True)
    types = fields.List(
        fields.String(), required=True, allow_none=True, metadata=_TYPES | {"description": "null: all events."}
    )
    status = Word(
        WebhookStatus, required=True, metadata={"description": "PENDING until a first delivery was accepted."}
    )
    created_at = Instant(required=True)
    verified_at = Instant(required=True, allow_none=True, metadata={"description": "When that was."})
    disabled_at = Instant(required=True, allow_none=True)
    disabled_by = fields.String(
        required=True, allow_none=True, metadata={"description": "Who did that; null: given up after a day."}
    )
    delivered_event_id = WholeNumber(
        required=True, attribute="delivered_sequence", metadata={"description": "The last event that was taken."}
    )
    failing_since = Instant(required=True, allow_none=True)
    failures = WholeNumber(required=True, metadata={"description": "Attempts since then."})
    last_error = fields.String(required=True, allow_none=True)
    previous_secret_until = Instant(
        required=True, allow_none=True, metadata={"description": "The secret before the last roll signs until then."}
    )


class MadeWebhookSchema(AnswerSchema):
    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True, metadata={"description": "Signs deliveries; keep it."})


class WebhookListSchema(AnswerSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


class WebhookPageSchema(WebhookListSchema):
    next_cursor = fields.String(required=True, allow_none=True, metadata=_NEXT_CURSOR)


class DeliverySchema(AnswerSchema):
    delivery_id = fields.String(required=True, attribute="id", metadata=shown(DELIVERY_ID))
    kind = Word(DeliveryKind, required=True)
    status = Word(DeliveryStatus, required=True)
    first_event_id = WholeNumber(required=True, allow_none=True, metadata={"description": "null: a test."})
    last_event_id = WholeNumber(required=True, allow_none=True)
    asked_at = Instant(required=True)
    posted_at = Instant(required=True, allow_none=True)
    answer_status = WholeNumber(
        required=True, allow_none=True, metadata={"description": "HTTP status of the receiver's answer, if any."}
    )
    error = fields.String(required=True, allow_none=True)
    duration_ms = WholeNumber(required=True, allow_none=True)


class DeliveryPageSchema(AnswerSchema):
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata=_NEXT_CURSOR)


NEW_WEBHOOK, SECRET_ROLL, REDELIVERY = NewWebhookSchema(), SecretRollSchema(), RedeliverySchema()
DELIVERY_QUERY, WEBHOOK_QUERY = DeliveryQuerySchema(), WebhookQuerySchema()

_WEBHOOK = {
    "webhook_id": A_WEBHOOK,
    "account_id": AN_ACCOUNT,
    "key_id": None,
    "url": "https://example.com/pulse-events",
    "feed": "orders",
    "types": None,
    "status": "ACTIVE",
    "created_at": "2026-11-23T06:32:00.000000Z",
    "verified_at": "2026-11-23T06:32:01.000000Z",
    "disabled_at": None,
    "disabled_by": None,
    "delivered_event_id": 18,
    "failing_since": None,
    "failures": 0,
    "last_error": None,
    "previous_secret_until": None,
}
_DELIVERY = {
    "delivery_id": A_DELIVERY,
    "kind": "EVENTS",
    "status": "DELIVERED",
    "first_event_id": 17,
    "last_event_id": 18,
    "asked_at": "2026-11-23T06:40:21.000000Z",
    "posted_at": "2026-11-23T06:40:21.000000Z",
    "answer_status": 204,
    "error": None,
    "duration_ms": 38,
}
EXAMPLES: dict[str, Any] = {
    "NewWebhook": {"url": "https://example.com/pulse-events"},
    "SecretRoll": {"overlap_seconds": A_DAY_OF_SECONDS},
    "Redelivery": {"event_id": 18},
    "Webhook": _WEBHOOK,
    "WebhookList": {"webhooks": [_WEBHOOK]},
    "WebhookPage": {"webhooks": [_WEBHOOK], "next_cursor": None},
    "MadeWebhook": {"webhook": _WEBHOOK, "secret": "whsec_kJ2n0Zx8Yq5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8="},
    "Delivery": _DELIVERY,
    "DeliveryPage": {"deliveries": [_DELIVERY], "next_cursor": None},
}
