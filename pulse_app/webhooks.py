"""Where accounts want their events posted."""

from collections.abc import Sequence
from typing import Any

from api_contract.errors import NotFound
from api_contract.ids import WEBHOOK_ID
from api_contract.scopes import Scope, Standing
from api_contract.shapes.webhooks import NEW_WEBHOOK, MadeWebhookSchema, WebhookListSchema, WebhookSchema
from api_contract.vocabulary import WebhookFeed
from pulse_app.auth import account_id, check, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.events.webhooks import WebhookReport

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
@blueprint.arguments(NEW_WEBHOOK)
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE")
def add_webhook(given: dict[str, Any]) -> webhooks.NewWebhook:
    """Have the account's events, or those of alarms, posted from now on; the secret is in this answer only."""
    if given["feed"] is WebhookFeed.ALARMS:
        check(Standing.OVERSIGHT)
    return webhooks.add_webhook(account_id(), given["url"], utcnow(), given["feed"])


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
    if not WEBHOOK_ID.fullmatch(webhook_id):
        raise NotFound("there is no such webhook")
    return webhook_id
