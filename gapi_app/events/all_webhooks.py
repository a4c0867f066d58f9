"""Webhooks of everybody, for admins who have logged in."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, jsonify

from api_contract.preconditions import ETAG
from api_contract.scopes import Standing
from api_contract.shapes.webhooks import WEBHOOK_QUERY, WebhookPageSchema, WebhookSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.events.streams import events

blueprint = Blueprint(
    "admin-webhooks", __name__, url_prefix="/api/admin/webhooks", description="Webhooks of everybody, for admins"
)
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(WEBHOOK_QUERY, location="query")
@blueprint.response(200, WebhookPageSchema)
def list_all_webhooks(query: dict[str, Any]) -> Response:
    """Everybody's webhooks, or those of one account, newest first."""
    return jsonify(_ask("GET", f"?{urlencode(query)}"))


@blueprint.route("/<webhook_id>", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, WebhookSchema)
@blueprint.refuses("NOT_FOUND")
def show_any_webhook(webhook_id: str) -> Response:
    """Anybody's webhook."""
    return jsonify(_ask("GET", f"/{quote(webhook_id, safe='')}"))


@blueprint.route("/<webhook_id>/disable", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def disable_any_webhook(webhook_id: str) -> Response:
    """Post nothing to anybody's webhook until an admin enables it again; repeating it is harmless."""
    return jsonify(_ask("POST", f"/{quote(webhook_id, safe='')}/disable"))


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def enable_any_webhook(webhook_id: str) -> Response:
    """Post to anybody's webhook again, from where it stopped."""
    return jsonify(_ask("POST", f"/{quote(webhook_id, safe='')}/enable"))


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_any_webhook(webhook_id: str) -> None:
    """Remove anybody's webhook."""
    _ask("DELETE", f"/{quote(webhook_id, safe='')}")


def _ask(method: str, path: str) -> dict[str, Any]:
    return events().client.webhooks(method, f"/all{path}", caller())
