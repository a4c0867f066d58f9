"""What happened to orders: for the gateway's live streams, and page by page."""

from dataclasses import asdict
from typing import Any

from api_contract.scopes import Scope, Standing
from api_contract.shapes.events import EVENT_QUERY, AuditSchema, MergedEventPageSchema
from api_contract.shapes.internal import (
    ACCOUNT_EVENT_QUERY,
    FEED_POLL,
    POLL,
    FeedsSchema,
    MergedNewsSchema,
    OrderEventsSchema,
)
from pulse_app.auth import account_id, named_owner, owner_to_read, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_app.orders import known_order
from pulse_core.events import feed, merged_feed
from pulse_core.events.feed import OrderEvents
from pulse_core.events.merged_feed import MergedEventPage, MergedNews
from pulse_core.trading.order.queries import order_origin
from pulse_core.trading.order.reports import OrderOrigin

blueprint = Blueprint("events", __name__, url_prefix="/internal", description="What happened to orders")
blueprint.before_request(require_service_token)


@blueprint.route("/events/poll", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(POLL)
@blueprint.response(200, FeedsSchema)
def poll_events(asked: dict[str, Any]) -> dict[str, Any]:
    """What is new of several accounts, those without news left out; for the gateway itself."""
    return {"feeds": feed.poll(asked["after"], asked["limit"])}


@blueprint.route("/events/all", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(EVENT_QUERY, location="query")
@blueprint.response(200, MergedEventPageSchema)
@blueprint.refuses("ARCHIVED")
def list_all_events(query: dict[str, int]) -> MergedEventPage:
    """Events of orders of all accounts, oldest first, a page at a time."""
    return merged_feed.events(query["after"], query["limit"])


@blueprint.route("/events/all/poll", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(FEED_POLL)
@blueprint.response(200, MergedNewsSchema)
def poll_all_events(asked: dict[str, Any]) -> MergedNews:
    """What is new of all accounts together; for the gateway itself."""
    return merged_feed.poll(asked["after"], asked["limit"])


@blueprint.route("/events", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(ACCOUNT_EVENT_QUERY, location="query")
@blueprint.response(200, OrderEventsSchema)
@blueprint.refuses("ARCHIVED")
def list_account_events(query: dict[str, Any]) -> OrderEvents:
    """Events of all orders of the account, or of the one that an operator or admin names, oldest first."""
    owner = named_owner(query.get("account_id", account_id()))
    return feed.account_events(owner.account_id, query["after"], query["limit"])


@blueprint.route("/orders/<order_id>/events", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(EVENT_QUERY, location="query")
@blueprint.response(200, OrderEventsSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def list_events(query: dict[str, int], order_id: str) -> OrderEvents:
    """Events of one order, oldest first, a page at a time."""
    return _events_of(order_origin(owner_to_read(), known_order(order_id)), query)


@blueprint.route("/orders/<order_id>/audit", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(EVENT_QUERY, location="query")
@blueprint.response(200, AuditSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def audit_order(query: dict[str, int], order_id: str) -> dict[str, Any]:
    """Who placed an order, and everything that happened to it with who did it and why."""
    origin = order_origin(owner_to_read(), known_order(order_id))
    page = _events_of(origin, query)
    where = {"next_after": page.next_after, "next_cursor": page.next_cursor}
    return asdict(origin) | {"entries": page.events} | where


def _events_of(origin: OrderOrigin, query: dict[str, int]) -> OrderEvents:
    return feed.order_events(origin.account_id, origin.order_id, query["after"], query["limit"])
