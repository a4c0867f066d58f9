"""The shapes of webhooks."""

from typing import Any

from marshmallow import fields, validate

from api_contract.account_rules import LONGEST_WEBHOOK_URL
from api_contract.fields import Instant, WholeNumber, Word
from api_contract.shapes.base import A_WEBHOOK, AnswerSchema, RequestSchema
from api_contract.vocabulary import WebhookFeed

_URL = {"format": "uri", "example": "https://example.com/pulse-events"}


class NewWebhookSchema(RequestSchema):
    url = fields.String(required=True, validate=validate.Length(1, LONGEST_WEBHOOK_URL), metadata=_URL)
    feed = Word(
        WebhookFeed,
        "Must be orders or alarms.",
        load_default=WebhookFeed.ORDERS,
        metadata={"description": "alarms: what happens to everybody's alarms, for operators and admins."},
    )


class WebhookSchema(AnswerSchema):
    webhook_id = fields.String(required=True, attribute="id")
    url = fields.String(required=True)
    feed = Word(WebhookFeed, required=True)
    created_at = Instant(required=True)
    disabled_at = Instant(required=True, allow_none=True, metadata={"description": "Given up after a day."})
    delivered_event_id = WholeNumber(
        required=True, attribute="delivered_sequence", metadata={"description": "The last event that was taken."}
    )
    failing_since = Instant(required=True, allow_none=True)
    failures = WholeNumber(required=True, metadata={"description": "Attempts since then."})
    last_error = fields.String(required=True, allow_none=True)


class MadeWebhookSchema(AnswerSchema):
    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True, metadata={"description": "Signs deliveries; keep it."})


class WebhookListSchema(AnswerSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


NEW_WEBHOOK = NewWebhookSchema()

_WEBHOOK = {
    "webhook_id": A_WEBHOOK,
    "url": "https://example.com/pulse-events",
    "feed": "orders",
    "created_at": "2026-11-23T06:32:00.000000Z",
    "disabled_at": None,
    "delivered_event_id": 18,
    "failing_since": None,
    "failures": 0,
    "last_error": None,
}
EXAMPLES: dict[str, Any] = {
    "NewWebhook": {"url": "https://example.com/pulse-events"},
    "Webhook": _WEBHOOK,
    "WebhookList": {"webhooks": [_WEBHOOK]},
    "MadeWebhook": {"webhook": _WEBHOOK, "secret": "whsec_5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9G0H1J2K3"},
}
