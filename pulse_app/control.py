"""Control of a running order, for the gateway."""

from typing import Any

from api_contract.amendments import AMENDMENT_REFUSALS
from api_contract.errors import NotFound
from api_contract.ids import SLICE_ID
from api_contract.preconditions import ETAG, expected
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import AMENDMENT, PAUSE_QUERY, RESUME_QUERY
from api_contract.shapes.orders import OrderSchema, OrderSnapshotSchema
from api_contract.shapes.slices import SETTLEMENT, SliceSchema
from api_contract.versions import etag_of
from api_contract.vocabulary import CatchUp, WorkingSlices
from pulse_app.auth import account_id, owner_to_change, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_app.orders import known_order
from pulse_core.clock import utcnow
from pulse_core.trading.order import amend, pause, queries
from pulse_core.trading.order.reports import OrderReport, OrderSnapshot, SliceReport
from pulse_core.trading.slice import operations, settlement

blueprint = Blueprint("control", __name__, url_prefix="/internal/orders", description="Control of running orders")
blueprint.before_request(require_service_token)


@blueprint.route("/<order_id>", methods=["PATCH"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match(is_needed=True)
@blueprint.takes_key()
@blueprint.arguments(AMENDMENT)
@blueprint.response(200, OrderSnapshotSchema, headers=ETAG)
@blueprint.refuses(*AMENDMENT_REFUSALS)
def amend_order(changes: dict[str, Any], order_id: str) -> tuple[OrderSnapshot, int, dict[str, str]]:
    """Change an order that is not over, as it was seen: its total, window, limit price or note."""
    owner, known = owner_to_change(), known_order(order_id)
    amended = amend.amend_order(owner, known, changes, account_id(), utcnow(), expected())
    return amended, 200, {"ETag": etag_of(amended)}


@blueprint.route("/<order_id>/pause", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(PAUSE_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def pause_order(query: dict[str, WorkingSlices], order_id: str) -> OrderReport:
    """Send nothing new of an order until it is resumed; repeating it is harmless."""
    owner, known = owner_to_change(), known_order(order_id)
    return pause.pause_order(owner, known, account_id(), utcnow(), expected(), query["working"])


@blueprint.route("/<order_id>/resume", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(RESUME_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resume_order(query: dict[str, CatchUp], order_id: str) -> OrderReport:
    """Let an order that is paused or held go on, and catch up as its policy says, or this call."""
    owner, known = owner_to_change(), known_order(order_id)
    return pause.resume_order(owner, known, account_id(), utcnow(), expected(), query.get("catch_up"))


@blueprint.route("/<order_id>/slices/<slice_id>/retry", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key(is_done_again=False)
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def retry_slice(order_id: str, slice_id: str) -> SliceReport:
    """Send again what a failed, rejected or expired slice of any account lacks."""
    operations.retry_slice(_slice_of(order_id, slice_id), account_id(), utcnow())
    return queries.slice_report(order_id, slice_id)


@blueprint.route("/<order_id>/slices/<slice_id>/resolve", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resolve_slice(order_id: str, slice_id: str) -> SliceReport:
    """Have a worker ask the broker at once about an UNKNOWN slice of any account."""
    operations.request_resolve(_slice_of(order_id, slice_id), account_id(), utcnow())
    return queries.slice_report(order_id, slice_id)


@blueprint.route("/<order_id>/slices/<slice_id>/settle", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key(is_done_again=False)
@blueprint.arguments(SETTLEMENT)
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def settle_slice(body: dict[str, Any], order_id: str, slice_id: str) -> SliceReport:
    """Book what an operator says became of a slice of any account, when no book of the broker can tell."""
    settlement.settle_slice(_slice_of(order_id, slice_id), account_id(), utcnow(), **body)
    return queries.slice_report(order_id, slice_id)


def _slice_of(order_id: str, slice_id: str) -> str:
    if not SLICE_ID.fullmatch(slice_id):
        raise NotFound("there is no such slice")
    queries.slice_report(known_order(order_id), slice_id)
    return slice_id
