"""What the public API answers about webhooks."""

from dataclasses import field
from datetime import datetime

from pulse_client.reading import Answer
from pulse_client.vocabulary import (
    DeliveryKind,
    DeliveryStatus,
    WebhookFeed,
    WebhookStatus,
)


class Webhook(Answer):
    """Where events are posted; PENDING until a first delivery was accepted there. `last_error` says what is wrong."""

    webhook_id: str
    account_id: str
    key_id: str | None
    url: str
    feed: WebhookFeed
    types: list[str] | None
    status: WebhookStatus
    created_at: datetime
    verified_at: datetime | None
    disabled_at: datetime | None
    disabled_by: str | None
    delivered_event_id: int
    failing_since: datetime | None
    failures: int
    last_error: str | None
    previous_secret_until: datetime | None


class MadeWebhook(Answer):
    """A webhook with the secret that signs its deliveries, which is in no other answer."""

    webhook: Webhook
    secret: str = field(repr=False)


class WebhookList(Answer):
    webhooks: list[Webhook]


class WebhookPage(WebhookList):
    """Webhooks of everybody, newest first; `next_cursor` is None on the last page."""

    next_cursor: str | None


class Delivery(Answer):
    """What was posted to a webhook, or waits to be: the events from `first_event_id` to `last_event_id`."""

    delivery_id: str
    kind: DeliveryKind
    status: DeliveryStatus
    first_event_id: int | None
    last_event_id: int | None
    asked_at: datetime
    posted_at: datetime | None
    answer_status: int | None
    error: str | None
    duration_ms: int | None


class DeliveryPage(Answer):
    """Deliveries, the latest first; `next_cursor` is None on the last page."""

    deliveries: list[Delivery]
    next_cursor: str | None
