"""Where accounts want their events posted."""

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from pulse_app.api import Blueprint
from pulse_app.auth import require, require_service_token
from pulse_app.fields import Instant, WholeNumber
from pulse_app.schemas import AnswerSchema, RequestSchema
from pulse_core.clock import utcnow
from pulse_core.domain.enums import Scope
from pulse_core.domain.errors import NotFound
from pulse_core.models import Webhook
from pulse_core.outbound import LONGEST_URL
from pulse_core.services import webhooks

_WEBHOOK_ID = re.compile(r"whk_[0-9A-HJKMNP-TV-Z]{26}")
_ALWAYS = ("UNAUTHORIZED", "FORBIDDEN", "DATABASE_ERROR", "SERVICE_UNAVAILABLE")


class NewWebhookSchema(RequestSchema):
    url = fields.String(required=True, validate=validate.Length(1, LONGEST_URL))


class WebhookSchema(AnswerSchema):
    webhook_id = fields.String(required=True, attribute="id")
    url = fields.String(required=True)
    created_at = Instant(required=True)
    disabled_at = Instant(required=True, allow_none=True)
    delivered_event_id = WholeNumber(required=True, attribute="delivered_sequence")
    failing_since = Instant(required=True, allow_none=True)
    failures = WholeNumber(required=True)
    last_error = fields.String(required=True, allow_none=True)


class MadeWebhookSchema(AnswerSchema):
    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True)


class WebhookListSchema(AnswerSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


blueprint = Blueprint("webhooks", __name__, url_prefix="/internal/webhooks", description="Events posted to clients")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.response(200, WebhookListSchema)
@blueprint.refuses(*_ALWAYS)
def list_webhooks() -> dict[str, Sequence[Webhook]]:
    """The account's webhooks with how far each has come."""
    return {"webhooks": webhooks.list_webhooks(require(Scope.EVENTS_READ))}


@blueprint.route("", methods=["POST"])
@blueprint.arguments(NewWebhookSchema())
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_REQUEST", "INVALID_STATE", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", *_ALWAYS)
def add_webhook(given: dict[str, Any]) -> webhooks.NewWebhook:
    """Have the account's events posted from now on; the secret is in this answer only."""
    return webhooks.add_webhook(require(Scope.EVENTS_READ), given["url"], utcnow())


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND", *_ALWAYS)
def enable_webhook(webhook_id: str) -> Webhook:
    """Try a webhook again at once, from where it stopped."""
    return webhooks.enable_webhook(require(Scope.EVENTS_READ), _known(webhook_id), utcnow())


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", *_ALWAYS)
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    webhooks.remove_webhook(require(Scope.EVENTS_READ), _known(webhook_id))


def _known(webhook_id: str) -> str:
    # Not every text can be asked of Postgres: a NUL would fail there.
    if not _WEBHOOK_ID.fullmatch(webhook_id):
        raise NotFound("there is no such webhook")
    return webhook_id
