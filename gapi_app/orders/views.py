"""The public order API: check, forward to pulse, return pulse's answer."""

from typing import Any

from flask import Response, current_app, jsonify

from api_contract.idempotency import REPLAYED
from api_contract.order_refusals import ORDER_REFUSALS
from api_contract.order_rules import NewOrder, check_new_order
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import NEW_ORDER, ORDER_QUERY
from api_contract.shapes.orders import LOCATION, AcceptedSchema, OrderPageSchema, OrderSchema, OrderSnapshotSchema
from api_contract.shapes.slices import FILL_QUERY, SLICE_QUERY, FillPageSchema, SliceListSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.orders.fills_csv import EXAMPLE, MEDIA_TYPE, NEXT_PAGE, as_csv, is_csv_asked_for
from gapi_app.upstream import pulse

blueprint = Blueprint("orders", __name__, url_prefix="/api/orders", description="Parent orders and their slices")
blueprint.before_request(require_token)


@blueprint.route("", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(NEW_ORDER)
@blueprint.response(202, AcceptedSchema, headers=LOCATION)
@blueprint.refuses(*ORDER_REFUSALS)
def place_order(new_order: NewOrder) -> tuple[Response, int, dict[str, str]]:
    """Take an order that will be split and worked over time; repeating it with its key makes no second one."""
    check_new_order(new_order, current_app.config["EXCHANGES"])
    answer = pulse().place_order(caller(), new_order)
    headers = {"Location": f"/api/orders/{answer.body['order_id']}"}
    if answer.status == 200:
        headers[REPLAYED] = "true"
    return jsonify(answer.body), 202, headers


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(ORDER_QUERY, location="query")
@blueprint.response(200, OrderPageSchema)
def list_orders(query: dict[str, Any]) -> Response:
    """The account's orders, for operators and admins everybody's, newest first unless sorted otherwise."""
    return jsonify(pulse().list_orders(caller(), query))


@blueprint.route("/<order_id>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.response(200, OrderSnapshotSchema)
@blueprint.refuses("NOT_FOUND")
def show_order(order_id: str) -> Response:
    """One order: what was asked, what is done, and what is still exposed."""
    return jsonify(pulse().order(caller(), order_id))


@blueprint.route("/<order_id>/slices", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(SLICE_QUERY, location="query")
@blueprint.response(200, SliceListSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def list_slices(query: dict[str, int], order_id: str) -> Response:
    """The slices of an order in the order of their times; with `changed_after`, what is new of them."""
    return jsonify(pulse().slices(caller(), order_id, query))


@blueprint.route("/<order_id>/fills", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(FILL_QUERY, location="query")
@blueprint.response(200, FillPageSchema, headers=NEXT_PAGE)
@blueprint.alt_response(200, schema={"type": "string"}, content_type=MEDIA_TYPE, example=EXAMPLE)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def list_fills(query: dict[str, Any], order_id: str) -> Response:
    """Every trade of an order at the broker, in the order of their booking; as CSV where Accept asks for it."""
    page = pulse().fills(caller(), order_id, query)
    answer = as_csv(page, query) if is_csv_asked_for() else jsonify(page)
    answer.vary.add("Accept")
    return answer


@blueprint.route("/<order_id>", methods=["DELETE"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def cancel_order(order_id: str) -> tuple[Response, int]:
    """Cancel what is not filled: unsent slices at once, working ones at the broker; repeating it is harmless."""
    return jsonify(pulse().cancel_order(caller(), order_id)), 202
