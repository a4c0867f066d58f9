"""Webhooks: events posted to clients that cannot hold a stream."""

from typing import Any
from urllib.parse import quote

from flask import Response, jsonify
from marshmallow import fields, validate

from gapi_app.api import Blueprint
from gapi_app.auth import allowed, require_token
from gapi_app.event_streams import events
from gapi_app.fields import Instant, WholeNumber
from gapi_app.roles import Scope
from gapi_app.schemas import AnswerSchema, RequestSchema

_ALWAYS = ("UNAUTHORIZED", "FORBIDDEN", "UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT")
_AT = {"format": "date-time"}
_URL = {"format": "uri", "example": "https://example.com/pulse-events"}


class NewWebhookSchema(RequestSchema):
    url = fields.String(required=True, validate=validate.Length(1, 500), metadata=_URL)


class WebhookSchema(AnswerSchema):
    webhook_id = fields.String(required=True)
    url = fields.String(required=True)
    created_at = Instant(required=True, metadata=_AT)
    disabled_at = Instant(required=True, allow_none=True, metadata={**_AT, "description": "Given up after a day."})
    delivered_event_id = WholeNumber(required=True, metadata={"description": "The last event that was taken."})
    failing_since = Instant(required=True, allow_none=True, metadata=_AT)
    failures = WholeNumber(required=True, metadata={"description": "Attempts since then."})
    last_error = fields.String(required=True, allow_none=True)


class MadeWebhookSchema(AnswerSchema):
    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True, metadata={"description": "Signs deliveries; keep it."})


class WebhookListSchema(AnswerSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


blueprint = Blueprint("webhooks", __name__, url_prefix="/api/webhooks", description="Events posted to clients")
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.response(200, WebhookListSchema)
@blueprint.refuses(*_ALWAYS)
def list_webhooks() -> Response:
    """The account's webhooks with how far each has come."""
    return jsonify(events().client.webhooks("GET", "", allowed(Scope.EVENTS_READ)))


@blueprint.route("", methods=["POST"])
@blueprint.arguments(NewWebhookSchema())
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_REQUEST", "INVALID_STATE", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", *_ALWAYS)
def add_webhook(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Have the account's events posted from now on. `secret` is in this answer and nowhere else: keep it."""
    made = events().client.webhooks("POST", "", allowed(Scope.EVENTS_READ), given)
    return jsonify(made), 201, {"Cache-Control": "no-store"}


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND", *_ALWAYS)
def enable_webhook(webhook_id: str) -> Response:
    """Try a webhook again at once, from where it stopped."""
    path = f"/{quote(webhook_id, safe='')}/enable"
    return jsonify(events().client.webhooks("POST", path, allowed(Scope.EVENTS_READ)))


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", *_ALWAYS)
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    events().client.webhooks("DELETE", f"/{quote(webhook_id, safe='')}", allowed(Scope.EVENTS_READ))
