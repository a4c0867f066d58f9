"""Orders by the keys that their clients gave them, each key in one account."""

from api_contract.errors import NotFound
from api_contract.order_rules import UNIQUE_KEY
from api_contract.preconditions import ETAG, expected
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import KEY_OWNER_QUERY, KEY_QUERY
from api_contract.shapes.orders import OrderSchema, OrderSnapshotSchema
from api_contract.versions import etag_of
from pulse_app.auth import account_id, named_owner, named_owner_to_change, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.trading.order import cancel, queries
from pulse_core.trading.order.reports import OrderReport, OrderSnapshot

blueprint = Blueprint(
    "orders_by_key", __name__, url_prefix="/internal/orders/by-key", description="Orders by the keys of their clients"
)
blueprint.before_request(require_service_token)


@blueprint.route("/<path:order_unique_key>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(KEY_OWNER_QUERY, location="query")
@blueprint.response(200, OrderSnapshotSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def find_order(query: dict[str, str], order_unique_key: str) -> tuple[OrderSnapshot, int, dict[str, str]]:
    """The order with this key of the account, or of the one that an operator or admin names."""
    if not UNIQUE_KEY.fullmatch(order_unique_key):
        raise NotFound("there is no order with this key")
    return _found(query, order_unique_key)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(200, OrderSnapshotSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def find_order_by_query(query: dict[str, str]) -> tuple[OrderSnapshot, int, dict[str, str]]:
    """The same, with the key in the query: no spelling of a path changes it."""
    return _found(query, query["order_unique_key"])


@blueprint.route("", methods=["DELETE"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def cancel_order_by_query(query: dict[str, str]) -> OrderReport:
    """Cancel the order with this key of the account, or of the one that an operator names."""
    owner = named_owner_to_change(query.get("account_id", account_id()))
    return cancel.cancel_order_by_key(owner, query["order_unique_key"], utcnow(), account_id(), expected())


def _found(query: dict[str, str], order_unique_key: str) -> tuple[OrderSnapshot, int, dict[str, str]]:
    owner = named_owner(query.get("account_id", account_id()))
    found = queries.order_by_key(owner.account_id, order_unique_key)
    return found, 200, {"ETag": etag_of(found)}
