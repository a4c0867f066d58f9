"""Webhooks: events posted to clients that cannot hold a stream."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, jsonify

from api_contract.preconditions import ETAG
from api_contract.scopes import Scope, Standing, check_access
from api_contract.shapes.webhooks import (
    DELIVERY_QUERY,
    NEW_WEBHOOK,
    REDELIVERY,
    SECRET_ROLL,
    DeliveryPageSchema,
    DeliverySchema,
    MadeWebhookSchema,
    WebhookListSchema,
    WebhookSchema,
)
from api_contract.vocabulary import WebhookFeed
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.events.streams import events

_NOT_STORED = {"Cache-Control": "no-store"}

blueprint = Blueprint("webhooks", __name__, url_prefix="/api/webhooks", description="Events posted to clients")
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookListSchema)
def list_webhooks() -> Response:
    """The account's webhooks with how far each has come."""
    return jsonify(_ask("GET"))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.arguments(NEW_WEBHOOK)
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE", "NOT_FOUND")
def add_webhook(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Have the account's events, or those of alarms, posted from now on. `secret` is in this answer only: keep it.

    It is PENDING until a test event was accepted, which is posted at once. A key needs `events:read` too.
    """
    check_access(caller(), Standing.OVERSIGHT if given["feed"] is WebhookFeed.ALARMS else Scope.EVENTS_READ)
    return jsonify(_ask("POST", body=given)), 201, _NOT_STORED


@blueprint.route("/<webhook_id>", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND")
def show_webhook(webhook_id: str) -> Response:
    """One webhook of the account."""
    return jsonify(_ask("GET", webhook_id))


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def enable_webhook(webhook_id: str) -> Response:
    """Try a webhook again at once, from where it stopped."""
    return jsonify(_ask("POST", webhook_id, "/enable"))


@blueprint.route("/<webhook_id>/disable", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def disable_webhook(webhook_id: str) -> Response:
    """Post nothing there until the webhook is enabled again; repeating it is harmless."""
    return jsonify(_ask("POST", webhook_id, "/disable"))


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    _ask("DELETE", webhook_id)


@blueprint.route("/<webhook_id>/secret", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.arguments(SECRET_ROLL)
@blueprint.response(200, MadeWebhookSchema)
@blueprint.refuses("NOT_FOUND")
def roll_webhook_secret(given: dict[str, int], webhook_id: str) -> tuple[Response, int, dict[str, str]]:
    """Make a new `secret`, in this answer only. The one before signs too for `overlap_seconds`."""
    return jsonify(_ask("POST", webhook_id, "/secret", given)), 200, _NOT_STORED


@blueprint.route("/<webhook_id>/test", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_key()
@blueprint.response(202, DeliverySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def test_webhook(webhook_id: str) -> tuple[Response, int]:
    """Have a test event posted, once; what came of it is in the list of deliveries."""
    return jsonify(_ask("POST", webhook_id, "/test")), 202


@blueprint.route("/<webhook_id>/redeliver", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(REDELIVERY)
@blueprint.response(202, DeliverySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def redeliver_event(given: dict[str, int], webhook_id: str) -> tuple[Response, int]:
    """Have one event that was delivered posted once more; what came of it is in the list of deliveries."""
    return jsonify(_ask("POST", webhook_id, "/redeliver", given)), 202


@blueprint.route("/<webhook_id>/deliveries", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(DELIVERY_QUERY, location="query")
@blueprint.response(200, DeliveryPageSchema)
@blueprint.refuses("NOT_FOUND")
def list_deliveries(query: dict[str, Any], webhook_id: str) -> Response:
    """What was posted to a webhook of late and what came of it, the latest first."""
    return jsonify(_ask("GET", webhook_id, f"/deliveries?{urlencode(query)}"))


def _ask(method: str, webhook_id: str = "", action: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    path = f"/{quote(webhook_id, safe='')}{action}" if webhook_id else ""
    return events().client.webhooks(method, path, caller(), body)
