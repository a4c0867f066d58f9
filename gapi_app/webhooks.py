"""Webhooks: events posted to clients that cannot hold a stream."""

from typing import Any
from urllib.parse import quote

from flask import Response, jsonify
from marshmallow import fields, validate

from gapi_app.api import Blueprint
from gapi_app.auth import caller, require_token
from gapi_app.event_streams import events
from gapi_app.fields import Instant, WholeNumber
from gapi_app.roles import Scope
from gapi_app.schemas import AnswerSchema, RequestSchema

_URL = {"format": "uri", "example": "https://example.com/pulse-events"}


class NewWebhookSchema(RequestSchema):
    url = fields.String(required=True, validate=validate.Length(1, 500), metadata=_URL)


class WebhookSchema(AnswerSchema):
    webhook_id = fields.String(required=True)
    url = fields.String(required=True)
    created_at = Instant(required=True)
    disabled_at = Instant(required=True, allow_none=True, metadata={"description": "Given up after a day."})
    delivered_event_id = WholeNumber(required=True, metadata={"description": "The last event that was taken."})
    failing_since = Instant(required=True, allow_none=True)
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
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookListSchema)
def list_webhooks() -> Response:
    """The account's webhooks with how far each has come."""
    return jsonify(events().client.webhooks("GET", "", caller()))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(NewWebhookSchema())
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE")
def add_webhook(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Have the account's events posted from now on. `secret` is in this answer and nowhere else: keep it."""
    made = events().client.webhooks("POST", "", caller(), given)
    return jsonify(made), 201, {"Cache-Control": "no-store"}


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND")
def enable_webhook(webhook_id: str) -> Response:
    """Try a webhook again at once, from where it stopped."""
    path = f"/{quote(webhook_id, safe='')}/enable"
    return jsonify(events().client.webhooks("POST", path, caller()))


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    events().client.webhooks("DELETE", f"/{quote(webhook_id, safe='')}", caller())
