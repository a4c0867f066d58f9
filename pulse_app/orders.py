"""The internal order API: one service call for each view."""

from typing import Any

from api_contract.errors import NotFound
from api_contract.ids import ORDER_ID
from api_contract.order_refusals import ORDER_REFUSALS
from api_contract.order_rules import NewOrder
from api_contract.preconditions import ETAG, expected
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import NEW_ORDER, ORDER_QUERY
from api_contract.shapes.orders import LOCATION, AcceptedSchema, OrderPageSchema, OrderSchema, OrderSnapshotSchema
from api_contract.shapes.slices import FILL_QUERY, SLICE_QUERY, FillPageSchema, SliceListSchema
from api_contract.versions import etag_of
from pulse_app.auth import account_id, named_owner, owner_to_change, owner_to_read, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.events import feed
from pulse_core.owner import OneAccount, Owner
from pulse_core.trading.order import accept, cancel, queries
from pulse_core.trading.order.reports import FillPage, OrderPage, OrderReport, OrderSnapshot, SliceList
from pulse_core.trading.store.orders import OrderFilters

blueprint = Blueprint("orders", __name__, url_prefix="/internal/orders", description="Parent orders and their slices")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(NEW_ORDER)
@blueprint.response(201, AcceptedSchema, headers=LOCATION)
@blueprint.alt_response(200, schema=AcceptedSchema, headers=LOCATION, description="Made by an earlier call")
@blueprint.refuses(*ORDER_REFUSALS)
def place_order(new_order: NewOrder) -> tuple[dict[str, str], int, dict[str, str]]:
    """Accept an order once; repeating it with its key finds the one that was made."""
    submission = accept.submit_order(account_id(), new_order, utcnow())
    accepted = {"order_id": submission.order_id, "order_unique_key": new_order.order_unique_key}
    return accepted, 201 if submission.is_new else 200, {"Location": f"/internal/orders/{submission.order_id}"}


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(ORDER_QUERY, location="query")
@blueprint.response(200, OrderPageSchema)
def list_orders(query: dict[str, Any]) -> OrderPage:
    """The account's orders, for operators and admins everybody's, newest first unless sorted otherwise."""
    limit, cursor, sort = query.pop("limit"), query.pop("cursor", None), query.pop("sort")
    owner = _listed_owner(query.pop("account_id", None))
    if isinstance(owner, OneAccount):
        feed.number_news(owner.account_id)
    return queries.order_page(owner, OrderFilters(**query), limit, cursor, oldest_first=sort == "created_at")


@blueprint.route("/<order_id>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.response(200, OrderSnapshotSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def show_order(order_id: str) -> tuple[OrderSnapshot, int, dict[str, str]]:
    """One order: what was asked, what is done, and what is still exposed."""
    found = queries.order_snapshot(owner_to_read(), known_order(order_id))
    return found, 200, {"ETag": etag_of(found)}


@blueprint.route("/<order_id>/slices", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(SLICE_QUERY, location="query")
@blueprint.response(200, SliceListSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def list_slices(query: dict[str, int], order_id: str) -> SliceList:
    """The slices of an order in the order of their times; with `changed_after`, what is new of them."""
    owner, changed_after = owner_to_read(), query.get("changed_after")
    if changed_after is not None:
        feed.number_news(queries.order_origin(owner, known_order(order_id)).account_id)
    return queries.slice_list(owner, known_order(order_id), changed_after)


@blueprint.route("/<order_id>/fills", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(FILL_QUERY, location="query")
@blueprint.response(200, FillPageSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def list_fills(query: dict[str, Any], order_id: str) -> FillPage:
    """Every trade of an order at the broker, in the order of their booking."""
    return queries.fill_page(owner_to_read(), known_order(order_id), query["limit"], query.get("cursor"))


@blueprint.route("/<order_id>", methods=["DELETE"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def cancel_order(order_id: str) -> OrderReport:
    """Cancel what is not filled: unsent slices at once, working ones at the broker; repeating it is harmless."""
    return cancel.cancel_order(owner_to_change(), known_order(order_id), utcnow(), account_id(), expected())


def _listed_owner(asked: str | None) -> Owner:
    return owner_to_read() if asked is None else named_owner(asked)


def known_order(order_id: str) -> str:
    """The id itself. Raises NotFound for a text that is no order's id."""
    # Not every text can be asked of Postgres: a NUL would fail there.
    if not ORDER_ID.fullmatch(order_id):
        raise NotFound("there is no such order")
    return order_id
