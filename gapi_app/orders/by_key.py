"""Orders by the keys that their clients gave them: in the path or, where any text is safe, in the query."""

from flask import Response, jsonify

from api_contract.scopes import Scope
from api_contract.shapes.order_requests import KEY_OWNER_QUERY, KEY_QUERY
from api_contract.shapes.orders import OrderSchema, OrderSnapshotSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint(
    "orders_by_key", __name__, url_prefix="/api/orders/by-key", description="Orders by the keys of their clients"
)
blueprint.before_request(require_token)


@blueprint.route("/<path:order_unique_key>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(KEY_OWNER_QUERY, location="query")
@blueprint.response(200, OrderSnapshotSchema)
@blueprint.refuses("NOT_FOUND")
def find_order(query: dict[str, str], order_unique_key: str) -> Response:
    """The order with this key of the account, or of the one that an operator or admin names."""
    return jsonify(pulse().order_by_key(caller(), order_unique_key, query))


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(200, OrderSnapshotSchema)
@blueprint.refuses("NOT_FOUND")
def find_order_by_query(query: dict[str, str]) -> Response:
    """The same, with the key in the query: no spelling of a path changes it."""
    return jsonify(pulse().order_by_key(caller(), query["order_unique_key"], query))


@blueprint.route("/<path:order_unique_key>", methods=["DELETE"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(KEY_OWNER_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def cancel_order_by_key(query: dict[str, str], order_unique_key: str) -> tuple[Response, int]:
    """Cancel the order with this key of the account, or of the one that an operator names."""
    return jsonify(pulse().cancel_order_by_key(caller(), order_unique_key, query)), 202


@blueprint.route("", methods=["DELETE"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def cancel_order_by_query(query: dict[str, str]) -> tuple[Response, int]:
    """The same, with the key in the query: no spelling of a path changes it."""
    return jsonify(pulse().cancel_order_by_key(caller(), query["order_unique_key"], query)), 202
