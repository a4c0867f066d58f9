"""Where accounts want their events posted."""

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from pulse_app.api import Blueprint
from pulse_app.auth import account_id, require_service_token
from pulse_app.fields import Instant, WholeNumber
from pulse_app.schemas import AnswerSchema, RequestSchema
from pulse_core.clock import utcnow
from pulse_core.domain.enums import Scope
from pulse_core.domain.errors import NotFound
from pulse_core.outbound import LONGEST_URL
from pulse_core.services import webhooks
from pulse_core.services.webhooks import WebhookReport

_WEBHOOK_ID = re.compile(r"whk_[0-9A-HJKMNP-TV-Z]{26}")


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
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookListSchema)
def list_webhooks() -> dict[str, Sequence[WebhookReport]]:
    """The account's webhooks with how far each has come."""
    return {"webhooks": webhooks.list_webhooks(account_id())}


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(NewWebhookSchema())
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE")
def add_webhook(given: dict[str, Any]) -> webhooks.NewWebhook:
    """Have the account's events posted from now on; the secret is in this answer only."""
    return webhooks.add_webhook(account_id(), given["url"], utcnow())


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND")
def enable_webhook(webhook_id: str) -> WebhookReport:
    """Try a webhook again at once, from where it stopped."""
    return webhooks.enable_webhook(account_id(), _known(webhook_id), utcnow())


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    webhooks.remove_webhook(account_id(), _known(webhook_id))


def _known(webhook_id: str) -> str:
    # Not every text can be asked of Postgres: a NUL would fail there.
    if not _WEBHOOK_ID.fullmatch(webhook_id):
        raise NotFound("there is no such webhook")
    return webhook_id
