"""Control of a running order: pause and resume it; retry, resolve and settle its slices."""

from typing import Any

from flask import Response, jsonify

from api_contract.amendments import AMENDMENT_REFUSALS, check_amendment
from api_contract.order_rules import Settlement, check_settlement
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import AMENDMENT, PAUSE_QUERY, RESUME_QUERY
from api_contract.shapes.orders import OrderSchema, OrderSnapshotSchema
from api_contract.shapes.slices import SETTLEMENT, SliceSchema
from api_contract.vocabulary import CatchUp, WorkingSlices
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint("control", __name__, url_prefix="/api/orders", description="Control of running orders")
blueprint.before_request(require_token)


@blueprint.route("/<order_id>", methods=["PATCH"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match(is_needed=True)
@blueprint.takes_key()
@blueprint.arguments(AMENDMENT)
@blueprint.response(200, OrderSnapshotSchema)
@blueprint.refuses(*AMENDMENT_REFUSALS)
def amend_order(changes: dict[str, Any], order_id: str) -> Response:
    """Change an order that is not over, as it was seen: its total, window, limit price or note."""
    check_amendment(changes)
    return jsonify(pulse().amend_order(caller(), order_id, AMENDMENT.dump(changes)))


@blueprint.route("/<order_id>/pause", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(PAUSE_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def pause_order(query: dict[str, WorkingSlices], order_id: str) -> tuple[Response, int]:
    """Send nothing new of an order until it is resumed; what works at the broker goes on, or is cancelled there."""
    return jsonify(pulse().act_on_order(caller(), order_id, "pause", PAUSE_QUERY.dump(query))), 202


@blueprint.route("/<order_id>/resume", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(RESUME_QUERY, location="query")
@blueprint.response(202, OrderSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resume_order(query: dict[str, CatchUp], order_id: str) -> tuple[Response, int]:
    """Let an order that is paused or held go on, and catch up as its policy says, or this call."""
    return jsonify(pulse().act_on_order(caller(), order_id, "resume", query)), 202


@blueprint.route("/<order_id>/slices/<slice_id>/retry", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def retry_slice(order_id: str, slice_id: str) -> tuple[Response, int]:
    """Send again what a failed, rejected or expired slice lacks; for operators. Never a slice that may be live."""
    return jsonify(pulse().act_on_slice(caller(), order_id, slice_id, "retry")), 202


@blueprint.route("/<order_id>/slices/<slice_id>/resolve", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resolve_slice(order_id: str, slice_id: str) -> tuple[Response, int]:
    """Have the broker asked at once about a slice that is UNKNOWN; for operators."""
    return jsonify(pulse().act_on_slice(caller(), order_id, slice_id, "resolve")), 202


@blueprint.route("/<order_id>/slices/<slice_id>/settle", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.arguments(SETTLEMENT)
@blueprint.response(202, SliceSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def settle_slice(body: dict[str, Any], order_id: str, slice_id: str) -> tuple[Response, int]:
    """Say what became of a slice, when no book of the broker can tell any more; for operators."""
    check_settlement(Settlement(**body))
    return jsonify(pulse().act_on_slice(caller(), order_id, slice_id, "settle", SETTLEMENT.dump(body))), 202
