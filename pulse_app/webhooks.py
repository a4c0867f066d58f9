"""Where accounts want their events posted: one's own webhooks, and everybody's for admins."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import g

from api_contract.errors import NotFound
from api_contract.ids import WEBHOOK_ID
from api_contract.preconditions import ETAG, expected
from api_contract.scopes import Scope, Standing
from api_contract.shapes.webhooks import (
    DELIVERY_QUERY,
    NEW_WEBHOOK,
    REDELIVERY,
    SECRET_ROLL,
    WEBHOOK_QUERY,
    DeliveryPageSchema,
    DeliverySchema,
    MadeWebhookSchema,
    WebhookListSchema,
    WebhookPageSchema,
    WebhookSchema,
)
from api_contract.versions import etag_of
from api_contract.vocabulary import WebhookFeed
from pulse_app.auth import account_id, check, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.events.webhooks import DeliveryPage, DeliveryReport, NewSecret, WebhookPage, WebhookReport
from pulse_core.owner import EveryAccount, OneAccount

Versioned = tuple[WebhookReport, int, dict[str, str]]

blueprint = Blueprint("webhooks", __name__, url_prefix="/internal/webhooks", description="Events posted to clients")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookListSchema)
def list_webhooks() -> dict[str, Sequence[WebhookReport]]:
    """The account's webhooks with how far each has come."""
    return {"webhooks": webhooks.list_webhooks(account_id())}


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.arguments(NEW_WEBHOOK)
@blueprint.response(201, MadeWebhookSchema)
@blueprint.refuses("INVALID_STATE", "NOT_FOUND")
def add_webhook(given: dict[str, Any]) -> NewSecret:
    """Have the account's events, or those of alarms, posted from now on; the secret is in this answer only."""
    check(Standing.OVERSIGHT if given["feed"] is WebhookFeed.ALARMS else Scope.EVENTS_READ)
    who, key_id = account_id(), g.caller.key_id
    return webhooks.add_webhook(who, given["url"], utcnow(), given["feed"], given["types"], key_id)


@blueprint.route("/<webhook_id>", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def show_webhook(webhook_id: str) -> Versioned:
    """One webhook of the account."""
    return _versioned(webhooks.webhook_report(OneAccount(account_id()), _known(webhook_id)))


@blueprint.route("/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def enable_webhook(webhook_id: str) -> Versioned:
    """Try a webhook again at once, from where it stopped."""
    return _versioned(
        webhooks.enable_webhook(OneAccount(account_id()), _known(webhook_id), account_id(), utcnow(), expected())
    )


@blueprint.route("/<webhook_id>/disable", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def disable_webhook(webhook_id: str) -> Versioned:
    """Post nothing there until the webhook is enabled again."""
    return _versioned(
        webhooks.disable_webhook(OneAccount(account_id()), _known(webhook_id), account_id(), utcnow(), expected())
    )


@blueprint.route("/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_webhook(webhook_id: str) -> None:
    """Post nothing there any more."""
    webhooks.remove_webhook(OneAccount(account_id()), _known(webhook_id), account_id(), utcnow(), expected())


@blueprint.route("/<webhook_id>/secret", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_if_match()
@blueprint.arguments(SECRET_ROLL)
@blueprint.response(200, MadeWebhookSchema)
@blueprint.refuses("NOT_FOUND")
def roll_webhook_secret(given: dict[str, int], webhook_id: str) -> NewSecret:
    """Make a new secret, in this answer only; the one before signs too for as long as is said."""
    overlap = timedelta(seconds=given["overlap_seconds"])
    return webhooks.roll_secret(account_id(), _known(webhook_id), utcnow(), overlap, expected())


@blueprint.route("/<webhook_id>/test", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_key()
@blueprint.response(202, DeliverySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def test_webhook(webhook_id: str) -> DeliveryReport:
    """Have a test event posted, once; what came of it is in the list of deliveries."""
    return webhooks.ask_for_test(account_id(), _known(webhook_id), utcnow())


@blueprint.route("/<webhook_id>/redeliver", methods=["POST"])
@blueprint.needs(Scope.WEBHOOKS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(REDELIVERY)
@blueprint.response(202, DeliverySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def redeliver_event(given: dict[str, int], webhook_id: str) -> DeliveryReport:
    """Have one event that was delivered posted once more; what came of it is in the list of deliveries."""
    return webhooks.ask_for_redelivery(account_id(), _known(webhook_id), given["event_id"], utcnow())


@blueprint.route("/<webhook_id>/deliveries", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(DELIVERY_QUERY, location="query")
@blueprint.response(200, DeliveryPageSchema)
@blueprint.refuses("NOT_FOUND")
def list_deliveries(query: dict[str, Any], webhook_id: str) -> DeliveryPage:
    """What was posted to a webhook of late and what came of it, the latest first."""
    return webhooks.delivery_page(account_id(), _known(webhook_id), query["limit"], query.get("cursor"))


@blueprint.route("/all", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(WEBHOOK_QUERY, location="query")
@blueprint.response(200, WebhookPageSchema)
def list_all_webhooks(query: dict[str, Any]) -> WebhookPage:
    """Everybody's webhooks, or those of one account, newest first; for admins."""
    asked = query.get("account_id")
    owner = EveryAccount() if asked is None else OneAccount(asked)
    return webhooks.webhook_page(owner, query["limit"], query.get("cursor"))


@blueprint.route("/all/<webhook_id>", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def show_any_webhook(webhook_id: str) -> Versioned:
    """Anybody's webhook; for admins."""
    return _versioned(webhooks.webhook_report(EveryAccount(), _known(webhook_id)))


@blueprint.route("/all/<webhook_id>/disable", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def disable_any_webhook(webhook_id: str) -> Versioned:
    """Post nothing to anybody's webhook until an admin enables it again; for admins."""
    return _versioned(webhooks.disable_webhook(EveryAccount(), _known(webhook_id), account_id(), utcnow(), expected()))


@blueprint.route("/all/<webhook_id>/enable", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, WebhookSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def enable_any_webhook(webhook_id: str) -> Versioned:
    """Post to anybody's webhook again, from where it stopped; for admins."""
    return _versioned(webhooks.enable_webhook(EveryAccount(), _known(webhook_id), account_id(), utcnow(), expected()))


@blueprint.route("/all/<webhook_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def remove_any_webhook(webhook_id: str) -> None:
    """Remove anybody's webhook; for admins."""
    webhooks.remove_webhook(EveryAccount(), _known(webhook_id), account_id(), utcnow(), expected())


def _versioned(webhook: WebhookReport) -> Versioned:
    return webhook, 200, {"ETag": etag_of(webhook)}


def _known(webhook_id: str) -> str:
    # Not every text can be asked of Postgres: a NUL would fail there.
    if not WEBHOOK_ID.fullmatch(webhook_id):
        raise NotFound("there is no such webhook")
    return webhook_id
