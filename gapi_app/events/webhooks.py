"""Webhooks: events posted to clients that cannot hold a stream."""

from typing import Any
from urllib.parse import quote

from flask import Response, jsonify

from api_contract.scopes import Scope, Standing, check_access
from api_contract.shapes.webhooks import NEW_WEBHOOK, MadeWebhookSchema, WebhookListSchema, WebhookSchema
from api_contract.vocabulary import WebhookFeed
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.events.streams import events

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
@blueprint.arguments(NEW_WEBHOOK)
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE")
def add_webhook(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Have the account's events, or those of alarms, posted from now on. `secret` is in this answer only: keep it."""
    if given["feed"] is WebhookFeed.ALARMS:
        check_access(caller(), Standing.OVERSIGHT)
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
